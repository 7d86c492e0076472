"""Instance records: noted behind the answers, coalesced, bounded (Apollo client protocol, section 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from helicon_server.delivery import instances
from helicon_server.delivery.index import EnvironmentView, Resolution
from helicon_server.delivery.instances import UNCHANGED_S, InstanceRecorder
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.instance import VALID_FOR, InstanceRelease
from helicon_server.domain.model import LiveRelease
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.memory import MemoryDatabase
from helicon_server.storage.memory.delivery import MemoryInstances


def unavailable() -> Any:
    raise Unavailable("away")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Recording:
    """A recorder over a database in memory that counts the records which it is given."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.clock = Clock()
        self.database = MemoryDatabase()
        self.recorder = InstanceRecorder(3600, self.clock)
        follower = SimpleNamespace(database=self.database)
        self.view = EnvironmentView("DEV", cast("Any", follower))

    def serve(self, ip: str = "10.0.0.1", *, key: str = "k1", app: str = "shop", label: str = "") -> None:
        release = LiveRelease(NamespaceRef("DEV", "shop", "default", "application"), 1, key, 1, 1)
        self.recorder.on_served(self.view, app, "default", "", ip, label, Resolution(release, None))

    async def stored(self) -> Sequence[InstanceRelease]:
        await self.recorder.flush()
        async with self.database.read() as tx:
            return await tx.instances.list("DEV", "shop", "application", release_key=None, limit=100_000)


@pytest.fixture
async def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    made = Recording(monkeypatch)
    made.recorder.start([made.database])
    return made


async def test_served__is_recorded_with_instance_and_release(recording: Recording) -> None:
    recording.serve(label="canary")
    (record,) = await recording.stored()
    assert (record.environment, record.app, record.cluster, record.data_center) == ("DEV", "shop", "default", "")
    assert (record.ip, record.label, record.release_key) == ("10.0.0.1", "canary", "k1")
    assert (record.owner, record.release_cluster, record.namespace) == ("shop", "default", "application")
    await recording.recorder.stop()


async def test_served__own_and_public__is_one_record_each(recording: Recording) -> None:
    own = LiveRelease(NamespaceRef("DEV", "shop", "default", "redis"), 1, "k1", 1, 1)
    public = LiveRelease(NamespaceRef("DEV", "infra", "default", "redis"), 2, "k2", 2, 1)
    recording.recorder.on_served(recording.view, "shop", "default", "", "10.0.0.1", "", Resolution(own, public))
    await recording.recorder.flush()
    async with recording.database.read() as tx:
        assert len(await tx.instances.list("DEV", "shop", "redis", release_key="k1", limit=10)) == 1
        assert len(await tx.instances.list("DEV", "infra", "redis", release_key="k2", limit=10)) == 1
    await recording.recorder.stop()


async def test_served__by_inheritance__is_noted_of_the_cluster_that_wins_and_written_once(recording: Recording) -> None:
    """Both releases are of one owner and namespace, of which a record names one."""
    east = LiveRelease(NamespaceRef("DEV", "shop", "east", "application"), 1, "k1", 1, 1)
    below = LiveRelease(NamespaceRef("DEV", "shop", "default", "application"), 2, "k2", 2, 1)
    for _ in range(3):
        served = Resolution(east, None, own_default=below)
        recording.recorder.on_served(recording.view, "shop", "east", "", "10.0.0.1", "", served)
        (record,) = await recording.stored()
        assert (record.release_cluster, record.release_key) == ("east", "k1")
    assert recording.recorder.written == 1
    await recording.recorder.stop()


async def test_unchanged__is_written_again_after_ten_minutes_only(recording: Recording) -> None:
    recording.serve()
    (first,) = await recording.stored()
    for _ in range(100):
        recording.serve()
    await recording.stored()
    assert recording.recorder.written == 1
    recording.clock.now += UNCHANGED_S
    recording.serve()
    (again,) = await recording.stored()
    assert recording.recorder.written == 2
    assert (again.delivered_at, again.seen_at > first.seen_at) == (first.delivered_at, True)
    await recording.recorder.stop()


async def test_new_release__is_written_at_once_and_only_the_newest(recording: Recording) -> None:
    recording.serve(key="k1")
    recording.serve(key="k2")
    recording.serve(key="k3")
    (record,) = await recording.stored()
    assert record.release_key == "k3"
    assert recording.recorder.written == 1
    await recording.recorder.stop()


@pytest.mark.parametrize("ip", ["", "1" * 129, "1\x002", "shop", "10.0.0.1\n"])
async def test_instance__without_an_address__is_not_recorded(recording: Recording, ip: str) -> None:
    recording.serve(ip)
    assert await recording.stored() == []
    await recording.recorder.stop()


async def test_queue__over_its_bound__drops_the_oldest_and_counts(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "_PENDING_LIMIT", 3)
    for number in range(5):
        recording.serve(f"10.0.0.{number}")
    assert {record.ip for record in await recording.stored()} == {"10.0.0.2", "10.0.0.3", "10.0.0.4"}
    assert recording.recorder.dropped == 2
    recording.serve("10.0.0.0")  # dropped, so it is noted again
    assert len(await recording.stored()) == 4
    await recording.recorder.stop()


@pytest.mark.parametrize("place", ["app", "cluster", "data_center", "label"])
async def test_instance__named_with_a_control_character__is_not_recorded(recording: Recording, place: str) -> None:
    names = {"app": "shop", "cluster": "default", "data_center": "", "label": ""}
    names[place] += "\x00"
    release = LiveRelease(NamespaceRef("DEV", "infra", "default", "application"), 1, "k1", 1, 1)
    recording.recorder.on_served(recording.view, ip="10.0.0.1", resolution=Resolution(None, release), **names)
    assert recording.recorder._count == 0
    await recording.recorder.stop()


async def test_address__in_another_spelling__is_the_same_instance(recording: Recording) -> None:
    for ip in ("2001:DB8::0:1", "2001:db8::1", "2001:db8::1%eth0\x00"):
        recording.serve(ip)
    assert [record.ip for record in await recording.stored()] == ["2001:db8::1"]
    assert recording.recorder.written == 1
    await recording.recorder.stop()


@pytest.mark.parametrize(("bound", "apps"), [("_KNOWN_LIMIT", "abcd"), ("_KNOWN_OF_APP_LIMIT", "aaAa")])
async def test_instances__over_a_bound__are_dropped_until_others_are_gone(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, bound: str, apps: str
) -> None:
    """Anybody can send any address: what a node leaves in the table stays bounded while records are valid."""
    monkeypatch.setattr(instances, bound, 2)
    for number, app in enumerate(apps):
        recording.serve(f"10.0.0.{number}", app=app)
    assert {record.ip for record in await recording.stored()} == {"10.0.0.0", "10.0.0.1"}
    assert recording.recorder.dropped == 2
    recording.serve("10.0.0.1", key="k2", app=apps[1])  # one that is remembered goes on
    assert {record.release_key for record in await recording.stored()} == {"k1", "k2"}
    recording.clock.now += VALID_FOR.total_seconds()
    recording.serve("10.0.0.9", app=apps[0])
    assert "10.0.0.9" in {record.ip for record in await recording.stored()}
    assert len(recording.recorder._known) == sum(recording.recorder._known_of.values()) == 1
    await recording.recorder.stop()


async def test_many__go_in_batches_of_500(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    write = recording.recorder._write

    async def noted(database: Any, batch: Mapping[Any, InstanceRelease], refused: list[int]) -> bool:
        sizes.append(len(batch))
        return await write(database, batch, refused)

    monkeypatch.setattr(recording.recorder, "_write", noted)
    for number in range(1100):
        recording.serve(f"10.0.{number // 256}.{number % 256}")
    assert len(await recording.stored()) == 1100
    assert sizes == [500, 500, 100]
    await recording.recorder.stop()


async def test_database__away__drops_and_notes_again(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.serve("10.0.0.1")
    recording.serve("10.0.0.2")
    with monkeypatch.context() as patched:
        patched.setattr(recording.database, "write", unavailable)
        await recording.recorder.flush()
    assert recording.recorder.dropped == 2
    assert await recording.stored() == []
    recording.serve("10.0.0.1")
    assert len(await recording.stored()) == 1
    await recording.recorder.stop()


def refusing(recording: Recording, bad: Callable[[InstanceRelease], bool]) -> list[int]:
    """Lets the database refuse a statement with one of these records in it; returns the sizes of the refused."""
    refused: list[int] = []
    record = MemoryInstances.record

    async def picky(self: MemoryInstances, seen: Sequence[InstanceRelease]) -> None:
        if any(map(bad, seen)):
            refused.append(len(seen))
            raise RuntimeError("refused")
        await record(self, seen)

    recording.patch.setattr(MemoryInstances, "record", picky)
    return refused


async def test_record__that_the_database_refuses__takes_no_other_with_it(recording: Recording) -> None:
    refusing(recording, lambda record: record.label == "bad")
    for number in range(100):
        recording.serve(f"10.0.0.{number}", label="bad" if number == 33 else "")
    assert len(await recording.stored()) == 99
    assert (recording.recorder.dropped, recording.recorder.written) == (1, 99)
    recording.serve("10.0.0.33")  # noted again
    assert len(await recording.stored()) == 100
    await recording.recorder.stop()


async def test_database__that_refuses_everything__is_not_asked_for_each_record(recording: Recording) -> None:
    refused = refusing(recording, lambda _: True)
    for number in range(1100):
        recording.serve(f"10.0.{number // 256}.{number % 256}")
    await recording.recorder.flush()
    assert len(refused) < 60
    assert (recording.recorder.dropped, recording.recorder._count) == (1100, 0)
    assert not recording.recorder._known
    await recording.recorder.stop()


async def test_old_records__are_forgotten_in_chunks_and_again_soon_after_a_failure(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "_FORGET_AT_ONCE", 2)
    old = datetime.now(UTC) - 2 * VALID_FOR
    for number in range(5):
        recording.serve(f"10.0.0.{number}")
    found = await recording.stored()
    recording.database._committed.instances.clear()
    async with recording.database.write() as tx:
        await tx.instances.record([replace(each, seen_at=old) for each in found])
    await recording.recorder.forget()  # not right after the start
    assert len(await recording.stored()) == 5
    recording.clock.now += instances._FORGET_PERIOD_S
    with monkeypatch.context() as patched:
        patched.setattr(recording.database, "write", unavailable)
        await recording.recorder.forget()
    recording.clock.now += instances._FORGET_AGAIN_S
    await recording.recorder.forget()
    assert await recording.stored() == []
    await recording.recorder.stop()


async def test_stop__writes_what_waits(recording: Recording) -> None:
    recording.serve()
    await recording.recorder.stop()
    assert recording.recorder.written == 1
