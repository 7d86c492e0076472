"""The watch hub: slices, bounds, deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Park
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, entries, poll

CROWD = 10_000
SLICE = 200


async def turns_until(condition: Callable[[], bool]) -> None:
    """Gives the event loop single turns, so that a test can act in the middle of a fan-out."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("a thousand turns were not enough")


async def test_fan_out__ten_thousand__gives_the_loop_its_turn_between_slices(world: World) -> None:
    """Architecture, section 8: a fan-out never freezes the loop. Counted in turns of the loop, not in time."""
    plane = world.plane(DeliveryOptions(sweep_s=60, slice_size=SLICE, warm_up=False))
    await plane.start()
    client = Client(plane)
    answers: list[Answer] = []
    turns_with: list[int] = []
    parked = client.decide(poll("shop", "default", {"application": -1}))
    assert isinstance(parked, Park)
    for _ in range(CROWD):
        plane.park(parked, answers.append)

    await world.publish("shop", "application", {"a": "1"})
    while len(answers) < CROWD:
        before = len(answers)
        await asyncio.sleep(0)
        turns_with.append(len(answers) - before)

    assert max(turns_with) <= SLICE
    assert plane.hub.slices >= CROWD // SLICE
    assert len(plane.hub) == 0
    assert plane.hub.watched_keys == 0
    await plane.stop()


async def test_fan_out__equal_polls__share_encoded_bytes(world: World, client: Client) -> None:
    answers: list[Answer] = []
    parked = client.decide(poll("shop", "default", {"application": -1}))
    assert isinstance(parked, Park)
    for _ in range(100):
        client.plane.park(parked, answers.append)

    await world.publish("shop", "application", {"a": "1"})
    await wait_until_async(lambda: len(answers) == 100, 5, "hundred answers")

    assert len({id(answer) for answer in answers}) == 1


async def test_fan_out__abandoned_in_the_middle__is_not_answered(world: World) -> None:
    """A client that goes away between the news and its slice."""
    plane = world.plane(DeliveryOptions(sweep_s=60, slice_size=1, warm_up=False))
    await plane.start()
    client = Client(plane)
    held = [client.hold(poll("shop", "default", {"application": -1})) for _ in range(20)]

    await world.publish("shop", "application", {"a": "1"})
    await turns_until(lambda: any(each.answer for each in held))
    left = [each for each in held if each.answer is None]
    for each in left:
        each.release()
    for _ in range(50):
        await asyncio.sleep(0)

    assert left
    assert all(each.answer is None for each in left)
    assert len(plane.hub) == 0
    await plane.stop()


async def test_fan_out__in_the_middle_a_second_release__is_told_once_with_its_id(world: World) -> None:
    """Section 7.2: later slices tell the newest id, so that no client comes back for an id it was not told."""
    plane = world.plane(DeliveryOptions(sweep_s=60, slice_size=1, warm_up=False))
    await plane.start()
    client = Client(plane)
    held = [client.hold(poll("shop", "default", {"application": -1})) for _ in range(300)]
    await world.publish("shop", "application", {"a": "1"})
    first = await world.newest_message()
    await turns_until(lambda: any(each.answer for each in held))
    await world.publish("shop", "application", {"a": "2"})
    await wait_until_async(lambda: all(each.answer for each in held), 5, "every answer")

    newest = await world.newest_message()
    told = {entries(each.answer)[0]["notificationId"] for each in held if each.answer}
    assert told == {first, newest}
    assert len(plane.hub) == 0
    await plane.stop()


async def test_wake__that_raises__does_not_keep_the_others_waiting(world: World, client: Client) -> None:
    answers: list[Answer] = []

    def broken(_: Answer) -> None:
        raise RuntimeError("broken connection")

    parked = client.decide(poll("shop", "default", {"application": -1}))
    assert isinstance(parked, Park)
    for wake in (broken, answers.append, broken, answers.append):
        client.plane.park(parked, wake)

    await world.publish("shop", "application", {"a": "1"})
    await wait_until_async(lambda: len(answers) == 2, 5, "answers of the unbroken ones")

    assert len(client.plane.hub) == 0


async def test_deadline__of_many__passes_in_slices(world: World) -> None:
    plane = world.plane(DeliveryOptions(hold_s=0.05, sweep_s=60, slice_size=10, warm_up=False))
    await plane.start()
    client = Client(plane)
    held = [client.hold(poll("shop", "default", {"application": -1})) for _ in range(100)]

    await wait_until_async(lambda: all(each.answer for each in held), 5, "end of every hold")

    assert {each.answer.status for each in held if each.answer} == {304}
    assert plane.hub.slices >= 10
    assert len(plane.hub) == 0
    await plane.stop()


async def test_hundreds_of_namespaces__of_one_poll__are_one_registration_each(world: World, client: Client) -> None:
    """Section 7.1 and fault D4: one poll may name hundreds of namespaces; it leaves none of them behind."""
    held = client.hold(poll("shop", "default", {f"n{number}": -1 for number in range(700)}))
    assert client.plane.hub.watched_keys == 700

    await world.publish("shop", "n555", {"a": "1"})
    await wait_until_async(lambda: held.answer, 5, "answer")

    assert client.plane.hub.watched_keys == 0
