"""Fetches the namespaces of a start as one consistent set."""

from __future__ import annotations

from helicon._impl.errors import AddressError, NotReleasedError, RefusedError
from helicon.cli.exits import configuration
from helicon.cli.loaded import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.address import Address
    from helicon._impl.settings import ClientSettings
    from helicon._impl.transport import Transport

_ROUNDS = 3


def fetch_set(transport: Transport, settings: ClientSettings, deadline: float) -> tuple[list[Part], Address]:
    """Fetches every namespace, in order, and names the server that gave them.

    The protocol gives one namespace at a time. A release of two namespaces that comes in between would be
    seen half, so the earlier ones are asked about again (a 304 each): when none has moved, all of them
    were current at the same moment. A set that does not come to rest in a few rounds is taken as it is.

    Raises `UnavailableError` and `DeniedError`, and Failure (exit 78) when a namespace is not released or the
    address is wrong.
    """
    first, server = _fetch(transport, settings, settings.namespaces[0], deadline, None, None)
    parts = [first]
    for namespace in settings.namespaces[1:]:
        part, server = _fetch(transport, settings, namespace, deadline, None, server)
        parts.append(part)
    unchecked = len(parts) - 1
    for _ in range(_ROUNDS):
        moved = False
        for index in range(unchecked):
            part, server = _fetch(transport, settings, parts[index].namespace, deadline, parts[index], server)
            moved = moved or part.release_key != parts[index].release_key
            parts[index] = part
        if not moved:
            break
        unchecked = len(parts)
    return parts, server


def _fetch(
    transport: Transport,
    settings: ClientSettings,
    namespace: str,
    deadline: float,
    held: Part | None,
    server: Address | None,
) -> tuple[Part, Address]:
    try:
        fetched = transport.fetch(
            namespace,
            deadline=deadline,
            release_key=held.release_key if held else None,
            held=held.configurations if held else None,
            first=server,
        )
    except AddressError as problem:
        where = "--env and HELICON_ENV, or the path of" if problem.code == "unknown_environment" else "--meta and"
        raise configuration(problem.code, problem.message, f"check {where} HELICON_META") from None
    except (NotReleasedError, RefusedError) as problem:
        raise configuration(
            problem.code,
            f"namespace {namespace!a} of app {settings.app_id!a}, cluster {settings.cluster!a}: {problem.message}",
            "publish it once, or check --app-id, --cluster, --env and --namespace",
        ) from None
    if fetched.config is None:
        assert held is not None  # only a request that names a release is answered without one
        return held, fetched.server
    return Part(namespace, fetched.config.configurations, fetched.config.release_key), fetched.server
