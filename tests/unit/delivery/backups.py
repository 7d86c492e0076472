"""Copies of a world's database, and what a held poll is told after one was put back."""

from __future__ import annotations

from helicon_server.storage.memory import MemoryDatabase
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import HeldPoll, World, entries


class Backup:
    """The state of a world's database at one moment."""

    def __init__(self, world: World) -> None:
        database = world.database._database
        assert isinstance(database, MemoryDatabase)
        self._database = database
        self._state = database._committed.copy()

    def restore(self) -> None:
        self._database._committed = self._state.copy()


async def told(held: HeldPoll) -> int:
    await wait_until_async(lambda: held.answer, 5, "answer")
    assert held.answer is not None
    assert held.answer.status == 200
    known = entries(held.answer)[0]["notificationId"]
    assert isinstance(known, int)
    return known
