"""A database that is set back: what is noticed, and what is told (architecture, promise 1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.errors import Unavailable
from helicon_server.storage.contract import ConfigWrite
from tests.support.wait import wait_until_async
from tests.unit.delivery.backups import Backup, told
from tests.unit.delivery.world import Client, FlakyDatabase, ManualBus, World, body, configs, poll

READ = configs("shop", "default", "application")


async def test_set_back__and_more_published_than_was_lost__is_noticed(world: World, client: Client) -> None:
    """The newest id is greater than ever; that it is another history, only the message that was read last tells."""
    await world.publish("shop", "application", {"a": "1"})
    backup = Backup(world)
    await world.publish("shop", "application", {"a": "2"})
    known = await world.newest_message()
    await client.seen(world)
    held = client.hold(poll("shop", "default", {"application": known}))

    world.bus.muted = True
    backup.restore()
    for value in range(5):
        await world.publish("shop", "other", {"o": str(value)})
    assert await world.newest_message() > known
    world.bus.muted = False
    world.bus.hint()

    assert await told(held) > known
    assert body(await client.get(READ))["configurations"] == {"a": "1"}
    assert body(await client.get(configs("shop", "default", "other")))["configurations"] == {"o": "4"}


async def test_set_back__published_anew_under_a_public_one__is_told_to_whoever_knows_greater_ids(
    world: World, client: Client
) -> None:
    """The client compares the newest of both its watch keys."""
    await world.define("platform", "redis", public=True)
    backup = Backup(world)
    await world.publish("shop", "application", {"a": "1"})
    await world.publish("platform", "redis", {"p": "1"})
    known = await world.newest_message()
    await client.seen(world)
    held = client.hold(poll("shop", "default", {"redis": known}))

    world.bus.muted = True
    backup.restore()
    await world.publish("shop", "redis", {"own": "1"})
    world.bus.muted = False
    world.bus.hint()

    assert await told(held) > known
    answer = await client.get(configs("shop", "default", "redis"))
    assert body(answer)["configurations"] == {"own": "1"}


async def test_set_back__environment_that_is_gone__is_404_and_its_polls_end(world: World, client: Client) -> None:
    backup = Backup(world)
    await world.environments_more("UAT")
    await world.publish("shop", "application", {"a": "1"}, environment="UAT")
    await client.seen(world)
    asked = "/envs/UAT" + READ
    assert (await client.get(asked)).status == 200
    held = client.hold("/envs/UAT" + poll("shop", "default", {"application": await world.newest_message()}))

    backup.restore()
    world.bus.hint()

    await wait_until_async(lambda: held.answer, 5, "end of the poll")
    assert held.answer is not None
    assert held.answer.status == 304
    assert (await client.get(asked)).status == 404


async def test_set_back__database_that_takes_no_writes__is_logged_once_and_served_when_it_does(world: World) -> None:
    """Nothing is served under an id that goes backwards: until the new ones are stored the node keeps what it has."""
    read_only = True

    class Standby(FlakyDatabase):
        @asynccontextmanager
        async def write(self) -> AsyncIterator[ConfigWrite]:
            if read_only:
                raise Unavailable("The database takes no writes.", details={"reason": "read_only"})
            async with super().write() as tx:
                yield tx

    await world.publish("shop", "application", {"a": "1"})
    backup = Backup(world)
    await world.publish("shop", "application", {"a": "2"})
    known = await world.newest_message()
    plane = DeliveryPlane([(Standby(world.database), world.bus)], "DEV")
    await plane.start()
    client = Client(plane)
    await client.get(READ)
    held = client.hold(poll("shop", "default", {"application": known}))
    with capture_logs() as lines:
        backup.restore()
        for _ in range(3):
            failed = plane._followers[0]._failures
            world.bus.hint()
            await wait_until_async(lambda: plane._followers[0]._failures > failed, 5, "failed round")  # noqa: B023 - awaited here
        assert body(await client.get(READ))["configurations"] == {"a": "2"}
        assert plane.health().databases[0].reason == "read_only"
        assert held.answer is None

        read_only = False
        world.bus.hint()
        assert await told(held) > known
        assert body(await client.get(READ))["configurations"] == {"a": "1"}
    await plane.stop()
    assert [line["event"] for line in lines].count("delivery.database_restored") == 1


@pytest.mark.parametrize("ahead", [1, 1000, 10**9])
async def test_word_of_a_client__that_names_an_unknown_id__changes_nothing(
    world: World, client: Client, ahead: int
) -> None:
    """Anybody can name an id, and a client that comes from another server does so in good faith: nobody is woken, no
    message is made, and the poll is held (section 7.2)."""
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    newest = await world.newest_message()
    held = await client.hold_after_a_look(poll("shop", "default", {"application": newest + ahead}))
    await client.get(configs("shop", "default", "application", messages=_naming(newest + ahead)))
    assert held.answer is None
    assert await world.newest_message() == newest

    await world.publish("shop", "application", {"a": "2"})
    assert await told(held) == await world.newest_message()


@pytest.fixture
def muted() -> ManualBus:
    """A bus that says nothing."""
    bus = ManualBus()
    bus.muted = True
    return bus


async def test_two_nodes__one_after_the_other__lift_once(world: World, client: Client, muted: ManualBus) -> None:
    """The second node finds what the first one stored, and adds nothing."""
    await world.publish("shop", "application", {"a": "1"})
    backup = Backup(world)
    await world.publish("shop", "application", {"a": "2"})
    await client.seen(world)
    plane = DeliveryPlane([(world.database, muted)], "DEV", client.plane.options)
    await plane.start()
    other = Client(plane)
    known = await world.newest_message()
    held = client.hold(poll("shop", "default", {"application": known}))
    held_too = other.hold(poll("shop", "default", {"application": known}))
    backup.restore()
    world.bus.hint()
    again = await told(held)

    muted.muted = False
    muted.hint()

    assert await told(held_too) == again
    assert await world.newest_message() == again
    await plane.stop()


def _naming(message_id: int) -> str:
    return f'{{"details":{{"shop+default+application":{message_id}}}}}'
