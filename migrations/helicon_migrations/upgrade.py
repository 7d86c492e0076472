"""Brings a database to the newest revision, one runner at a time."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .address import asyncpg_url, described, parse, sqlite_path
from .revisions import VERSION_TABLE
from .state import CONNECT_TIMEOUT_S, QUERY, SchemaState, SchemaStatus, state_of, unreachable

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

RUNNER_TIMEOUT_S = 60  # how long to wait for another runner
LOCK_TIMEOUT_S = 5  # how long a statement may wait for a table that the running servers use
STATEMENT_TIMEOUT_S = 600

# "HELI", then a number for each kind of lock; the server takes number 1.
_RUNNER_LOCK = (0x48454C49, 2)


class MigrationFailed(Exception):
    """The schema could not be brought to the newest revision; what was done before the failing step is complete."""


def migrate(url: str) -> list[str]:
    """Applies the missing revisions and returns their names, oldest first; an empty list when there is none.

    Each revision is one transaction, so that an interrupted run leaves whole revisions behind and the next run goes
    on from there; a second runner waits for the first and then finds nothing to do. Blocks for as long as it takes:
    inside an event loop call it with ``asyncio.to_thread``.

    Raises DatabaseUnreachable, MigrationFailed (also for a database of a newer version: there is no way back), or
    ValueError for a URL that names no database.
    """
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path is not None:
        return _migrate_sqlite(parsed, path)
    # In a thread of its own: the caller's may have an event loop that runs already.
    with ThreadPoolExecutor(1, thread_name_prefix="helicon-migrate") as thread:
        return thread.submit(lambda: asyncio.run(_migrate_postgres(parsed))).result()


def _upgrade(connection: Connection) -> list[str]:
    """Runs Alembic on an open connection, outside a transaction, while its caller holds the runner's lock."""
    from alembic import command
    from alembic.config import Config

    state = _state(connection)
    if state.status is SchemaStatus.NEWER:
        raise MigrationFailed(
            f"the schema has revision {state.revision}, which this version does not know: a newer version has migrated "
            "the database. Run that version; there is no way back."
        )
    if state.status is SchemaStatus.CURRENT:
        return []
    applied: list[str] = []
    config = Config(attributes={"connection": connection, "applied": applied})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
    return applied


def _state(connection: Connection) -> SchemaState:
    from sqlalchemy import inspect, text

    row = None
    if inspect(connection).has_table(VERSION_TABLE):
        row = connection.execute(text(QUERY)).mappings().first()
    connection.rollback()
    return state_of(None if row is None else {str(name): value for name, value in row.items()})


def _migrate_sqlite(url: URL, path: Path) -> list[str]:
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), poolclass=NullPool, connect_args={"timeout": LOCK_TIMEOUT_S}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # Python's driver would commit before DDL; we say BEGIN
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def say_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with _only_runner(path):
            # The file holds password hashes; its journals take over its mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            with engine.connect() as connection:
                return _upgrade(connection)
    except OSError as error:
        raise unreachable(url, error) from error
    except DBAPIError as error:
        raise MigrationFailed(f"{described(url)}: {error.orig}") from error
    finally:
        engine.dispose()


@contextmanager
def _only_runner(path: Path) -> Iterator[None]:
    """Holds a lock on a file next to the database. The kernel gives it free when its holder dies."""
    descriptor = os.open(path.with_name(f"{path.name}.migrating"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        deadline = time.monotonic() + RUNNER_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise MigrationFailed(f"another process has been migrating {path} for long") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


async def _migrate_postgres(url: URL) -> list[str]:
    import asyncpg
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    settings = {
        "application_name": "helicon-migrate",
        "lock_timeout": f"{RUNNER_TIMEOUT_S}s",
        "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
        "timezone": "UTC",
    }
    engine = create_async_engine(
        asyncpg_url(url),
        poolclass=NullPool,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "server_settings": settings},
    )
    try:
        try:
            connection = await engine.connect()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
            raise unreachable(url, getattr(error, "orig", None) or error) from error
        async with aclosing(connection):
            # Held by the session, over the transactions of all revisions, and given free with the connection.
            await connection.execute(text(f"SELECT pg_advisory_lock{_RUNNER_LOCK}"))
            await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'"))
            await connection.commit()
            return await connection.run_sync(_upgrade)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
        raise MigrationFailed(f"{described(url)}: {getattr(error, 'orig', None) or error}") from error
    finally:
        await engine.dispose()
        await asyncio.sleep(0)  # asyncpg closes a refused connection with the loop's next turn, and the loop ends here
