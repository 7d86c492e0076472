"""The watch hub: slices, bounds, deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Park
from helicon_server.delivery.polls import Watched
from helicon_server.delivery.remembered import RememberedWatches
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, HeldPoll, World, body, configs, entries, poll

CROWD = 10_000
SLICE = 200


async def turns_until(condition: Callable[[], bool]) -> None:
    """Gives the event loop single turns, so that a test can act in the middle of a fan-out."""
    async with asyncio.timeout(10):  # the follower rests some milliseconds between two looks
        while not condition():  # noqa: ASYNC110 - a turn is what is waited for
            await asyncio.sleep(0)


async def test_fan_out__ten_thousand__gives_the_loop_its_turn_between_slices(world: World) -> None:
    """Architecture, section 8: a fan-out never freezes the loop. Counted in turns of the loop, not in time."""
    options = DeliveryOptions(sweep_s=60, slice_size=SLICE, warm_up=False, max_waiters_per_peer=CROWD)
    plane = world.plane(options)
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


async def test_fan_out__polls_for_many_names__lets_go_of_few_keys_in_a_turn(world: World) -> None:
    """Letting a poll for a thousand names go costs hundreds of times what one for a single name does."""
    names, polls = 1_000, 60
    plane = world.plane(DeliveryOptions(sweep_s=60, slice_size=SLICE, warm_up=False))
    await plane.start()
    parked = Client(plane).decide(poll("shop", "default", {f"n{number}": -1 for number in range(names)}))
    assert isinstance(parked, Park)
    answers: list[Answer] = []
    for _ in range(polls):
        plane.park(parked, answers.append)
    await world.publish("shop", "n7", {"a": "1"})
    turns_with: list[int] = []
    while len(answers) < polls:
        before = len(answers)
        await asyncio.sleep(0)
        turns_with.append(len(answers) - before)
    assert max(turns_with) * names <= SLICE * 50 + names
    assert {entry["namespaceName"] for each in answers for entry in entries(each)} == {"n7"}
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
    held = [client.hold(poll("shop", "default", {"application": -1})) for _ in range(1_500)]
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


class TestBounds:
    """Promise 9: everything bounded. What a poll costs is bytes."""

    def refusal(self, held: HeldPoll) -> tuple[int, object]:
        assert isinstance(held.waiter, Answer), "the poll was held"
        assert b"1" <= dict(held.waiter.headers)[b"retry-after"] <= b"5"
        return held.waiter.status, body(held.waiter)["code"]

    async def test_bytes__of_all_polls_together__are_bounded(self, world: World) -> None:
        """Polls of many names are many polls; whoever goes away makes room."""
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, max_waiters_bytes=200_000))
        await plane.start()
        park = Client(plane).decide(poll("shop", "default", {f"n{number}": -1 for number in range(75)}))
        assert isinstance(park, Park)
        assert 66_667 < sum(each.cost for each in park.watched) < 99_000

        first = HeldPoll(plane, replace(park, peer="192.0.2.1"))
        second = HeldPoll(plane, replace(park, peer="192.0.2.2"))
        third = HeldPoll(plane, replace(park, peer="192.0.2.3"))

        assert self.refusal(third) == (503, "too_many_polls")
        first.release()
        again = HeldPoll(plane, replace(park, peer="192.0.2.3"))
        assert not isinstance(again.waiter, Answer)
        for each in (second, again):
            each.release()
        assert (len(plane.hub), plane.hub.watched_keys) == (0, 0)
        await plane.stop()

    async def test_bytes__of_one_address__are_half_of_all_at_most(self, world: World) -> None:
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, max_waiters_bytes=200_000))
        await plane.start()
        client = Client(plane)
        park = client.decide(poll("shop", "default", {f"n{number}": -1 for number in range(60)}))
        assert isinstance(park, Park)
        assert 50_000 < sum(each.cost for each in park.watched) < 90_000

        first, second = HeldPoll(plane, park), HeldPoll(plane, park)

        assert not isinstance(first.waiter, Answer)
        assert self.refusal(second) == (429, "too_many_polls_of_address")
        small = client.hold(poll("shop", "default", {"small": -1}))
        first.release()
        assert not isinstance(HeldPoll(plane, park).waiter, Answer)
        assert small.answer is None
        await plane.stop()

    async def test_polls__of_one_address__are_bounded_and_others_served(self, world: World) -> None:
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, max_waiters_per_peer=2))
        await plane.start()
        park = Client(plane).decide(poll("shop", "default", {"application": -1}))
        assert isinstance(park, Park)
        assert park.peer == "127.0.0.1"

        held = [HeldPoll(plane, park) for _ in range(3)]
        other = HeldPoll(plane, replace(park, peer="192.0.2.1"))

        assert self.refusal(held[2]) == (429, "too_many_polls_of_address")
        assert not isinstance(other.waiter, Answer)
        await world.publish("shop", "application", {"a": "1"})
        await wait_until_async(lambda: other.answer, 5, "answer")
        await plane.stop()

    async def test_polls__of_one_client__are_bounded_and_its_neighbours_held(self, world: World) -> None:
        """Clients of one address are told apart as the limits of requests do; the first ones are counted for nobody."""
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, max_waiters_per_client=2))
        await plane.start()
        client = Client(plane)

        def asks(ip: str) -> HeldPoll:
            park = client.decide(poll("shop", "default", {"application": -1}, ip=ip))
            assert isinstance(park, Park)
            return HeldPoll(plane, park)

        first = [asks("10.1.1.1") for _ in range(2)]
        loop = [asks("10.1.1.1") for _ in range(3)]
        assert self.refusal(loop[2]) == (429, "too_many_polls_of_client")
        neighbour = asks("10.1.1.2")
        assert not isinstance(neighbour.waiter, Answer)
        loop[0].release()
        loop[2] = asks("10.1.1.1")
        for each in (*first, *loop[1:], neighbour):
            each.release()
        assert (len(plane.hub), plane.hub.taken_bytes, plane.hub._per_client) == (0, 0, {})
        await plane.stop()

    async def test_polls__of_clients_that_name_no_ip__share_ten_times_as_many(self, world: World) -> None:
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, max_waiters_per_client=2))
        await plane.start()
        park = Client(plane).decide(poll("shop", "default", {"application": -1}))
        assert isinstance(park, Park)
        held = [HeldPoll(plane, park) for _ in range(23)]
        assert not isinstance(held[21].waiter, Answer)
        assert self.refusal(held[22]) == (429, "too_many_polls_of_client")
        await plane.stop()

    async def test_name__that_nothing_is_stored_under__is_held_without_keys(self, world: World) -> None:
        """Its keys could never fire, and would take kilobytes each; only the time of the poll counts."""
        plane = world.plane(DeliveryOptions(sweep_s=60, hold_s=0.2, warm_up=False))
        await plane.start()
        client = Client(plane)
        strange = {"\U0001f600" * 120 + str(number): -1 for number in range(50)}
        held = client.hold(poll("shop", "\U0001f600" * 120, strange))
        longer = client.hold(poll("shop", "default", {"n" * 129: -1}))
        assert (len(plane.hub), plane.hub.watched_keys) == (2, 0)
        await wait_until_async(lambda: held.answer and longer.answer, 5, "end of the hold")
        client.hold(poll("shop", "\U0001f600" * 120, {"application": -1}, dataCenter="a b"))
        assert plane.hub.watched_keys == 1
        await plane.stop()

    async def test_watches__of_many_names__are_remembered_within_bytes(self, world: World) -> None:
        remembered = RememberedWatches(100_000)
        highest = 0
        for number in range(1_000):
            name = f"n{number}"
            remembered.keep((0, "shop", "default", "", name), Watched(name, (name,), (name,), ("shop", "", "", name)))
            highest = max(highest, remembered.taken)
        assert 90_000 < highest <= 100_000
        assert remembered.taken < highest
        assert remembered.find((0, "shop", "default", "", "n999")) is not None
        assert remembered.find((0, "shop", "default", "", "n0")) is None

    async def test_memory__is_looked_at_while_polls_come(self, world: World) -> None:
        """A burst within one second must not pass the limit before anybody looks."""
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False))
        await plane.start()
        park = Client(plane).decide(poll("shop", "default", {f"n{number}": -1 for number in range(1_000)}))
        assert isinstance(park, Park)
        looks: list[int] = []
        plane.hub.look = lambda: looks.append(plane.hub.taken_bytes)
        for _ in range(40):
            HeldPoll(plane, park)
        assert len(looks) >= 5
        assert max(b - a for a, b in pairwise(looks)) < 8 * 1024 * 1024
        await plane.stop()

    async def test_shares__after_every_way_to_go__are_given_back(self, world: World) -> None:
        """Released twice, told, or at the end of the hold: the address may hold as many polls as before."""
        plane = world.plane(DeliveryOptions(sweep_s=60, hold_s=0.2, warm_up=False, max_waiters_per_peer=1))
        await plane.start()
        client = Client(plane)
        target = poll("shop", "default", {"other": -1, "more": -1})
        held = client.hold(target)
        held.release()
        held.release()
        held = client.hold(target)
        await wait_until_async(lambda: held.answer, 5, "end of the hold")
        held = client.hold(target)
        await world.publish("shop", "other", {"a": "1"})
        await wait_until_async(lambda: held.answer, 5, "answer")

        last = client.hold(poll("shop", "default", {"third": -1}))

        assert not isinstance(last.waiter, Answer)
        await plane.stop()

    async def test_remembered_paths__of_many_spellings__are_bounded_in_bytes(
        self, world: World, client: Client
    ) -> None:
        """A path that nobody stored is answered from the default cluster, under thousands of bytes of escapes."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        highest = 0
        for number in range(6_000):
            cluster = "\U0001f600" * 120 + str(number)
            assert (await client.get(configs("shop", cluster, "application"))).status == 200
            highest = max(highest, client.plane.remembered_bytes)
        assert highest <= 16 * 1024 * 1024
        assert client.plane.remembered_bytes < highest
