"""The follower: lost hints, outages, catching up (architecture, promises 2 to 4 and 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from helicon_server.delivery.follower import pause_after
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Park
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigRead
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, FlakyDatabase, World, body, configs, entries, poll

SWEEPING = DeliveryOptions(sweep_s=0.05, warm_up=False)


async def test_hint__lost__costs_delay_and_not_the_release(world: World) -> None:
    """Promise 4: the notice is a hint, the table is the truth; also fault A4."""
    plane = world.plane(SWEEPING)
    await plane.start()
    client = Client(plane)
    held = client.hold(poll("shop", "default", {"application": -1}))
    world.bus.muted = True

    await world.publish("shop", "application", {"a": "1"})
    await wait_until_async(lambda: held.answer, 5, "answer by the sweep")

    assert (await client.get(configs("shop", "default", "application"))).status == 200
    await plane.stop()


async def test_hint__while_a_look_is_under_way__is_not_swallowed(world: World) -> None:
    """A release that commits behind the look's back must get a look of its own."""
    gate = asyncio.Event()
    looking = asyncio.Event()
    database = world.database

    class Slow(FlakyDatabase):
        @asynccontextmanager
        async def read(self) -> AsyncIterator[ConfigRead]:
            async with database.read() as tx:
                yield tx
                looking.set()
                await gate.wait()

    gate.set()
    plane = DeliveryPlane([(Slow(database), world.bus)], "DEV", DeliveryOptions(sweep_s=60, warm_up=False))
    await plane.start()
    gate.clear()
    looking.clear()
    world.bus.hint()
    await looking.wait()

    await world.publish("shop", "application", {"a": "1"})
    gate.set()

    client = Client(plane)
    await client.seen(world)
    assert (await client.get(configs("shop", "default", "application"))).status == 200
    await plane.stop()


class TestDatabaseAway:
    async def test_reads_and_polls__go_on_and_recover_by_themselves(self, world: World) -> None:
        """Promise 7 and fault C1; health says both that the node is ready and that the database is away."""
        plane = world.plane(SWEEPING)
        await plane.start()
        client = Client(plane)
        await world.publish("shop", "application", {"a": "1"})
        known = await world.newest_message()
        await client.seen(world)
        held = client.hold(poll("shop", "default", {"application": known}))

        world.database.away = True
        await wait_until_async(lambda: plane.health().databases[0].away_since, 5, "outage in the health")
        assert plane.ready
        assert body(await client.get(configs("shop", "default", "application")))["configurations"] == {"a": "1"}
        assert (await client.get(poll("shop", "default", {"application": -1}))).status == 200
        assert held.answer is None
        await world.publish("shop", "application", {"a": "2"})  # through another node, which has its database

        world.database.away = False
        await wait_until_async(lambda: held.answer, 10, "answer after the outage")
        assert body(await client.get(configs("shop", "default", "application")))["configurations"] == {"a": "2"}
        assert plane.health().databases[0].away_since is None
        await plane.stop()

    async def test_outage__is_logged_once_at_each_end(self, world: World) -> None:
        """Logs are for acting: not one line for each try."""
        with capture_logs() as lines:
            plane = world.plane(SWEEPING)
            await plane.start()
            world.database.away = True
            await wait_until_async(lambda: plane.health().databases[0].away_since, 5, "outage")
            tries = world.database.reads
            await wait_until_async(lambda: world.database.reads >= tries + 3, 10, "three more tries")
            world.database.away = False
            await wait_until_async(lambda: not plane.health().databases[0].away_since, 10, "recovery")
            await plane.stop()

        events = [line["event"] for line in lines]
        assert events.count("delivery.database_lost") == 1
        assert events.count("delivery.database_back") == 1

    async def test_start__database_away__raises_and_loads_later(self, world: World) -> None:
        """The lead of the process decides; the plane goes on trying, and is not ready until then."""
        await world.publish("shop", "application", {"a": "1"})
        world.database.away = True
        plane = world.plane(SWEEPING)

        with pytest.raises(Unavailable):
            await plane.start()
        assert not plane.ready
        assert plane.health().code == "not_loaded"

        world.database.away = False
        await wait_until_async(lambda: plane.ready, 10, "load")
        assert (await Client(plane).get(configs("shop", "default", "application"))).status == 200
        await plane.stop()
        assert world.bus.stopped

    async def test_fault_of_our_own__does_not_end_following(self, world: World) -> None:
        """A follower that dies would freeze every client for ever."""
        broken = True

        class Broken(FlakyDatabase):
            @asynccontextmanager
            async def read(self) -> AsyncIterator[ConfigRead]:
                if broken and self.reads:
                    raise ZeroDivisionError
                async with super().read() as tx:
                    yield tx

        database = Broken(world.database)
        plane = DeliveryPlane([(database, world.bus)], "DEV", SWEEPING)
        await plane.start()
        await wait_until_async(lambda: plane.health().databases[0].reason == "internal_error", 5, "fault")

        broken = False
        await world.publish("shop", "application", {"a": "1"})

        await Client(plane).seen(world)
        await plane.stop()

    def test_pause__after_failures__grows_to_a_ceiling_with_full_jitter(self) -> None:
        """Promise 10."""
        assert all(0 <= pause_after(failures) <= 5 for failures in range(200))
        assert max(pause_after(1) for _ in range(200)) <= 0.4
        assert max(pause_after(50) for _ in range(200)) > 2
        assert min(pause_after(50) for _ in range(200)) < 1


async def test_backlog__of_many_messages__is_taken_over_in_batches(world: World) -> None:
    """More messages than one look reads; several of them about the same namespace."""
    plane = world.plane()
    await plane.start()
    world.bus.muted = True
    refs = [NamespaceRef("DEV", "shop", "default", f"n{number}") for number in range(300)]
    for value in ("1", "2", "3"):
        await world.publish_together({ref: {"a": value} for ref in refs})
    world.bus.muted = False
    client = Client(plane)
    held = client.hold(poll("shop", "default", {"n299": -1}))

    world.bus.hint()
    await client.seen(world)

    assert body(await client.get(configs("shop", "default", "n0")))["configurations"] == {"a": "3"}
    await wait_until_async(lambda: held.answer, 5, "answer")
    assert held.answer is not None
    assert entries(held.answer)[0]["notificationId"] == await world.newest_message()
    await plane.stop()


async def test_start__with_content__serves_all_of_it(world: World) -> None:
    """The first load: definitions, heads and newest ids of everything that is there."""
    await world.define("platform", "redis", public=True)
    await world.publish("platform", "redis", {"a": "1"})
    await world.publish("shop", "application", {"b": "1"}, cluster="hz", environment="PRO")
    newest = await world.newest_message()
    plane = world.plane()
    await plane.start()
    client = Client(plane)

    assert (await client.get(configs("shop", "default", "REDIS"))).status == 200
    assert (await client.get("/envs/PRO" + configs("shop", "hz", "application"))).status == 200
    told = entries(await client.get("/envs/PRO" + poll("shop", "hz", {"application": -1})))
    assert told[0]["notificationId"] == newest
    await plane.stop()


async def test_warm_up__behind_the_start__makes_reads_survive_the_database(world: World) -> None:
    """Promise 7: also what nobody had asked for before the outage."""
    for number in range(20):
        await world.publish("shop", f"n{number}", {"a": str(number)})
    plane = world.plane(DeliveryOptions(sweep_s=60))
    await plane.start()
    client = Client(plane)
    await wait_until_async(lambda: plane.store.used_bytes > 20 * 600, 5, "twenty contents in memory")
    world.database.away = True

    for number in range(20):
        assert (await client.get(configs("shop", "default", f"n{number}"))).status == 200
    await plane.stop()


class TestSeveralDatabases:
    async def test_environments__of_two_databases__are_served_by_one_plane(self) -> None:
        """Contracts: an environment may have a database of its own; it wins over the main one's row of that name."""
        main, own = World("main"), World("PRO")
        await main.environments("DEV", "PRO")
        await own.environments("PRO")
        await main.publish("shop", "application", {"in": "main"})
        await main.publish("shop", "application", {"in": "stale"}, environment="PRO")
        await own.publish("shop", "application", {"in": "own"}, environment="PRO")
        options = DeliveryOptions(sweep_s=60, warm_up=False)
        plane = DeliveryPlane([(main.database, main.bus), (own.database, own.bus)], "DEV", options)
        await plane.start()
        client = Client(plane)
        path = configs("shop", "default", "application")

        assert body(await client.get(path))["configurations"] == {"in": "main"}
        assert body(await client.get(f"/envs/PRO{path}"))["configurations"] == {"in": "own"}

        held = client.hold("/envs/PRO" + poll("shop", "default", {"application": await own.newest_message()}))
        await main.publish("shop", "application", {"in": "stale again"}, environment="PRO")
        await own.publish("shop", "application", {"in": "own again"}, environment="PRO")
        await wait_until_async(lambda: held.answer, 5, "answer")
        assert body(await client.get(f"/envs/PRO{path}"))["configurations"] == {"in": "own again"}
        await plane.stop()

    async def test_one_database__not_loaded__its_environments_are_503_and_the_others_served(self) -> None:
        main, own = World("main"), World("PRO")
        await main.environments("DEV")
        await own.environments("PRO")
        await main.publish("shop", "application", {"a": "1"})
        own.database.away = True
        options = DeliveryOptions(sweep_s=60, warm_up=False)
        plane = DeliveryPlane([(main.database, main.bus), (own.database, own.bus)], "DEV", options)
        with pytest.raises(Unavailable):
            await plane.start()
        client = Client(plane)
        path = configs("shop", "default", "application")

        assert (await client.get(path)).status == 200
        assert (await client.get(f"/envs/PRO{path}")).status == 503
        assert not plane.ready
        await plane.stop()


async def test_catch_up__by_many_at_once__is_few_looks(world: World, client: Client) -> None:
    """Clients can ask for a look at the table, but cannot hammer the database with it."""
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    before = world.database.reads
    asked = configs("shop", "default", "application", messages='{"details":{"shop+default+application":999999999999}}')

    answers = await asyncio.gather(*(client.get(asked) for _ in range(200)))

    assert {answer.status for answer in answers} == {200}
    assert world.database.reads - before <= 5


async def test_catch_up__by_one_client_again_and_again__leaves_a_pause_between_looks(
    world: World, client: Client
) -> None:
    """The same by one client in a tight loop; the pause is a lower bound and so no matter of luck."""
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    before = world.database.reads
    asked = configs("shop", "default", "application", messages='{"details":{"shop+default+application":999999999999}}')

    for _ in range(10):
        await client.get(asked)

    looks = world.database.read_at[before:]
    assert len(looks) >= 10
    assert min(later - earlier for earlier, later in pairwise(looks)) > 0.015


async def test_messages__of_one_namespace_over_two_batches__wake_once(world: World) -> None:
    """The first batch finds the newest release already; a client must not be told of it a second time."""

    class Remote(FlakyDatabase):
        @asynccontextmanager
        async def read(self) -> AsyncIterator[ConfigRead]:
            for _ in range(20):  # turns of the loop in which woken clients come back
                await asyncio.sleep(0)
            async with super().read() as tx:
                yield tx

    plane = DeliveryPlane([(Remote(world.database), world.bus)], "DEV", DeliveryOptions(sweep_s=60, warm_up=False))
    await plane.start()
    client = Client(plane)
    world.bus.muted = True
    for number in range(600):
        await world.publish("shop", "application", {"a": str(number)})
    told: list[object] = []

    def poll_again(answer: Answer) -> None:
        if answer.status != 200:
            return  # the plane stops
        known = entries(answer)[0]["notificationId"]
        told.append(known)
        assert isinstance(known, int)
        parked = client.decide(poll("shop", "default", {"application": known}))
        assert isinstance(parked, Park)
        plane.park(parked, poll_again)

    parked = client.decide(poll("shop", "default", {"application": -1}))
    assert isinstance(parked, Park)
    plane.park(parked, poll_again)
    world.bus.muted = False
    world.bus.hint()
    await client.seen(world)
    await asyncio.sleep(0.05)

    assert told == [await world.newest_message()]
    await plane.stop()
