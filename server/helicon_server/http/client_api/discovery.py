"""The meta server: which addresses serve configuration (Apollo client protocol, section 12.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from helicon_server.delivery.answers import json_answer
from helicon_server.delivery.outcomes import Answer
from helicon_server.delivery.requests import Request, Route

_APP_NAME: Final = "APOLLO-CONFIGSERVICE"
# What may stand in a Host header that we repeat: names, IPv4, [IPv6], and a port.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def checked_public_url(url: str) -> str:
    """Returns the address without a trailing slash. Raises ValueError when clients could not use it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"The public address {url!r} must look like https://config.example.com")
    return url.rstrip("/")


def own_address(request: Request, scheme: str, server: tuple[str, int | None] | None) -> str:
    """The address under which the asking client reaches this node, without a trailing slash."""
    host = (request.header(b"host") or b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        host = _socket_host(server)
    return f"{scheme}://{host}"


def answer(route: Route, addresses: Sequence[str]) -> Answer | None:
    """The service list of a path under ``/services``; None for one that does not exist.

    ``addresses`` have no trailing slash; one that stands there twice is told once. The environment's prefix is
    repeated, and the address ends in ``/``: some clients append to it blindly.
    """
    match route.tail:
        case ("config",):
            prefix = "" if route.environment is None else f"/envs/{route.environment}"
            return json_answer(200, [_entry(address, prefix) for address in dict.fromkeys(addresses)])
        case ("admin",) | ("meta",):
            return json_answer(200, [])
        case _:
            return None


def _entry(address: str, prefix: str) -> dict[str, str]:
    # Told apart by the whole address: two nodes may stand behind one name.
    instance = f"{address.partition('://')[2]}:apollo-configservice"
    return {"appName": _APP_NAME, "instanceId": instance, "homepageUrl": f"{address}{prefix}/"}


def _socket_host(server: tuple[str, int | None] | None) -> str:
    if server is None:
        return "localhost"
    host, port = server
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
