"""The registry of nodes: who is alive, as seen by each (architecture, section 2; fault A7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from helicon_server.delivery.registry import Registry
from helicon_server.domain.node import Node
from helicon_server.storage.contract import ConfigDatabase
from helicon_server.storage.memory import MemoryDatabase
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import FlakyDatabase

BEAT_S = 0.05


@asynccontextmanager
async def node(
    database: ConfigDatabase, url: str, *, ready: bool = True, roles: Sequence[str] = ("delivery",)
) -> AsyncIterator[Registry]:
    registry = Registry(url, roles, "1.0", beat_s=BEAT_S)
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
        assert one.others("main") == ()


async def test_database__away__keeps_the_list_and_comes_back() -> None:
    """Loss of the database changes nothing for clients; the others' beats are old in the first moment behind it."""
    inner = MemoryDatabase()
    database = FlakyDatabase(inner)
    async with node(database, "http://one:8080") as one, node(inner, "http://two:8080"):
        await wait_until_async(lambda: one.others("main"), 5, "the second in the first's list")
        database.away = True
        before = database.reads
        await asyncio.sleep(5 * BEAT_S)
        assert one.others("main") == ("http://two:8080",)
        database.away = False
        await wait_until_async(lambda: "main" not in one._failing, 5, "a round that succeeds")
        assert one.others("main") == ("http://two:8080",)
        assert before <= database.reads
