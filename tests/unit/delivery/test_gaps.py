"""A process that did not run for a while: what it has in memory is no news until the messages were looked at."""

from __future__ import annotations

import asyncio

import pytest

from helicon_server.delivery.gaps import GAP_S, Gaps
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Defer, Load, Park, Resumed
from helicon_server.delivery.plane import DeliveryPlane
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, body, configs, entries, poll

READ = configs("shop", "default", "application")
LONG = GAP_S + 0.5


class Hands:
    """The clocks that gaps are found by, and the looks that they cause; each look waits for ``ends``."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ran = 7.0
        self.looks = 0
        self.ends = asyncio.Event()
        self.gaps = Gaps(self._look, clock=lambda: self.now, ran=lambda: self.ran)

    async def _look(self) -> None:
        self.looks += 1
        ends = self.ends
        await ends.wait()

    def asks(self) -> bool:
        """Whether a request of this moment has to wait; asks as the gate does."""
        return self.gaps.clock() > self.gaps.fresh_until and self.gaps.open()

    async def end(self) -> None:
        """Ends the look that runs."""
        ends, self.ends = self.ends, asyncio.Event()
        ends.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
def hands() -> Hands:
    return Hands()


class TestFound:
    async def test_clock__that_does_not_tick__finds_nothing(self, hands: Hands) -> None:
        hands.now += 1000
        assert not hands.asks()
        hands.gaps.start()
        hands.gaps.stop()
        hands.now += 1000
        assert not hands.asks()

    @pytest.mark.parametrize("first", ["request", "tick"])
    async def test_gap__is_open_until_one_look_has_ended(self, hands: Hands, first: str) -> None:
        """Whichever comes first behind it: a request that queued up, or the tick that is late."""
        hands.gaps.start()
        hands.now += LONG
        if first == "tick":
            hands.gaps.tick()
        assert hands.asks()
        hands.gaps.tick()
        hands.now += 0.1
        assert hands.asks()
        waiting = asyncio.create_task(hands.gaps.over())
        await wait_until_async(lambda: hands.looks == 1, 10, "look")
        assert not waiting.done()
        await hands.end()
        await waiting
        assert not hands.asks()
        assert (hands.looks, hands.gaps.found) == (1, 1)

    async def test_gap__behind_another_one__is_found_as_well(self, hands: Hands) -> None:
        hands.gaps.start()
        for count in (1, 2):
            hands.now += LONG
            assert hands.asks()
            await wait_until_async(lambda count=count: hands.looks == count, 10, "look")  # type: ignore[misc]  # a lambda's default has no type
            await hands.end()
            assert not hands.asks()

    async def test_gap__while_it_looks__makes_it_look_again(self, hands: Hands) -> None:
        """The first look may have read before the second gap."""
        hands.gaps.start()
        hands.now += LONG
        assert hands.asks()
        await wait_until_async(lambda: hands.looks == 1, 10, "look")
        hands.now += LONG
        hands.gaps.tick()
        await hands.end()
        assert hands.asks()
        await wait_until_async(lambda: hands.looks == 2, 10, "second look")
        await hands.end()
        assert not hands.asks()

    async def test_loop__that_was_busy__is_no_gap(self, hands: Hands) -> None:
        """It ran: its requests must not take a longer way because there are many of them."""
        hands.gaps.start()
        hands.now += LONG
        hands.ran += LONG - 0.1
        assert not hands.asks()
        assert hands.gaps.fresh_until > hands.now
        hands.gaps.tick()
        hands.now += GAP_S / 2
        assert not hands.asks()

    async def test_process__that_was_busy_and_then_stopped__is_found(self, hands: Hands) -> None:
        hands.gaps.start()
        hands.now += LONG
        hands.ran += LONG
        assert not hands.asks()
        hands.now += LONG
        assert hands.asks()
        hands.gaps.stop()

    async def test_stop__lets_go_whoever_waits(self, hands: Hands) -> None:
        hands.gaps.start()
        hands.now += LONG
        waiting = asyncio.create_task(hands.gaps.over())
        await wait_until_async(lambda: hands.looks == 1, 10, "look")
        hands.gaps.stop()
        await asyncio.wait_for(waiting, 10)
        assert not hands.asks()


def sleep(plane: DeliveryPlane) -> None:
    """Makes this moment the first one behind a gap."""
    plane._gaps._seen_at -= LONG
    plane._gaps.fresh_until -= LONG


async def behind(plane: DeliveryPlane, world: World) -> tuple[Client, str, int]:
    """A client, the release key and the id that it holds, of a plane that has not heard of a newer release."""
    client = Client(plane)
    await world.publish("shop", "application", {"a": "old"})
    await client.seen(world)
    key = str(body(await client.get(READ))["releaseKey"])
    known = await world.newest_message()
    world.bus.muted = True
    await world.publish("shop", "application", {"a": "new"})
    return client, key, known


class TestPlane:
    async def test_read__behind_a_gap__is_the_newest(self, plane: DeliveryPlane, world: World) -> None:
        client, _, _ = await behind(plane, world)
        assert body(await client.get(READ))["configurations"] == {"a": "old"}
        sleep(plane)
        assert body(await client.get(READ))["configurations"] == {"a": "new"}
        assert isinstance(client.decide(READ), Answer)

    async def test_held_key__behind_a_gap__is_no_304(self, plane: DeliveryPlane, world: World) -> None:
        client, key, _ = await behind(plane, world)
        assert (await client.get(f"{READ}?releaseKey={key}")).status == 304
        sleep(plane)
        assert (await client.get(f"{READ}?releaseKey={key}")).status == 200

    async def test_file__behind_a_gap__is_the_newest(self, plane: DeliveryPlane, world: World) -> None:
        client, _, _ = await behind(plane, world)
        sleep(plane)
        assert b"new" in (await client.get("/envs/DEV/configfiles/shop/default/application")).body

    async def test_poll__behind_a_gap__is_told(self, plane: DeliveryPlane, world: World) -> None:
        client, _, known = await behind(plane, world)
        target = poll("shop", "default", {"application": known})
        assert isinstance(client.decide(target), Park)
        sleep(plane)
        told = entries(await client.get(target))
        assert told[0]["notificationId"] == await world.newest_message()

    async def test_poll__with_no_news_behind_a_gap__is_held(self, plane: DeliveryPlane, world: World) -> None:
        client = Client(plane)
        await world.publish("shop", "application", {"a": "old"})
        await client.seen(world)
        sleep(plane)
        outcome = client.decide(poll("shop", "default", {"application": await world.newest_message()}))
        assert isinstance(outcome, Defer)
        assert isinstance(await plane.resolve(outcome), Park)

    async def test_newer_message__behind_a_gap_without_a_database__is_still_refused(
        self, plane: DeliveryPlane, world: World
    ) -> None:
        """The wait for the look is not the wait for the message: nobody knows yet whether that exists."""
        client, _, known = await behind(plane, world)
        world.database.away = True
        sleep(plane)
        messages = f'{{"details":{{"shop+default+application":{known + 1}}}}}'
        answer = await client.get(configs("shop", "default", "application", messages=messages))
        assert (answer.status, answer.code) == (503, "behind")

    async def test_read__behind_a_gap_without_a_database__is_answered_from_memory(self, world: World) -> None:
        """Availability goes first; the outage is told in health."""
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, catch_up_s=0.05))
        await plane.start()
        client, _, _ = await behind(plane, world)
        world.database.away = True
        sleep(plane)
        assert body(await client.get(READ))["configurations"] == {"a": "old"}
        assert plane.health().databases[0].away_since is not None
        assert isinstance(client.decide(READ), Answer)
        await plane.stop()

    async def test_database__that_fails_once_behind_a_gap__is_looked_at_again(self, world: World) -> None:
        """Its connections did not survive the gap; that is no outage yet."""
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, catch_up_s=30))
        await plane.start()
        client, _, _ = await behind(plane, world)
        world.database.away = True
        sleep(plane)
        asked = asyncio.create_task(client.get(READ))
        await wait_until_async(lambda: plane.health().databases[0].away_since is not None, 10, "failed look")
        world.database.away = False
        assert body(await asked)["configurations"] == {"a": "new"}
        await plane.stop()

    async def test_gap__while_a_read_waits_for_content__is_found_as_well(self, world: World) -> None:
        plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, content_budget_bytes=1))
        await plane.start()
        client, _, _ = await behind(plane, world)
        outcome = client.decide(READ)
        assert isinstance(outcome, Defer)
        assert isinstance(outcome.work, Load)
        sleep(plane)
        answer = await plane.resolve(outcome)
        assert isinstance(answer, Answer)
        assert body(answer)["configurations"] == {"a": "new"}
        await plane.stop()

    async def test_health__behind_a_gap__does_not_wait_for_a_look(self, plane: DeliveryPlane) -> None:
        sleep(plane)
        outcome = Client(plane).decide("/health/ready")
        assert isinstance(outcome, Defer)
        assert not isinstance(outcome.work, Resumed)
