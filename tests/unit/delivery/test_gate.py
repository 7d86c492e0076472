"""The gate in front of the decision: limits, caps, and the count of everything that was asked."""

from __future__ import annotations

from collections import Counter

import pytest

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Defer, Park
from tests.unit.delivery.world import Client, World, body, configs, header, poll

READ = configs("shop", "default", "application")
SECONDS = (b"1", b"2", b"3", b"4", b"5")


async def started(world: World, **options: int) -> Client:
    """A client of a plane with one release and these options."""
    plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, **options))
    await plane.start()
    await world.publish("shop", "application", {"a": "1"})
    client = Client(plane)
    await client.seen(world)
    return client


def refusal(outcome: object, status: int) -> str:
    """The code of a refusal that says when to come back."""
    assert isinstance(outcome, Answer)
    assert outcome.status == status
    assert header(outcome, b"retry-after") in SECONDS
    assert outcome.code == body(outcome)["code"]
    return outcome.code


class TestRate:
    async def test_client__that_asks_too_often__is_429_until_the_second_is_over(self, world: World) -> None:
        client = await started(world, requests_per_client=5)
        asked = [client.decide(READ + "?ip=10.1.1.1") for _ in range(40)]
        assert refusal(asked[-1], 429) == "too_many_requests"
        client.plane._limits.next_window()
        asked = [client.decide(READ + "?ip=10.1.1.1") for _ in range(6)]
        assert refusal(asked[5], 429) == "too_many_requests"
        assert (await client.get(READ + "?ip=10.1.1.2")).status == 200
        await client.plane.stop()

    async def test_refused_clients__are_told_different_times_to_come_back(self, world: World) -> None:
        """All of one second would come back in one second."""
        client = await started(world, requests_per_client=5)
        asked = [client.decide(READ + "?ip=10.1.1.1") for _ in range(210)][-200:]
        told = Counter(header(each, b"retry-after") for each in asked if isinstance(each, Answer))
        assert set(told) == set(SECONDS)
        assert max(told.values()) <= 80
        await client.plane.stop()

    async def test_health__is_never_refused(self, world: World) -> None:
        """It may be asked through the proxy that all clients share."""
        client = await started(world, requests_per_address=5)
        assert refusal([client.decide(READ) for _ in range(10)][-1], 429) == "too_many_requests"
        assert isinstance(client.decide("/health/ready"), Defer)
        assert isinstance(client.decide("/envs/DEV/health"), Answer | Defer)
        await client.plane.stop()


class TestPollsOfAnApp:
    async def test_app__with_as_many_polls_as_it_may__is_429_and_others_are_held(self, world: World) -> None:
        """The app is the same in every case of its letters."""
        client = await started(world, max_waiters_per_app=3)
        held = [client.hold(poll("billing", "default", {"orders": -1})) for _ in range(3)]
        parked = client.decide(poll("BILLING", "default", {"other": -1}))
        assert isinstance(parked, Park)
        assert refusal(client.plane.park(parked, lambda _: None), 429) == "too_many_polls_of_app"
        client.hold(poll("stock", "default", {"orders": -1})).release()
        held.pop().release()
        client.hold(poll("Billing", "default", {"orders": -1})).release()
        for each in held:
            each.release()
        assert not client.plane.hub._per_app
        await client.plane.stop()


class TestMemory:
    async def test_memory__short__new_polls_are_503_and_reads_and_held_polls_go_on(self, world: World) -> None:
        """Fault A8: it sheds before it dies; whoever leaves makes room."""
        client = await started(world)
        held = [client.hold(poll("billing", "default", {"orders": -1})) for _ in range(10)]
        client.plane.hub.ceiling = 9
        parked = client.decide(poll("billing", "default", {"orders": -1}))
        assert isinstance(parked, Park)
        assert refusal(client.plane.park(parked, lambda _: None), 503) == "memory_short"
        assert (await client.get(READ)).status == 200
        for _ in range(2):
            held.pop().release()
        assert not isinstance(client.plane.park(parked, lambda _: None), Answer)
        await client.plane.stop()


class TestCounts:
    async def test_requests__are_counted_by_surface_and_class(self, world: World) -> None:
        client = await started(world)
        key = body(await client.get(READ))["releaseKey"]
        for target in (READ, READ, f"{READ}?releaseKey={key}", configs("shop", "default", "none")):
            await client.get(target)
        await client.get("/configfiles/shop/default/application")
        await client.get("/envs/DEV" + READ)
        await client.get("/configs/%00/x/y")
        counted = {(surface, status): count for surface, status, count in client.plane.answered() if count}
        assert counted[("configs", "2xx")] == 4
        assert counted[("configs", "304")] == 1
        assert counted[("configfiles", "2xx")] == 1
        assert sum(count for (_, status), count in counted.items() if status == "4xx") == 2
        assert client.plane.traffic.refused["not_released"] == 1
        await client.plane.stop()

    async def test_reads__are_counted_by_the_way_that_served_them(self, world: World) -> None:
        """Whatever they are answered, each counts once; what is not served counts nowhere."""
        client = await started(world)
        await client.get(READ)
        before = client.plane.reads()
        key = body(await client.get(READ))["releaseKey"]
        await client.get(f"{READ}?releaseKey={key}")
        await client.get(configs("shop", "default", "none"))
        assert client.plane.reads() == before | {"short": before["short"] + 2}
        await client.get("/configfiles/shop/default/application")
        assert client.plane.reads() == before | {"short": before["short"] + 2, "long": before["long"] + 1}

        client.plane.store.resize(0)
        client.plane.store.resize(1_000_000)
        assert (await client.get(READ)).status == 200
        assert client.plane.reads() == {
            "short": before["short"] + 2,
            "long": before["long"] + 1,
            "waited": before["waited"] + 1,
        }
        await client.plane.stop()

    @pytest.mark.parametrize(
        ("end", "reason"),
        [("publish", "woken"), ("release", "abandoned"), ("drain", "stopped")],
    )
    async def test_poll__is_counted_by_how_it_ended(self, world: World, end: str, reason: str) -> None:
        client = await started(world)
        plane = client.plane
        held = client.hold(poll("billing", "default", {"orders": -1}))
        assert plane.hub.polls.parked == 1
        if end == "publish":
            await world.publish("billing", "orders", {"a": "1"})
            await client.seen(world)
        elif end == "release":
            held.release()
        else:
            plane.begin_drain()
        await plane.hub.empty()
        counts = plane.hub.polls.finished()
        assert counts == dict.fromkeys(counts, 0) | {reason: 1}
        assert plane.hub.polls.parked == 1
        assert len(plane.hub.read_to_sent) == len(plane.hub.committed_to_sent) == (reason == "woken")
        await plane.stop()

    async def test_polls__woken_together__are_each_in_the_histogram(self, world: World) -> None:
        """Two releases at once and more polls than a slice holds."""
        client = await started(world, slice_size=7)
        for number in range(40):
            client.hold(poll("billing", "default", {f"orders-{number % 2}": -1}))
        await world.publish("billing", "orders-0", {"a": "1"})
        await world.publish("billing", "orders-1", {"a": "1"})
        await client.seen(world)
        await client.plane.hub.empty()
        assert client.plane.hub.polls.woken == len(client.plane.hub.read_to_sent) == 40
        await client.plane.stop()
