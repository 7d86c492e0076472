"""``helicon-server serve``."""

from __future__ import annotations

import asyncio
import socket
from typing import Annotated, NoReturn

import structlog
import typer

from helicon_migrations import DatabaseUnreachable, MigrationFailed
from helicon_server import __version__, app, logs, node_key, settings
from helicon_server.domain.errors import HeliconError, Unavailable
from helicon_server.services import demo
from helicon_server.services.bootstrap import ADMINISTRATOR, bootstrap
from helicon_server.services.context import Caller
from helicon_server.services.environments import list_environments
from helicon_server.storage.contract import Storage

from . import exits, node, workers
from .options import LOCAL_ACTOR, DatabaseUrl, DataDir, load, require_schema

_LOCAL = ("127.0.0.1", "0.0.0.0", "::", "::1")  # noqa: S104  # compared with, not bound to
_log = structlog.get_logger("helicon.node")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [HELICON_HOST, 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.  [HELICON_PORT, 8080]")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    roles: Annotated[str | None, typer.Option(help="Comma list of delivery and management.  [HELICON_ROLES]")] = None,
    worker_count: Annotated[
        int | None, typer.Option("--workers", help="Worker processes.  [HELICON_WORKERS, 1]")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="json or text.  [HELICON_LOG_FORMAT, json]")] = None,
    node_url: Annotated[
        str | None, typer.Option(help="Address that clients of other nodes are told.  [HELICON_NODE_URL]")
    ] = None,
    with_demo: Annotated[bool, typer.Option("--demo", help="Make a sample app on the first start.")] = False,
) -> None:
    """Run a node: delivery and management, on the embedded database unless told otherwise."""
    configured = load(
        host=host, port=port, data_dir=data_dir, database_url=database_url, roles=roles, workers=worker_count,
        log_format=log_format, node_url=node_url,
    )  # fmt: skip
    logs.configure(configured.log_format)
    for name, meant in settings.misspelt().items():
        _log.warning("setting.unknown", variable=name, did_you_mean=meant)
    _require_master_key(configured)
    listening = _listen(configured)
    password = _prepared(configured, with_demo=with_demo)
    _say_hello(configured, listening, password, with_demo=with_demo)
    if configured.workers > 1:
        raise SystemExit(workers.run(configured, listening))
    raise SystemExit(node.run(app.Helicon(configured), listening, configured.drain_s))


def _require_master_key(configured: settings.Settings) -> None:
    """Ends the process before anything is touched when the settings lack the master key that they need."""
    try:
        node_key.given(configured)
    except settings.SettingsError as error:
        exits.stop(exits.CONFIG, f"bad setting: {error.message}")


def _listen(configured: settings.Settings) -> socket.socket:
    """Binds first of all: whoever finds the port taken has touched nothing yet."""
    family = socket.AF_INET6 if ":" in configured.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((configured.host, configured.port))
        listening.listen(node.BACKLOG)
    except OSError as error:
        listening.close()
        exits.stop(
            exits.UNAVAILABLE,
            f"cannot listen on {configured.host}:{configured.port}: {error.strerror or error}. "
            "Stop what uses it, or choose another with --host and --port (HOST= and PORT= of make run).",
        )
    listening.set_inheritable(True)
    return listening


class _Away(Exception):
    """A database does not answer; the message says which one. ``found`` tells that it answered, then failed."""

    def __init__(self, message: str, *, found: bool = False) -> None:
        super().__init__(message)
        self.found = found


def _away(message: str) -> NoReturn:
    raise _Away(message)


def _prepared(configured: settings.Settings, *, with_demo: bool) -> str | None:
    """Prepares the databases and returns the administrator's password when one was generated.

    While a database is away, a node that has a snapshot of it prepares nothing and starts.
    """
    try:
        _migrate_embedded(configured)
        return _first_start(configured, with_demo=with_demo)
    except _Away as away:
        if not asyncio.run(app.can_start_from_snapshots(configured, trust_schema=not away.found)):
            exits.stop(exits.UNAVAILABLE, str(away))
        _log.warning("node.starts_without_database", reason=str(away))
        return None


def _migrate_embedded(configured: settings.Settings) -> None:
    try:
        app.prepare_data_dir(configured)
        asyncio.run(app.migrate_embedded(configured))
    except app.DataDirUnusable as error:
        exits.stop(exits.CANNOT_CREATE, f"{error} Choose a writable folder with --data-dir or HELICON_DATA_DIR.")
    except MigrationFailed as error:
        exits.stop(exits.CONFIG, str(error))
    except DatabaseUnreachable as error:
        raise _Away(str(error)) from error


def _first_start(configured: settings.Settings, *, with_demo: bool) -> str | None:
    """Prepares the databases and returns the administrator's password when one was generated."""

    async def prepare() -> str | None:
        await require_schema(configured, unreachable=_away)
        storage = app.open_storage(configured)
        try:
            await node_key.prepare(configured, storage)
            generated = await bootstrap(storage, app.first_start(configured))
            await _require_default_environment(configured, storage)
            if with_demo:
                await demo.load(storage, Caller.local(LOCAL_ACTOR), configured.unprefixed_environment)
            return generated
        finally:
            await storage.close()

    try:
        return asyncio.run(prepare())
    except Unavailable as error:
        raise _Away(error.message, found=True) from error
    except settings.SettingsError as error:
        exits.stop(exits.CONFIG, f"bad setting: {error.message}")
    except HeliconError as error:
        exits.stop(exits.CONFIG, f"first start: {error.message} [{error.code}]")


async def _require_default_environment(configured: settings.Settings, storage: Storage) -> None:
    names = [environment.name for environment in await list_environments(storage, Caller.local(LOCAL_ACTOR))]
    if configured.unprefixed_environment not in names:
        exits.stop(
            exits.CONFIG,
            f"bad setting: HELICON_DEFAULT_ENVIRONMENT: there is no environment "
            f"{configured.unprefixed_environment}; there are {', '.join(names)}.",
        )


def _say_hello(
    configured: settings.Settings, listening: socket.socket, password: str | None, *, with_demo: bool
) -> None:
    """Prints where the node is, and, once, what nobody can look up later. Standard output; logs go to stderr."""
    host, port = listening.getsockname()[:2]
    shown = "localhost" if host in _LOCAL else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    lines = [f"Helicon {__version__} at {address}/"]
    if password is not None:
        lines.append(f"Administrator: {ADMINISTRATOR}   password: {password}   (shown once, keep it)")
    if with_demo:
        data = "" if configured.database_url else f" --data-dir {configured.data_dir}"
        lines += ["", "Try:", *(f"  {command}" for command in demo.commands(address, data))]
    print("\n".join(lines), flush=True)
