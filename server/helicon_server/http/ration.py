"""How much of large answers one turn of the event loop writes.

After the release of a large namespace a thousand clients ask for a megabyte each, and all of their requests are read
within one turn. Written at once they would keep everybody else waiting for a second. So the turn writes some, and the
rest waits in line for the next ones, each with a look at all connections between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from helicon_server.delivery.outcomes import Answer

LARGE: Final = 64 * 1024  # bytes of a body; smaller ones cost little more than their request
TURN_BYTES: Final = 2 * 1024 * 1024  # some milliseconds of copying into sockets


class Waiting(Protocol):
    """Whose answer waits in line."""

    def wake(self, answer: Answer) -> None:
        """Called once, when its turn has come."""


class Ration:
    """The line of one event loop. It is as long as the connections are many, and holds no copy of a body."""

    __slots__ = ("_left", "_line", "_turns")

    def __init__(self) -> None:
        self._left = 0
        self._line: deque[tuple[Waiting, Answer]] = deque()
        self._turns = False  # a next turn is arranged

    def takes(self, size: int, loop: asyncio.AbstractEventLoop) -> bool:
        """Tells whether a body of this size may be written now; if not, ``wait`` for the turn."""
        if not self._turns:
            self._turns = True
            self._left = TURN_BYTES
            loop.call_soon(self._turn, loop)
        if self._line or self._left <= 0:
            return False
        self._left -= size
        return True

    def wait(self, waiting: Waiting, answer: Answer) -> None:
        """Puts an answer to the end of the line, after ``takes`` said no."""
        self._line.append((waiting, answer))

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = TURN_BYTES
        while self._line and self._left > 0:
            waiting, answer = self._line.popleft()
            self._left -= len(answer.body)
            waiting.wake(answer)
        self._turns = bool(self._line)
        if self._turns:
            loop.call_soon(self._turn, loop)
