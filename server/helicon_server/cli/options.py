"""Options that several commands share, and how a command gets its settings and its storage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from helicon_migrations import DatabaseUnreachable, SchemaStatus
from helicon_server import app, settings
from helicon_server.domain.actors import ALL_RIGHTS, Actor
from helicon_server.domain.errors import HeliconError, Unavailable
from helicon_server.services.context import Caller
from helicon_server.storage.contract import Storage

from . import exits

LOCAL_ACTOR = Actor("system:command", ALL_RIGHTS)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the embedded database.  [HELICON_DATA_DIR, ./data]")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", help="sqlite+aiosqlite:///… or postgresql+asyncpg://…  [HELICON_DATABASE_URL]"),
]
T = TypeVar("T")


def load(**flags: Any) -> settings.Settings:
    """The settings of flags and environment; ends the process with a sentence when one is bad."""
    try:
        return settings.load(flags)
    except settings.SettingsError as error:
        exits.stop(exits.CONFIG, f"bad setting: {error.message}")


def run(configured: settings.Settings, work: Callable[[Storage, Caller], Awaitable[T]]) -> T:
    """Runs ``work`` on an opened storage whose schema is current; ends the process with a sentence when it cannot."""

    async def opened() -> T:
        await require_schema(configured)
        storage = app.open_storage(configured)
        try:
            return await work(storage, Caller.local(LOCAL_ACTOR, app.limits(configured)))
        finally:
            await storage.close()

    try:
        return asyncio.run(opened())
    except Unavailable as error:
        reason = error.details.get("reason", "")
        if reason in ("read_only", "cannot_open"):
            exits.stop(exits.CANNOT_CREATE, f"{error.message} It cannot be written by this user ({reason}).")
        exits.stop(exits.UNAVAILABLE, f"{error.message} [{reason}]" if reason else error.message)
    except HeliconError as error:
        exits.stop(exits.REFUSED, f"{error.message} [{error.code}]")


def _stop_unreachable(message: str) -> NoReturn:
    exits.stop(exits.UNAVAILABLE, message)


async def require_schema(
    configured: settings.Settings, *, unreachable: Callable[[str], NoReturn] = _stop_unreachable
) -> None:
    """Returns when every database has the schema of this version; ends the process saying what to do otherwise.

    ``unreachable`` is called with a sentence about a database that does not answer, and must not return.
    """
    try:
        states = await app.schema_states(configured)
    except DatabaseUnreachable as error:
        unreachable(f"{error}. Check the address, and that the database is up.")
    except OSError as error:
        exits.stop(exits.CANNOT_CREATE, f"The database cannot be read: {error.strerror or error}: {error.filename}.")
    for name, state in states.items():
        which = "The database" if name == app.MAIN else f"The database of environment {name}"
        if state.status is SchemaStatus.NEWER:
            exits.stop(
                exits.CONFIG,
                f"{which} has schema {state.revision}, which is newer than this helicon-server knows. "
                "Install the version that made it, or a later one.",
            )
        file = app.sqlite_file(app.database_urls(configured)[name])
        if state.revision is None and file is not None:
            exits.stop(
                exits.CONFIG,
                f"There is no database at {file}. Is this the folder of the server? --data-dir or HELICON_DATA_DIR "
                "names another; `helicon-server serve` makes one.",
            )
        if state.status is not SchemaStatus.CURRENT:
            found = "holds no schema yet" if state.revision is None else f"has the older schema {state.revision}"
            exits.stop(
                exits.CONFIG,
                f"{which} {found}. Run `helicon-server migrate` with the same settings, then start again.",
            )
