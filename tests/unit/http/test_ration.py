"""The line of large answers."""

from __future__ import annotations

import asyncio

from helicon_server.delivery.outcomes import Answer
from helicon_server.http.ration import TURN_BYTES, Ration
from tests.support.wait import wait_until_async

MEGABYTE = Answer(200, (), b"x" * 1024 * 1024)


class Turns:
    """Says in which turn of the loop each answer was written."""

    def __init__(self) -> None:
        self.now = 0
        self.written: list[tuple[str, int]] = []

    async def count(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.now += 1


class Asker:
    def __init__(self, name: str, turns: Turns) -> None:
        self._name = name
        self._turns = turns

    def wake(self, answer: Answer) -> None:
        self._turns.written.append((self._name, self._turns.now))


async def test_large_answers__many_in_one_turn__wait_for_the_next_ones_in_their_order() -> None:
    turns, ration = Turns(), Ration()
    counting = asyncio.create_task(turns.count())
    askers = [Asker(f"asker {number:02}", turns) for number in range(20)]
    for asker in askers:
        if ration.takes(len(MEGABYTE.body), asyncio.get_running_loop()):
            asker.wake(MEGABYTE)
        else:
            ration.wait(asker, MEGABYTE)
    await wait_until_async(lambda: len(turns.written) == len(askers), 10, "answers of all")
    counting.cancel()
    assert [name for name, _ in turns.written] == [f"asker {number:02}" for number in range(20)]
    a_turn = TURN_BYTES // len(MEGABYTE.body)
    later = [turn for _, turn in turns.written[2 * a_turn :]]  # the first two may fall into one turn of the counter
    assert [later.count(turn) for turn in sorted(set(later))] == [a_turn] * 8


async def test_large_answer__alone__waits_for_nobody() -> None:
    ration, loop = Ration(), asyncio.get_running_loop()
    for _ in range(3):
        assert ration.takes(TURN_BYTES * 2, loop)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_large_answer__behind_a_line__does_not_overtake_it() -> None:
    turns, ration, loop = Turns(), Ration(), asyncio.get_running_loop()
    assert ration.takes(TURN_BYTES, loop)
    assert not ration.takes(1, loop)
    ration.wait(Asker("first", turns), MEGABYTE)
    assert not ration.takes(1, loop)
