"""SQLite through aiosqlite: one file, one writer, readers that never wait for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, PrimaryKeyConstraint, UniqueConstraint, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from helicon_server.storage.sql.tables import metadata

from .contract import Engines, Trouble

READERS = 4
BUSY_TIMEOUT_S = 5.0  # how long a writer waits for the writer of another process
QUEUE_TIMEOUT_S = 10.0  # how long a transaction waits for a connection of this process

_ON_CONNECT = (
    "PRAGMA journal_mode = WAL",
    # FULL, not NORMAL: in WAL mode only FULL syncs at each commit, and an acknowledged publish survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Hands the disk space of a burst back; the default keeps the log at its largest size for ever.
    "PRAGMA journal_size_limit = 67108864",
)

_REASONS = {
    sqlite3.SQLITE_BUSY: "database_locked",
    sqlite3.SQLITE_LOCKED: "database_locked",
    sqlite3.SQLITE_PROTOCOL: "database_locked",
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_IOERR: "disk_io",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_CANTOPEN: "cannot_open",
    sqlite3.SQLITE_PERM: "cannot_open",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_NOMEM: "out_of_memory",
    sqlite3.SQLITE_INTERRUPT: "interrupted",
}
# aiosqlite says this, without a code, when its connection was closed under a caller.
_CLOSED = ("no active connection", "connection closed", "cannot operate on a closed database")


class SqliteDialect:
    """Two pools on one file: a writer that callers queue for, and readers that cannot write."""

    before_messages: Sequence[Executable] = ()  # there is one writer, so messages are in commit order already
    # The table has its row in ``sqlite_sequence`` from its first message on.
    raise_messages: Sequence[Executable] = (
        text("UPDATE sqlite_sequence SET seq = max(seq, :id) WHERE name = 'messages'"),
        text(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'messages', :id"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'messages')"
        ),
    )
    notice: Sequence[ColumnElement[object]] = ()  # other processes watch the file (``bus.sqlite``)

    def open(self, url: str) -> Engines:
        if make_url(url).database in (None, "", ":memory:"):
            raise ValueError("an SQLite URL must name a file: every connection would see a database of its own")
        read = _engine(url, size=READERS, begin="BEGIN", on_connect=(*_ON_CONNECT, "PRAGMA query_only = ON"))
        return Engines(
            read=read,
            peek=read,
            write=_engine(url, size=1, begin="BEGIN IMMEDIATE", on_connect=_ON_CONNECT),
        )

    def trouble(self, error: BaseException) -> Trouble:
        if not isinstance(error, sqlite3.Error):
            return Trouble(reason="closed") if str(error).lower().startswith(_CLOSED) else Trouble()
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # raised by Python's wrapper, not by the library
            return Trouble(reason="closed") if str(error).lower().startswith(_CLOSED) else Trouble()
        if code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
            return Trouble(constraint=_constraint_of(str(error)))
        return Trouble(reason=_REASONS.get(code & 0xFF))


def _engine(url: str, *, size: int, begin: str, on_connect: Sequence[str]) -> AsyncEngine:
    engine = create_async_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S},
        pool_size=size,
        max_overflow=0,
        pool_timeout=QUEUE_TIMEOUT_S,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        # Python's driver would begin transactions by itself, late, and never around DDL. We say BEGIN.
        connection.isolation_level = None
        cursor = connection.cursor()
        for statement in on_connect:
            cursor.execute(statement)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def say_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _columns_to_constraint() -> dict[str, str]:
    """SQLite names the columns of the constraint, PostgreSQL the constraint: from the one to the other."""
    names: dict[str, str] = {}
    for table in metadata.tables.values():
        constraints = [c for c in table.constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint)]
        indexes = [index for index in table.indexes if index.unique]
        for unique in (*constraints, *indexes):
            columns = ", ".join(f"{table.name}.{column.name}" for column in unique.columns)
            names[columns] = str(unique.name)
    return names


_CONSTRAINTS = _columns_to_constraint()


def _constraint_of(message: str) -> str:
    return _CONSTRAINTS.get(message.rpartition(": ")[2], "unknown")
