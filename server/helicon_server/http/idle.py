"""Closes connections that nobody has used for long, with one timer for all of them instead of one for each request."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final, Protocol

_LOOKS_PER_IDLE_TIME: Final = 16  # a connection is closed at most a 16th too late


class MayBeIdle(Protocol):
    """A connection that can tell whether it is in use."""

    def close_if_idle(self, now: float) -> None:
        """Closes the connection when it is idle too long at this time of the event loop."""


class IdleSweep:
    """Looks at all connections of a server again and again while there are any."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running = False

    def run(self, loop: asyncio.AbstractEventLoop, connections: Collection[Any], idle_s: float) -> None:
        """Begins, unless it runs already."""
        if not self._running:
            self._running = True
            self._wait(loop, connections, idle_s)

    def _wait(self, loop: asyncio.AbstractEventLoop, connections: Collection[Any], idle_s: float) -> None:
        loop.call_later(idle_s / _LOOKS_PER_IDLE_TIME, self._look, loop, connections, idle_s)

    def _look(self, loop: asyncio.AbstractEventLoop, connections: Collection[MayBeIdle], idle_s: float) -> None:
        now = loop.time()
        for connection in tuple(connections):
            connection.close_if_idle(now)
        if connections:
            self._wait(loop, connections, idle_s)
        else:
            self._running = False
