"""Databases that nobody may use before they were looked at.

A node that starts while its database is away has not seen which schema it has. Until it has, every transaction is
refused as if the database did not answer; whoever can wait for a database waits for this too.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from helicon_server.domain.errors import Unavailable
from helicon_server.storage.contract import (
    ConfigDatabase,
    ConfigRead,
    ConfigWrite,
    ControlDatabase,
    ControlRead,
    ControlWrite,
)


class _Read(ConfigRead, ControlRead, Protocol):
    """A reader of both groups of tables."""


class _Write(ConfigWrite, ControlWrite, Protocol):
    """A writer of both groups of tables."""


class WholeDatabase(Protocol):
    """Both groups of tables, as every database of an installation holds them."""

    @property
    def name(self) -> str: ...

    def read(self) -> AbstractAsyncContextManager[_Read]: ...

    def peek(self) -> AbstractAsyncContextManager[_Read]: ...

    def write(self) -> AbstractAsyncContextManager[_Write]: ...


class GatedDatabase:
    """A database that refuses every transaction with Unavailable until it is let in.

    ``reason`` is what the last look at it found, ``not_checked`` before the first.
    """

    def __init__(self, database: WholeDatabase) -> None:
        self._database = database
        self.open = False
        self.reason = "not_checked"

    @property
    def name(self) -> str:
        return self._database.name

    def read(self) -> AbstractAsyncContextManager[_Read]:
        self._require_open()
        return self._database.read()

    def peek(self) -> AbstractAsyncContextManager[_Read]:
        self._require_open()
        return self._database.peek()

    def write(self) -> AbstractAsyncContextManager[_Write]:
        self._require_open()
        return self._database.write()

    def let_in(self) -> None:
        """Opens it for good."""
        self.open = True

    def _require_open(self) -> None:
        if not self.open:
            message = "The database did not answer since this node started."
            raise Unavailable(message, details={"reason": self.reason})


if TYPE_CHECKING:

    def _keeps_the_contract(database: GatedDatabase) -> tuple[ControlDatabase, ConfigDatabase]:
        return database, database
