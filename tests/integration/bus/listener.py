"""Somebody who counts hints."""

from __future__ import annotations

from tests.support.wait import wait_until_async

DEADLINE_S = 20.0


class Listener:
    def __init__(self) -> None:
        self.hints = 0

    def __call__(self) -> None:
        self.hints += 1

    async def beyond(self, seen: int, what: str) -> None:
        """Waits for a hint after those ``seen`` before something happened; it may have come already."""
        await wait_until_async(lambda: self.hints > seen, DEADLINE_S, f"hint of {what}")

    async def first(self) -> None:
        """Waits until a hint has come."""
        await self.beyond(0, "the start")
