"""What the suite asks of an implementation: both groups of tables behind one pair of methods."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from helicon_server.storage.contract import ConfigRead, ConfigWrite, ControlRead, ControlWrite


class Read(ControlRead, ConfigRead, Protocol):
    """Both read halves."""


class Write(ControlWrite, ConfigWrite, Protocol):
    """Both write halves."""


class Database(Protocol):
    @property
    def name(self) -> str: ...
    def read(self) -> AbstractAsyncContextManager[Read]: ...

    def peek(self) -> AbstractAsyncContextManager[Read]: ...
    def write(self) -> AbstractAsyncContextManager[Write]: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class Opened:
    """A database under test and the hints that it gave."""

    database: Database
    hints: list[int] = field(default_factory=list)

    def on_messages(self) -> None:
        self.hints.append(1)


async def run_sql(url: str, statement: str) -> None:
    """Runs one statement past the storage, as another program or an operator would."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def outcome(work: Awaitable[object]) -> BaseException | None:
    """Runs ``work`` and returns what it raised, for tests that compare several."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - handed to the test, which looks at it
        return error
    return None
