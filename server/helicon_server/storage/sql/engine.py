"""Opens a database and hands out transactions on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from helicon_server.storage.contract import ConfigDatabase, ControlDatabase

from .dialects import Dialect, Engines, dialect_of
from .nouns import SqlRead, SqlWrite
from .transactions import Transaction


class SqlDatabase:
    """Both groups of tables in one database: a ControlDatabase and a ConfigDatabase."""

    def __init__(self, name: str, engines: Engines, dialect: Dialect, on_messages: Callable[[], None]) -> None:
        self._name = name
        self._engines = engines
        self._dialect = dialect
        self._on_messages = on_messages

    @property
    def name(self) -> str:
        return self._name

    def read(self) -> AbstractAsyncContextManager[SqlRead]:
        return Transaction(self._engines.read, self._dialect, SqlRead, commits=False, on_messages=self._on_messages)

    def peek(self) -> AbstractAsyncContextManager[SqlRead]:
        return Transaction(self._engines.peek, self._dialect, SqlRead, commits=False, on_messages=self._on_messages)

    def write(self) -> AbstractAsyncContextManager[SqlWrite]:
        return Transaction(self._engines.write, self._dialect, SqlWrite, commits=True, on_messages=self._on_messages)

    async def close(self) -> None:
        """Gives back every connection; transactions in flight keep theirs until they end."""
        await self._engines.close()


def open_database(url: str, *, name: str, on_messages: Callable[[], None]) -> SqlDatabase:
    """Returns the database at ``url``; connects with the first transaction, not before.

    ``on_messages`` is called, in the event loop, after the commit of each transaction that appended messages.
    Raises ValueError, without the address, when the URL names no database that we can use. The schema must be
    current already: see ``helicon_migrations``.
    """
    dialect = dialect_of(url)
    return SqlDatabase(name, dialect.open(url), dialect, on_messages)


if TYPE_CHECKING:

    def _keeps_the_contract(database: SqlDatabase) -> tuple[ControlDatabase, ConfigDatabase]:
        return database, database
