"""What the suite asks of an implementation: both groups of tables behind one pair of methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from helicon_server.storage.contract import ConfigRead, ConfigWrite, ControlRead, ControlWrite


class Read(ControlRead, ConfigRead, Protocol):
    """Both read halves."""


class Write(ControlWrite, ConfigWrite, Protocol):
    """Both write halves."""


class Database(Protocol):
    @property
    def name(self) -> str: ...
    def read(self) -> AbstractAsyncContextManager[Read]: ...
    def write(self) -> AbstractAsyncContextManager[Write]: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class Opened:
    """A database under test and the hints that it gave."""

    database: Database
    hints: list[int] = field(default_factory=list)

    def on_messages(self) -> None:
        self.hints.append(1)


async def outcome(work: Callable[[], Awaitable[object]]) -> BaseException | None:
    """Runs ``work`` and returns what it raised, for tests that compare several."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - handed to the test, which looks at it
        return error
    return None
