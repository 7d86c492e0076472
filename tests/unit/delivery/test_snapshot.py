"""A plane that starts while its database is away (architecture, promise 7; faults C1 and C6)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.delivery.restore import State, read_state
from helicon_server.delivery.snapshot import keeper
from helicon_server.delivery.snapshot.book import Wanted
from helicon_server.delivery.snapshot.encoding import decode
from helicon_server.delivery.snapshot.file import SnapshotFile
from helicon_server.domain.access_key import AccessKey, AccessKeyMode
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.gray import GrayBranch, GrayRule
from helicon_server.domain.model import Environment, MessageKind, Release
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.release import content_sha256
from helicon_server.storage.contract import ConfigRead
from helicon_server.storage.memory import MemoryDatabase
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import NOW, Client, FlakyDatabase, World, body, configs, poll

OPTIONS = DeliveryOptions(sweep_s=0.05, warm_up=False, catch_up_s=0.2)
SMALL = replace(OPTIONS, content_budget_bytes=10_000)
READ = configs("shop", "default", "application")


def in_order(state: State) -> State:
    """A state that can be compared."""
    return replace(
        state,
        definitions={
            environment: {app.casefold(): list(owned) for app, owned in sorted(of.items())}
            for environment, of in state.definitions.items()
        },
        live=sorted(state.live, key=lambda each: each.release_id),
        branches=sorted(state.branches, key=lambda each: each.id),
        access_keys=sorted(state.access_keys, key=lambda each: each.id),
    )


async def database_state(world: World) -> State:
    """What the database holds."""
    async with world.database.read() as tx:
        state = in_order(await read_state(tx))
    return replace(state, definitions={name: state.definitions.get(name, {}) for name in state.environments})


@dataclass
class Machine:
    """A node's disk, and planes that start on it one after the other."""

    world: World
    path: Path
    options: DeliveryOptions = field(default=OPTIONS)

    def plane(self, database: str = "memory/helicon") -> DeliveryPlane:
        return DeliveryPlane(
            [(self.world.database, self.world.bus)],
            "DEV",
            self.options,
            open_secret=lambda key: key.sealed,
            snapshots={"main": SnapshotFile(self.path, database)},
        )

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Client]:
        plane = self.plane()
        try:
            await plane.start()
            yield Client(plane)
        finally:
            await plane.stop()

    def saved(self) -> dict[str, bytes]:
        """The contents in the file."""
        if not self.path.exists():
            return {}
        with closing(sqlite3.connect(self.path)) as connection:
            try:
                return dict(connection.execute("SELECT release_key, body FROM contents").fetchall())
            except sqlite3.OperationalError:  # it is being made
                return {}

    def names(self, statement: str) -> list[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            return [name for (name,) in connection.execute(statement)]

    def bodies(self) -> list[bytes]:
        """The parts in the file."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [body for (body,) in connection.execute("SELECT body FROM parts")]

    async def state(self) -> State:
        """What is in the file, as a node reads it that starts."""
        file = SnapshotFile(self.path, "memory/helicon")
        saved = file.load()
        file.close()
        return in_order(decode(saved.head, saved.parts))

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(statement)


@pytest.fixture
def machine(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(keeper, "_SHORTEST_PAUSE_S", 0.01)
    monkeypatch.setattr(keeper, "_SHARE", 0.0)
    return Machine(world, tmp_path / "main.db")


async def test_start__database_away__serves_the_same_bytes(machine: Machine) -> None:
    """Promise 7, fault C1."""
    await machine.world.publish("shop", "application", {"a": "1", "ü": "ö\n"})
    async with machine.node() as client:
        before = await client.get(READ)
    known = await machine.world.newest_message()
    machine.world.database.away = True
    async with machine.node() as client:
        after = await client.get(READ)
        assert (after.status, after.headers, after.body) == (before.status, before.headers, before.body)
        held = client.hold(poll("shop", "default", {"application": known}))
        assert held.answer is None
        (database,) = client.plane.health().databases
        assert database.snapshot is not None
        assert database.away_since == database.snapshot.confirmed_at


async def test_start__database_away_and_no_snapshot__fails(machine: Machine) -> None:
    """There is nothing to serve: another node must be asked."""
    machine.world.database.away = True
    plane = machine.plane()
    with pytest.raises(Unavailable):
        await plane.start()
    assert plane.health().code == "not_loaded"
    await plane.stop()


async def test_start__snapshot_of_another_database__fails(machine: Machine) -> None:
    async with machine.node():
        pass
    machine.world.database.away = True
    plane = machine.plane("memory/billing")
    with pytest.raises(Unavailable):
        await plane.start()
    await plane.stop()


async def test_database__back__wakes_whoever_must_be_woken_and_nobody_else(machine: Machine) -> None:
    await machine.world.publish("shop", "application", {"a": "1"})
    await machine.world.publish("shop", "other", {"a": "1"})
    async with machine.node():
        pass
    known = await machine.world.newest_message()
    machine.world.database.away = True
    async with machine.node() as client:
        held = client.hold(poll("shop", "default", {"application": known}))
        other = client.hold(poll("shop", "default", {"other": known}))
        await machine.world.publish("shop", "application", {"a": "2"})
        assert body(await client.get(READ))["configurations"] == {"a": "1"}
        machine.world.database.away = False
        await wait_until_async(lambda: held.answer, 5, "answer of the held poll")
        assert other.answer is None
        assert body(await client.get(READ))["configurations"] == {"a": "2"}
        await wait_until_async(lambda: not client.plane.health().databases[0].away_since, 5, "recovery")
        assert client.plane.health().databases[0].snapshot is None


async def test_database__back_and_set_back__is_noticed(machine: Machine) -> None:
    """The anchor is in the snapshot: ids grow for clients, also when the node was away as well (fault C7)."""
    await machine.world.publish("shop", "application", {"a": "old"})
    database = in_memory(machine.world)
    copy = database._committed.copy()  # a backup
    await machine.world.publish("shop", "application", {"a": "lost"})
    told = await machine.world.newest_message()
    async with machine.node():
        pass
    machine.world.database.away = True
    async with machine.node() as client:
        held = client.hold(poll("shop", "default", {"application": told}))
        database._committed = copy  # its restore, and more that is published there than was lost
        for number in range(4):
            await machine.world.publish("shop", "later", {"n": str(number)})
        machine.world.database.away = False
        await wait_until_async(lambda: held.answer, 5, "answer of the held poll")
        assert await machine.world.newest_message() > told
        assert body(await client.get(READ))["configurations"] == {"a": "old"}


async def test_database__back_and_another_one__is_taken_as_it_is(machine: Machine, world: World) -> None:
    """An installation that was made anew was not set back: nothing is lifted, nothing of the snapshot stays."""
    await world.publish("shop", "application", {"a": "1"})
    async with machine.node():
        pass
    other = World()
    async with other.database.write() as tx:
        await tx.environments.insert(Environment("DEV", 0, NOW + timedelta(days=1)))
        await tx.messages.append(MessageKind.ENVIRONMENT, [NamespaceRef("DEV", "", "", "")])
    await other.publish("shop", "another", {"b": "1"})
    before = await other.newest_message()
    world.database.away = True
    async with machine.node() as client:
        world.database._database = other.database._database
        world.database.away = False
        await wait_until_async(lambda: not client.plane.health().databases[0].away_since, 5, "recovery")
        assert (await client.get(READ)).status == 404
        assert (await client.get(configs("shop", "default", "another"))).status == 200
        assert await other.newest_message() == before


async def test_contents__beyond_memory__come_from_the_disk(machine: Machine) -> None:
    """The budget bounds memory, not what is served while the database is away."""
    machine.options = SMALL
    for number in range(8):
        await machine.world.publish("shop", f"ns{number}", {"a": str(number) * 2000})
    async with machine.node() as client:
        await wait_until_async(lambda: len(machine.saved()) == 8, 5, "eight contents on disk")
        machine.world.database.away = True
        for number in range(8):
            answer = await client.get(configs("shop", "default", f"ns{number}"))
            assert body(answer)["configurations"] == {"a": str(number) * 2000}
    async with machine.node() as client:
        for number in range(8):
            assert (await client.get(configs("shop", "default", f"ns{number}"))).status == 200


async def test_contents__replaced__leave_the_disk(machine: Machine) -> None:
    first = await machine.world.publish("shop", "application", {"a": "1"})
    async with machine.node() as client:
        await wait_until_async(lambda: first.head.key in machine.saved(), 5, "the first release on disk")
        second = await machine.world.publish("shop", "application", {"a": "2"})
        await client.seen(machine.world)
        await wait_until_async(lambda: set(machine.saved()) == {second.head.key}, 5, "only the second one")


async def add_key(world: World) -> None:
    async with world.database.write() as tx:
        key = AccessKey(0, "DEV", "shop", "uid", "sealed-secret", AccessKeyMode.FILTER, True, NOW, "test")
        await tx.access_keys.insert(key)
        await tx.messages.append(MessageKind.ACCESS_KEY, [NamespaceRef("DEV", "shop", "", "")])


async def add_branch(world: World, release: Release) -> None:
    async with world.database.write() as tx:
        key, content = "20250101080000-00000000000000ff", {"a": "gray"}
        head = replace(release.head, id=0, key=key, content_sha256=content_sha256(content))
        gray = await tx.releases.insert(Release(head, content))
        branch = GrayBranch(
            0, release.head.ref, "20250101080000-aaaaaaaaaaaaaaaa", "", 1, (GrayRule("shop", ips=("10.0.0.7",)),),
            {"a": "gray"}, (), gray.head.id, 1, NOW, "test", NOW, "test",
        )  # fmt: skip
        await tx.branches.insert(branch)
        await tx.messages.append(MessageKind.RELEASE, [release.head.ref])


async def test_access_keys__are_enforced_and_lie_sealed_on_disk(machine: Machine) -> None:
    await machine.world.publish("shop", "application", {"a": "1"})
    await add_key(machine.world)
    async with machine.node() as client:
        assert (await client.get(READ)).status == 401
    machine.world.database.away = True
    async with machine.node() as client:
        assert (await client.get(READ)).status == 401
    assert b"sealed-secret" in machine.path.read_bytes()


async def test_gray__is_served_as_before(machine: Machine) -> None:
    release = await machine.world.publish("shop", "application", {"a": "1"})
    await add_branch(machine.world, release)
    async with machine.node() as client:
        before = [await client.get(READ + query) for query in ("?ip=10.0.0.7", "?ip=10.0.0.8")]
        assert body(before[0])["configurations"] == {"a": "gray"}
    machine.world.database.away = True
    async with machine.node() as client:
        after = [await client.get(READ + query) for query in ("?ip=10.0.0.7", "?ip=10.0.0.8")]
    assert [each.body for each in after] == [each.body for each in before]


def in_memory(world: World) -> MemoryDatabase:
    """The database below the contract."""
    database = world.database._database
    assert isinstance(database, MemoryDatabase)
    return database


def corrupted(world: World, release_id: int) -> None:
    """Flips what the database holds of a release."""
    state = in_memory(world)._committed
    state.releases[release_id] = replace(state.releases[release_id], configurations={"a": "flipped"})


async def test_flipped_bit__in_the_database__is_served_to_nobody__c6(machine: Machine) -> None:
    release = await machine.world.publish("shop", "application", {"a": "1"})
    corrupted(machine.world, release.head.id)
    async with machine.node() as client:
        answer = await client.get(READ)
        assert (answer.status, body(answer)["code"]) == (503, "release_corrupt")
        assert b"flipped" not in answer.body
        assert client.plane.store.corrupt > 0
        assert release.head.key not in machine.saved()


async def test_flipped_bit__of_a_new_release__is_served_to_nobody__c6(machine: Machine) -> None:
    async with machine.node() as client:
        machine.world.bus.muted = True
        release = await machine.world.publish("shop", "application", {"a": "1"})
        corrupted(machine.world, release.head.id)
        machine.world.bus.muted = False
        await client.seen(machine.world)
        assert (await client.get(READ)).status == 503
        await machine.world.publish("shop", "application", {"a": "2"})
        await client.seen(machine.world)
        assert body(await client.get(READ))["configurations"] == {"a": "2"}


class Undecodable(FlakyDatabase):
    """Reads fail that touch one release: its row cannot even be decoded."""

    bad = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ConfigRead]:
        async with super().read() as tx:
            contents = tx.releases.contents

            async def decoded(release_ids: Sequence[int]) -> Mapping[int, Release]:
                if self.bad in release_ids:
                    raise ValueError("not decoded")
                return await contents(release_ids)

            tx.releases.contents = decoded  # type: ignore[method-assign]  # of this transaction
            yield tx


async def test_release__that_cannot_be_decoded__keeps_nobody_from_the_others__c6(machine: Machine) -> None:
    """The follower goes on behind it, and a read of many finds the one."""
    machine.world.database = database = Undecodable(machine.world.database._database)
    async with machine.node() as client:
        machine.world.bus.muted = True
        both = await machine.world.publish_together(
            {NamespaceRef("DEV", "shop", "default", name): {"a": "1"} for name in ("application", "other")}
        )
        database.bad = both[0].head.id
        machine.world.bus.muted = False
        await client.seen(machine.world)
        assert (await client.get(configs("shop", "default", "other"))).status == 200
        assert (await client.get(READ)).status == 503
        await wait_until_async(lambda: set(machine.saved()) == {both[1].head.key}, 5, "the good one on disk")


async def test_flipped_bit__with_a_good_copy_on_disk__that_is_served__c6(machine: Machine) -> None:
    release = await machine.world.publish("shop", "application", {"a": "1"})
    async with machine.node() as client:
        await wait_until_async(lambda: release.head.key in machine.saved(), 5, "the release on disk")
    corrupted(machine.world, release.head.id)
    async with machine.node() as client:
        assert body(await client.get(READ))["configurations"] == {"a": "1"}


async def test_flipped_bit__on_disk__is_not_served_and_written_anew__c6(machine: Machine) -> None:
    release = await machine.world.publish("shop", "application", {"a": "1"})
    async with machine.node() as client:
        await wait_until_async(lambda: release.head.key in machine.saved(), 5, "the release on disk")
        good = machine.saved()
        machine.change('UPDATE contents SET body = CAST(\'{"a":"flipped"}\' AS BLOB)')
        machine.world.database.away = True
        client.plane.store.resize(0)  # memory holds nothing
        client.plane.store.resize(OPTIONS.content_budget_bytes)
        answer = await client.get(READ + "?ip=1.1.1.1")
        assert (answer.status, b"flipped" in answer.body) == (503, False)
        machine.world.database.away = False
        await wait_until_async(lambda: machine.saved() == good, 20, "the good copy on disk")


async def test_flipped_bit__on_disk_of_a_node_that_starts_from_it__is_told_once__c6(machine: Machine) -> None:
    release = await machine.world.publish("shop", "application", {"a": "1"})
    async with machine.node():
        await wait_until_async(lambda: release.head.key in machine.saved(), 5, "the release on disk")
    machine.change('UPDATE contents SET body = CAST(\'{"a":"flipped"}\' AS BLOB)')
    machine.world.database.away = True
    with capture_logs() as logs:
        async with machine.node() as client:
            answers = [await client.get(READ + f"?ip=1.1.1.{number}") for number in range(3)]
    assert [(answer.status, b"flipped" in answer.body) for answer in answers] == [(503, False)] * 3
    told = [log for log in logs if log["event"] == "delivery.content_corrupt"]
    assert [(log["release_key"], log["where"]) for log in told] == [(release.head.key, "snapshot")]


async def test_disk__that_cannot_be_written__disturbs_nothing(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    machine.path = tmp_path / "file" / "main.db"
    async with machine.node() as client:
        await machine.world.publish("shop", "application", {"a": "1"})
        await client.seen(machine.world)
        assert (await client.get(READ)).status == 200
        await wait_until_async(lambda: client.plane.snapshot_failures, 5, "a failure that is counted")


async def test_two_workers__one_writes_and_both_read(machine: Machine) -> None:
    release = await machine.world.publish("shop", "application", {"a": "1"})
    async with machine.node():
        await wait_until_async(lambda: release.head.key in machine.saved(), 5, "the release on disk")
        async with machine.node() as second:
            machine.world.database.away = True
            second.plane.store.resize(0)
            second.plane.store.resize(OPTIONS.content_budget_bytes)
            assert (await second.get(READ)).status == 200
            async with machine.node() as third:
                assert (await third.get(READ)).status == 200


async def test_snapshot__is_the_state_that_the_database_holds__after_any_changes(machine: Machine) -> None:
    """Every kind of thing that a state holds, more of them than are taken at once; only what changed is written."""
    world = machine.world
    await world.define("infra", "redis", public=True)
    many = {NamespaceRef("DEV", "shop", "default", f"n{number}"): {"a": "1"} for number in range(1200)}
    await world.publish_together(many)
    async with machine.node() as client:
        await wait_until_async(lambda: len(machine.saved()) == 1200, 20, "everything on disk")
        machine.change("CREATE TABLE noted (name TEXT)")
        machine.change("CREATE TRIGGER note BEFORE INSERT ON parts BEGIN INSERT INTO noted VALUES (NEW.name); END")
        release = await world.publish("shop", "n7", {"a": "2"})
        await add_branch(world, release)
        await add_key(world)
        await world.define("shop", "later")
        await client.seen(world)
    assert set(machine.names("SELECT name FROM noted")) == {"namespace/DEV/dev/shop+default+n7", "app/DEV/shop"}
    assert await machine.state() == await database_state(world)


async def test_snapshot__of_what_was_removed__does_not_serve_it(machine: Machine) -> None:
    """A node that starts takes over everything, and what the file holds beyond that goes."""
    await machine.world.publish("shop", "application", {"a": "1"})
    await machine.world.publish("shop", "other", {"a": "1"})
    async with machine.node():
        pass
    state = in_memory(machine.world)._committed
    gone = next(id_ for id_, each in state.namespaces.items() if each.ref.namespace == "other")
    state.namespaces[gone] = replace(state.namespaces[gone], release_id=None, message_id=None)
    async with machine.node():
        pass
    assert await machine.state() == await database_state(machine.world)
    assert len(machine.saved()) == 1


async def test_save__that_fails_in_the_middle__is_made_up_for(machine: Machine) -> None:
    """What was taken for it is not forgotten."""
    async with machine.node() as client:
        await machine.world.publish("shop", "application", {"a": "1"})
        await wait_until_async(lambda: len(machine.saved()) == 1, 5, "the first release on disk")
        (kept,) = client.plane._keepers.values()
        contents = kept._served.contents
        tried = []

        async def away(wanted: Sequence[Wanted]) -> Mapping[str, bytes]:
            tried.append(wanted)
            if len(tried) == 1:
                raise Unavailable("away")
            return await contents(wanted)

        kept._served.contents = away  # type: ignore[method-assign]  # of this keeper
        await machine.world.publish("shop", "other", {"a": "1"})
        await wait_until_async(lambda: tried, 5, "the attempt that fails")
    assert len(machine.saved()) == 2
    assert await machine.state() == await database_state(machine.world)


async def test_access_key__is_on_disk_without_waiting_for_the_pause(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that is killed and starts without its database must not accept what was refused, nor the reverse."""
    monkeypatch.setattr(keeper, "_SHORTEST_PAUSE_S", 3600.0)
    await machine.world.publish("shop", "application", {"a": "1"})
    async with machine.node():
        await wait_until_async(lambda: len(machine.saved()) == 1, 5, "the first save")
        await machine.world.publish("shop", "other", {"a": "1"})
        await add_key(machine.world)
        await wait_until_async(lambda: b"sealed-secret" in b"".join(machine.bodies()), 5, "the key on disk")
