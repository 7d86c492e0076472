"""A database that is set back while every node is down: what the snapshots know keeps ids growing (fault C7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.delivery.restore import ROOM
from helicon_server.delivery.snapshot.file import SnapshotFile
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.model import Environment, MessageKind
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigDatabase, ConfigWrite
from tests.support.wait import wait_until_async
from tests.unit.delivery.backups import Backup, told
from tests.unit.delivery.world import NOW, Client, FlakyDatabase, ManualBus, World, body, configs, entries, poll

OPTIONS = DeliveryOptions(sweep_s=0.05, warm_up=False, catch_up_s=0.2)
READ = configs("shop", "default", "application")


class Machine:
    """A disk, and nodes that start on it one after the other."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        self.path = path

    @asynccontextmanager
    async def node(self, database: ConfigDatabase | None = None) -> AsyncIterator[Client]:
        """A node that has started, and stops in order: its snapshot is current then."""
        plane = DeliveryPlane(
            [(database or self.world.database, ManualBus())],
            "DEV",
            OPTIONS,
            snapshots={"main": SnapshotFile(self.path, "memory/helicon")},
        )
        await plane.start()
        try:
            yield Client(plane)
        finally:
            await plane.stop()

    async def run_once(self) -> None:
        """A node that takes over what there is, and stops."""
        async with self.node() as client:
            await client.seen(self.world)


@pytest.fixture
def machine(world: World, tmp_path: Path) -> Machine:
    return Machine(world, tmp_path / "main.db")


@pytest.fixture
def another_machine(world: World, tmp_path: Path) -> Machine:
    return Machine(world, tmp_path / "another.db")


async def id_of(client: Client, namespace: str, known: int) -> int:
    """The id that a client is told at its first poll which holds ``known``."""
    answer = await client.get(poll("shop", "default", {namespace: known}))
    assert answer.status == 200
    found = entries(answer)[0]["notificationId"]
    assert isinstance(found, int)
    return found


async def test_set_back_while_down__first_poll__is_told_the_old_content_under_a_greater_id(machine: Machine) -> None:
    await machine.world.publish("shop", "kept", {"k": "1"})
    kept = await machine.world.newest_message()
    await machine.world.publish("shop", "application", {"a": "old"})
    backup = Backup(machine.world)
    await machine.world.publish("shop", "application", {"a": "lost"})
    await machine.world.publish("shop", "late", {"l": "1"})
    known = await machine.world.newest_message()
    await machine.run_once()
    backup.restore()

    with capture_logs() as lines:
        async with machine.node() as client:
            assert await id_of(client, "application", known) > known + ROOM
            assert body(await client.get(READ))["configurations"] == {"a": "old"}
            assert await id_of(client, "late", known) > known + ROOM
            assert (await client.get(configs("shop", "default", "late"))).status == 404
            held = client.hold(poll("shop", "default", {"kept": kept}))  # nothing of it changed
            assert held.answer is None
            (health,) = client.plane.health().databases
            assert (health.snapshot, health.away_since) == (None, None)
    assert [line["event"] for line in lines].count("delivery.database_restored") == 1

    newest = await machine.world.newest_message()
    await machine.run_once()
    assert await machine.world.newest_message() == newest, "its new snapshot knows the restored database"


async def test_set_back_while_down__more_published_than_was_lost__is_noticed(machine: Machine) -> None:
    """By a node that kept no snapshot: its ids were given before."""
    await machine.world.publish("shop", "application", {"a": "old"})
    backup = Backup(machine.world)
    await machine.world.publish("shop", "application", {"a": "lost"})
    known = await machine.world.newest_message()
    await machine.run_once()
    backup.restore()
    for value in range(4):
        await machine.world.publish("shop", "other", {"o": str(value)})
    assert await machine.world.newest_message() > known

    async with machine.node() as client:
        assert await id_of(client, "application", known) > known + ROOM
        assert body(await client.get(configs("shop", "default", "other")))["configurations"] == {"o": "3"}


async def test_set_back_while_down__snapshot_older_than_what_was_told__ids_end_above_all(machine: Machine) -> None:
    """It is saved behind: a node that is killed has told of a little more."""
    await machine.world.publish("shop", "application", {"a": "old"})
    backup = Backup(machine.world)
    await machine.world.publish("shop", "application", {"a": "saved"})
    await machine.run_once()
    for value in range(20):
        await machine.world.publish("shop", "application", {"a": str(value)})
    known = await machine.world.newest_message()
    backup.restore()

    async with machine.node() as client:
        assert await id_of(client, "application", known) > known
        assert body(await client.get(READ))["configurations"] == {"a": "old"}
        held = client.hold(poll("shop", "default", {"other": known}))
        await machine.world.publish("shop", "other", {"o": "1"})
        assert await told(held) > known


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["older snapshot first", "newer snapshot first"])
async def test_set_back_while_down__nodes_with_different_snapshots__end_above_what_any_told(
    machine: Machine, another_machine: Machine, order: tuple[int, int]
) -> None:
    """Each lifts what it told and no more; together that is all."""
    await machine.world.publish("shop", "application", {"a": "old"})
    await machine.world.publish("shop", "other", {"o": "old"})
    backup = Backup(machine.world)
    await machine.world.publish("shop", "application", {"a": "lost"})
    await machine.run_once()
    await machine.world.publish("shop", "other", {"o": "lost"})
    known = await machine.world.newest_message()
    await another_machine.run_once()
    backup.restore()

    first, second = [(machine, another_machine)[each] for each in order]
    async with first.node() as one, second.node() as two:
        for client in (one, two):
            await client.seen(machine.world)
            for namespace in ("application", "other"):
                assert await id_of(client, namespace, known) > known
        newest = await machine.world.newest_message()
        assert await id_of(one, "other", known) == await id_of(two, "other", known) <= newest
        async with machine.world.database.read() as tx:
            messages = await tx.messages.after(known, limit=100)
    assert sorted(message.namespace for message in messages) == ["application", "other"], "each once"


async def test_not_set_back__start_with_an_old_snapshot__lifts_nothing(machine: Machine) -> None:
    await machine.world.publish("shop", "application", {"a": "1"})
    await machine.run_once()
    await machine.world.publish("shop", "application", {"a": "2"})
    newest = await machine.world.newest_message()

    async with machine.node() as client:
        assert body(await client.get(READ))["configurations"] == {"a": "2"}
        assert await id_of(client, "application", newest - 1) == newest
    assert await machine.world.newest_message() == newest


async def test_another_database__on_the_disk_of_the_first__is_not_lifted(machine: Machine) -> None:
    """An installation that was made anew in the same folder: its ids are its own."""
    for value in range(5):
        await machine.world.publish("shop", "application", {"a": str(value)})
    await machine.run_once()
    made_anew = World()
    async with made_anew.database.write() as tx:
        await tx.environments.insert(Environment("DEV", 0, NOW + timedelta(days=1)))
        await tx.messages.append(MessageKind.ENVIRONMENT, [NamespaceRef("DEV", "", "", "")])
    await made_anew.publish("shop", "application", {"a": "new"})
    newest = await made_anew.newest_message()

    async with machine.node(made_anew.database) as client:
        assert body(await client.get(READ))["configurations"] == {"a": "new"}
        assert await id_of(client, "application", 0) == newest
    assert await made_anew.newest_message() == newest


async def test_empty_database__on_the_disk_of_a_full_one__is_not_lifted(machine: Machine) -> None:
    await machine.world.publish("shop", "application", {"a": "1"})
    await machine.run_once()
    empty = World()
    async with machine.node(empty.database):
        pass
    assert await empty.newest_message() == 0


async def test_set_back_while_down__database_takes_no_writes__the_old_is_served_when_it_does(machine: Machine) -> None:
    """Nothing is served under an id that goes backwards: until the new ones are stored the node serves its snapshot."""
    await machine.world.publish("shop", "application", {"a": "old"})
    backup = Backup(machine.world)
    await machine.world.publish("shop", "application", {"a": "lost"})
    known = await machine.world.newest_message()
    await machine.run_once()
    backup.restore()
    standby = Standby(machine.world.database)

    async with machine.node(standby) as client:
        assert body(await client.get(READ))["configurations"] == {"a": "lost"}
        (health,) = client.plane.health().databases
        assert health.reason == "read_only"
        assert health.snapshot is not None
        assert health.away_since == health.snapshot.confirmed_at
        held = client.hold(poll("shop", "default", {"application": known}))
        standby.read_only = False
        assert await told(held) > known
        assert body(await client.get(READ))["configurations"] == {"a": "old"}
        await wait_until_async(lambda: not client.plane.health().databases[0].away_since, 5, "recovery")


class Standby(FlakyDatabase):
    """A database that takes no writes while ``read_only``."""

    read_only = True

    @asynccontextmanager
    async def write(self) -> AsyncIterator[ConfigWrite]:
        if self.read_only:
            raise Unavailable("The database takes no writes.", details={"reason": "read_only"})
        async with super().write() as tx:
            yield tx


async def test_start__snapshot_that_cannot_be_read__is_as_without_one(machine: Machine) -> None:
    await machine.world.publish("shop", "application", {"a": "1"})
    machine.path.write_text("no snapshot")
    with capture_logs() as lines:
        async with machine.node() as client:
            assert (await client.get(READ)).status == 200
    assert [line["reason"] for line in lines if line["event"] == "delivery.snapshot_ignored"] == ["unreadable"]


async def test_first_start__says_nothing_of_the_snapshot_that_is_not_there(machine: Machine) -> None:
    with capture_logs() as lines:
        await machine.run_once()
    assert [line for line in lines if line["event"] == "delivery.snapshot_ignored"] == []
