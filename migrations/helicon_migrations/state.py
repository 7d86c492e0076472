"""What revision a database has, asked without Alembic and without changing anything."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .address import asyncpg_url, described, parse, sqlite_path
from .revisions import HEAD, REVISIONS, VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import URL

CONNECT_TIMEOUT_S = 5.0
# The whole row: a database of the first revision has no column that says which programs may work on it.
QUERY = f"SELECT * FROM {VERSION_TABLE}"  # noqa: S608 - a constant name


class DatabaseUnreachable(Exception):
    """The database does not answer. The message names it without user and password, and says why."""


class SchemaStatus(StrEnum):
    """How a database compares with this version of the program."""

    EMPTY = "empty"  # no schema of ours
    CURRENT = "current"  # of this version, or of a newer one that only added to what this version knows
    OUTDATED = "outdated"  # an older revision: migrate
    NEWER = "newer"  # a newer version migrated it, and this one may no longer work on it


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The status of a database and the revision that was found, None in an empty one."""

    status: SchemaStatus
    revision: str | None

    @classmethod
    def of(cls, revision: str | None, oldest_program: str | None = None) -> SchemaState:
        """Compares a database's revision, and the revision of the oldest program that may work on it.

        A newer database names a program that we are, or that is older than we are: then it only has more than we know.
        """
        if revision is None:
            return cls(SchemaStatus.EMPTY, None)
        if revision == HEAD:
            return cls(SchemaStatus.CURRENT, revision)
        if revision in REVISIONS:
            return cls(SchemaStatus.OUTDATED, revision)
        return cls(SchemaStatus.CURRENT if oldest_program in REVISIONS else SchemaStatus.NEWER, revision)


async def schema_state(url: str) -> SchemaState:
    """Compares the schema of a database with the newest revision; creates nothing, not even an SQLite file.

    Raises DatabaseUnreachable within a few seconds when the database does not answer, ValueError for a URL that
    names no database.
    """
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path is not None:
        return state_of(await asyncio.to_thread(_of_sqlite, parsed, path))
    return state_of(await _of_postgres(parsed))


def state_of(row: Mapping[str, object] | None) -> SchemaState:
    """The state that the row of the version table tells, None for no row."""
    if row is None:
        return SchemaState.of(None)
    oldest = row.get("oldest_program")
    return SchemaState.of(str(row["version_num"]), None if oldest is None else str(oldest))


def unreachable(url: URL, error: BaseException) -> DatabaseUnreachable:
    """The error to show. Drivers' texts name hosts and files but hold no password."""
    return DatabaseUnreachable(f"{described(url)} does not answer: {str(error) or type(error).__name__}")


def _of_sqlite(url: URL, path: Path) -> Mapping[str, object] | None:
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=CONNECT_TIMEOUT_S)
        connection.row_factory = sqlite3.Row
        try:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone()
            row = connection.execute(QUERY).fetchone() if known else None
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise unreachable(url, error) from error
    return None if row is None else dict(row)


async def _of_postgres(url: URL) -> Mapping[str, object] | None:
    import asyncpg

    arguments = {**asyncpg_url(url).translate_connect_args(username="user"), **asyncpg_url(url).query}
    try:
        connection = await asyncpg.connect(**arguments, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S)
        try:
            known = await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", VERSION_TABLE)
            found = await connection.fetchrow(QUERY) if known else None
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        await asyncio.sleep(0)  # asyncpg closes a refused connection with the loop's next turn; the loop may end here
        raise unreachable(url, error) from error
    return None if found is None else dict(found)
