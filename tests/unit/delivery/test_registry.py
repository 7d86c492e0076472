"""The registry of nodes: who is alive, as seen by each (architecture, section 2; fault A7)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from helicon_server.delivery.registry import Registry
from helicon_server.domain.node import Node
from helicon_server.storage.contract import ConfigDatabase, ConfigWrite
from helicon_server.storage.memory import MemoryDatabase
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import FlakyDatabase

BEAT_S = 0.05


@asynccontextmanager
async def node(
    database: ConfigDatabase,
    url: str,
    *,
    ready: bool = True,
    roles: Sequence[str] = ("delivery",),
    beat_s: float = BEAT_S,
) -> AsyncIterator[Registry]:
    registry = Registry(url, roles, "1.0", beat_s=beat_s)
    registry.start([database], lambda: ready)
    try:
        yield registry
    finally:
        await registry.stop()


async def rows(database: ConfigDatabase) -> Sequence[Node]:
    async with database.read() as tx:
        return await tx.nodes.list(beaten_within_s=3600)


async def test_nodes__see_one_another() -> None:
    database = MemoryDatabase()
    async with node(database, "http://one:8080") as one, node(database, "http://two:8080") as two:
        await wait_until_async(lambda: one.others("main") == ("http://two:8080",), 5, "the second in the first's list")
        await wait_until_async(lambda: two.others("main") == ("http://one:8080",), 5, "the first in the second's list")


async def test_node__that_stops__is_out_of_the_list_at_once() -> None:
    database = MemoryDatabase()
    async with node(database, "http://one:8080") as one:
        async with node(database, "http://two:8080"):
            await wait_until_async(lambda: one.others("main"), 5, "the second in the first's list")
        assert [each.url for each in await rows(database)] in ([], ["http://one:8080"])
        await wait_until_async(lambda: not one.others("main"), 5, "the second out of the first's list")


async def test_node__that_misses_its_beats__leaves_the_list() -> None:
    database = MemoryDatabase()
    async with node(database, "http://one:8080") as one:
        lost = Registry("http://two:8080", ["delivery"], "1.0", beat_s=BEAT_S)
        lost.start([database], lambda: True)
        await wait_until_async(lambda: one.others("main"), 5, "the second in the first's list")
        for task in lost._tasks:  # as SIGKILL does: nobody says goodbye
            task.cancel()
        await wait_until_async(lambda: not one.others("main"), 5, "the second out of the first's list")


async def test_node__is_listed_only_after_it_was_ready_for_an_interval__a7() -> None:
    """One that dies soon after each start, or never becomes ready, is told to nobody."""
    database = FlakyDatabase(MemoryDatabase())
    async with node(database, "http://one:8080", ready=False):
        await wait_until_async(lambda: database.reads >= 5, 5, "five rounds of a node that is not ready")
        assert await rows(database) == []
    registry = Registry("http://two:8080", ["delivery"], "1.0", beat_s=3600)
    registry.start([database], lambda: True)
    before = database.reads
    await wait_until_async(lambda: database.reads > before, 5, "its first look")
    await registry.stop()
    assert await rows(database) == []


async def test_workers__of_one_address__are_one_node_of_the_list() -> None:
    database = MemoryDatabase()
    async with (
        node(database, "http://one:8080") as first,
        node(database, "http://one:8080/"),
        node(database, "http://two:8080"),
        node(database, "http://two:8080"),
    ):
        await wait_until_async(lambda: first.others("main") == ("http://two:8080",), 5, "the other machine, once")
        await wait_until_async(lambda: _beaten(database, 4), 5, "all four heartbeats")
        assert first.others("main") == ("http://two:8080",)


async def _beaten(database: ConfigDatabase, count: int) -> bool:
    return len(await rows(database)) == count


async def test_node__without_the_delivery_role__is_not_for_clients() -> None:
    database = MemoryDatabase()
    async with node(database, "http://one:8080") as one, node(database, "http://two:8080", roles=["management"]):
        await wait_until_async(lambda: _beaten(database, 2), 5, "both heartbeats")
        async with node(database, "http://three:8080"):
            await wait_until_async(lambda: one.others("main"), 5, "a node that came later")
            assert one.others("main") == ("http://three:8080",)


class Away(FlakyDatabase):
    """Fails writes too while it is away."""

    @asynccontextmanager
    async def write(self) -> AsyncIterator[ConfigWrite]:
        self._check()
        async with super().write() as tx:
            yield tx


async def test_database__away__keeps_the_list_and_comes_back() -> None:
    """Loss of the database changes nothing for clients; the others' beats are old in the first moment behind it."""
    shared = MemoryDatabase()
    ours, theirs = Away(shared), Away(shared)
    beat_s = 0.4
    async with node(ours, "http://one:8080", beat_s=beat_s) as one, node(theirs, "http://two:8080", beat_s=beat_s):
        await wait_until_async(lambda: one.others("main"), 10, "the second in the first's list")
        ours.away = theirs.away = True
        await wait_until_async(lambda: _none_beats(shared, 3 * beat_s), 10, "beats that are too old for all")
        assert one.others("main") == ("http://two:8080",)
        ours.away = False
        await wait_until_async(lambda: _one_beats(shared, beat_s), 10, "a beat behind the outage")
        assert one.others("main") == ("http://two:8080",)


async def _none_beats(database: ConfigDatabase, within_s: float) -> bool:
    async with database.read() as tx:
        return not await tx.nodes.list(beaten_within_s=within_s)


async def _one_beats(database: ConfigDatabase, within_s: float) -> bool:
    return not await _none_beats(database, within_s)
