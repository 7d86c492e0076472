"""Handing hints to whoever listens, several that come together as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Hints:
    """Calls the listener from the event loop, soon, once for all hints that came meanwhile."""

    __slots__ = ("_loop", "_on_hint", "_pending")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_hint: Callable[[], None] | None = None
        self._pending = False

    def open(self, on_hint: Callable[[], None]) -> None:
        """Begins to deliver, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._on_hint = on_hint

    def give(self) -> None:
        """Asks for a call; before ``open`` and after ``close`` nothing happens, for there is nobody to tell."""
        if self._on_hint is None or self._pending or self._loop is None or self._loop.is_closed():
            return
        self._pending = True
        # Not called here: a listener that fails must not fail the transaction that hints.
        self._loop.call_soon(self._deliver)

    def close(self) -> None:
        """Delivers nothing more, not even what was asked for already."""
        self._on_hint = None

    def _deliver(self) -> None:
        self._pending = False
        if self._on_hint is not None:
            self._on_hint()
