"""The little that the rest of ``storage.sql`` asks of a dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, Executable
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Engines:
    """A pool to read from and one to write to; the same one where the database does the queueing.

    ``peek`` is the pool to read from without a transaction, where that costs less.
    """

    read: AsyncEngine
    peek: AsyncEngine
    write: AsyncEngine

    async def close(self) -> None:
        await self.read.dispose()
        if self.write.sync_engine.pool is not self.read.sync_engine.pool:
            await self.write.dispose()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a driver error means. Exactly one of the fields says it; neither does for a defect of ours."""

    constraint: str | None = None  # the name of the unique constraint or index that a row ran into
    reason: str | None = None  # one word for why the database cannot serve at all: "refused", "disk_full", ...


class Dialect(Protocol):
    def open(self, url: str) -> Engines:
        """Makes the pools; nothing connects yet."""
        ...

    def trouble(self, error: BaseException) -> Trouble:
        """Classifies one error of the driver, without a look at its text where there is a code."""
        ...

    @property
    def before_messages(self) -> Sequence[Executable]:
        """Statements that make every other transaction wait that wants to append messages."""
        ...

    @property
    def raise_messages(self) -> Sequence[Executable]:
        """Statements that put the sequence of message ids to ``id`` unless it is beyond already."""
        ...

    @property
    def notice(self) -> Sequence[ColumnElement[object]]:
        """What the INSERT of messages returns beside its columns, so that the notice goes out with the commit."""
        ...
