"""Gaps: times in which this process did not run at all, and behind which what it has in memory may be old.

A process that was stopped, or whose machine was, finds requests that queued up meanwhile, and would answer them before
it has heard of anything that was published. Behind a gap every read and every poll waits for one look at the messages
that began behind it, for a bounded time (docs/faults.md, A3).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog

from helicon_server.delivery.follower import Follower

GAP_S: Final = 1.0  # a shorter one is an ordinary delay: notices take as long

_NEVER: Final = float("inf")
_ANY_MESSAGE: Final = sys.maxsize  # beyond every id: only a look can tell that there is none such
_log = structlog.get_logger("helicon.delivery")


async def look_at_all(followers: Iterable[Follower], timeout_s: float) -> None:
    """Looks at the messages of every database, at those that are away as well, and takes ``timeout_s`` at most."""
    looks = []
    for follower in followers:
        follower.hint()  # what was away before may be back, and was not asked for as long
        looks.append(follower.catch_up(_ANY_MESSAGE, timeout_s))
    await asyncio.gather(*looks)


class Gaps:
    """Finds gaps by the ticks of the pulse that did not come, and looks at the messages once behind each.

    ``clock`` tells monotonic seconds and ``ran`` the seconds of processor time of this process: a loop that is only
    busy needs no look, and the longer way of its requests would keep it busy.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        ran: Callable[[], float] = time.process_time,
    ) -> None:
        """``look`` returns when everything was looked at that can be, within a bounded time."""
        self.clock = clock
        self.fresh_until = _NEVER  # until this time of the clock nobody has to ask ``open``; without ticks for ever
        self.found = 0
        self._look = look
        self._ran = ran
        self._seen_at = 0.0  # by the clock: this process ran then
        self._seen_ran = 0.0
        self._ticking = False
        self._owed = False  # a gap was found, and no look has begun since
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins with the first tick."""
        self._ticking = True
        self._see(self.clock())
        self._reckon(0.0)

    def stop(self) -> None:
        """Finds no more gaps. Whoever waits is let go."""
        self._ticking = False
        self.fresh_until = _NEVER
        if self._looking is not None:
            self._looking.cancel()

    def tick(self) -> None:
        """Says that this process runs; to be called several times a second."""
        now = self.clock()
        self._search(now)
        self._see(now)
        self._reckon(0.0)

    def open(self) -> bool:
        """Tells whether a look is owed before anything is answered; to be asked once ``fresh_until`` has passed."""
        if self._ticking:
            self._search(self.clock())
        return self._looking is not None

    async def over(self) -> None:
        """Returns when no look is owed for the gap that is open now. Raises nothing."""
        if self.open() and self._looking is not None:
            await asyncio.wait({self._looking})

    def _search(self, now: float) -> None:
        busy = self._ran() - self._seen_ran
        slept = now - self._seen_at - busy
        if slept <= GAP_S:
            self._reckon(busy)
            return
        self.found += 1
        _log.warning("delivery.gap_found", slept_s=round(slept, 3))
        self._see(now)
        self._owed = True
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_again(), name="helicon-gap")
        self._reckon(0.0)

    def _see(self, now: float) -> None:
        self._seen_at = now
        self._seen_ran = self._ran()

    def _reckon(self, busy: float) -> None:
        if self._ticking:
            self.fresh_until = -_NEVER if self._looking is not None else self._seen_at + busy + GAP_S

    async def _look_again(self) -> None:
        try:
            while self._owed:  # it can sleep while it looks
                self._owed = False
                await self._look()
        finally:
            self._looking = None
            self._reckon(0.0)
