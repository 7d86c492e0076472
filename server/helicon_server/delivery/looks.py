"""When a follower looks at its table: on a timer, when it is told to, never too often; and who waits for it."""

from __future__ import annotations

import asyncio
from typing import Final

_HINT_GAP_S: Final = 0.005  # under hundreds of publishes a second one look tells of several
NUDGE_GAP_S: Final = 0.02
"""Seconds from look to look when clients ask for them: they can, but not for more than fifty a second."""


class Looks:
    """Numbers the looks of one follower. All calls belong to one event loop."""

    def __init__(self) -> None:
        self.good = 0  # the newest one that came to a good end
        self._due = asyncio.Event()
        self._hinted = False
        self._begun = 0
        self._begun_at = 0.0  # loop time of the newest one
        self._over = asyncio.Event()

    @property
    def coming(self) -> int:
        """The number of the look that begins next: what is in the table now, it finds."""
        return self._begun + 1

    def hint(self) -> None:
        """Says that there may be news: look at once."""
        self._hinted = True
        self._due.set()

    def nudge(self) -> None:
        """Says that a client knows of news: look soon."""
        self._due.set()

    def begin(self) -> None:
        """To be called before each look."""
        self._due.clear()
        self._hinted = False
        self._begun += 1
        self._begun_at = asyncio.get_running_loop().time()

    def succeed(self) -> None:
        """To be called before ``end`` when the look has read everything."""
        self.good = self._begun

    def end(self) -> None:
        """To be called behind each look: lets go whoever waits for one."""
        over, self._over = self._over, asyncio.Event()
        over.set()

    async def ended(self) -> None:
        """Returns when the next one ends, well or not."""
        await self._over.wait()

    async def pause(self, longest_s: float) -> None:
        """Returns when another look is due: after ``longest_s``, or sooner if somebody says so meanwhile."""
        try:
            async with asyncio.timeout(longest_s):
                await self._due.wait()
        except TimeoutError:
            return
        since = asyncio.get_running_loop().time() - self._begun_at
        gap = _HINT_GAP_S if self._hinted else NUDGE_GAP_S
        if since < gap:
            await asyncio.sleep(gap - since)
