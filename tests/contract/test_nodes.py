# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block
"""Several nodes on one database: order of messages, races, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from helicon_server.domain.errors import Conflict
from helicon_server.domain.model import MessageKind
from helicon_server.storage.sql import SqlDatabase
from tests.contract import rows
from tests.contract.database import outcome, run_sql
from tests.contract.rows import REF

Open = Callable[[str], SqlDatabase]


async def _visible(database: SqlDatabase) -> list[int]:
    async with database.read() as tx:
        return [message.id for message in await tx.messages.after(0, limit=1000)]


@pytest.mark.postgres
async def test_messages__first_appender_is_slow__the_later_id_is_never_seen_first(
    clean_postgres_url: str, open_sql: Open
) -> None:
    """A reader that saw id 2 before id 1 would ask for what follows 2 from then on, and miss 1 for ever."""
    slow, quick, reader = (open_sql(clean_postgres_url) for _ in range(3))
    appended, may_commit = asyncio.Event(), asyncio.Event()
    order: list[str] = []

    async def append_slowly() -> None:
        async with slow.write() as tx:
            await tx.messages.append(MessageKind.RELEASE, [REF])
            appended.set()
            await may_commit.wait()
            order.append("slow")

    async def append_quickly() -> None:
        await appended.wait()
        async with quick.write() as tx:
            await tx.messages.append(MessageKind.RELEASE, [REF])
            order.append("quick")

    tasks = [asyncio.create_task(append_slowly()), asyncio.create_task(append_quickly())]
    await appended.wait()
    # Not a wait for luck: without the lock the quick one is through long before, and then its id is visible.
    for _ in range(10):
        await asyncio.sleep(0.02)
        assert await _visible(reader) == []
    may_commit.set()
    await asyncio.gather(*tasks)
    assert order == ["slow", "quick"]
    assert await _visible(reader) == [1, 2]


async def test_messages__many_appenders_at_once__a_follower_misses_none(sql_url: str, open_sql: Open) -> None:
    nodes = [open_sql(sql_url) for _ in range(3)]
    follower = open_sql(sql_url)
    written: list[int] = []
    seen: list[int] = []
    done = asyncio.Event()

    async def publish(database: SqlDatabase, number: int) -> None:
        async with database.write() as tx:
            await tx.apps.insert(rows.app(f"app-{number}"))
            written.extend(await tx.messages.append(MessageKind.RELEASE, [REF] * (number % 3 + 1)))

    async def follow() -> None:
        while True:
            finished = done.is_set()
            async with follower.read() as tx:
                seen.extend(m.id for m in await tx.messages.after(seen[-1] if seen else 0, limit=5))
            if finished and len(seen) >= len(written):
                return

    following = asyncio.create_task(follow())
    await asyncio.gather(*(publish(nodes[number % 3], number) for number in range(30)))
    done.set()
    await asyncio.wait_for(following, 30)
    assert sorted(written) == seen


@pytest.mark.postgres
async def test_messages__appender_rolls_back__leaves_a_gap_and_no_stop(clean_postgres_url: str, open_sql: Open) -> None:
    database = open_sql(clean_postgres_url)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as tx:
            await tx.messages.append(MessageKind.RELEASE, [REF])
            raise ZeroDivisionError
    async with database.write() as tx:
        await tx.messages.append(MessageKind.RELEASE, [REF])
    assert await _visible(database) == [2]


async def test_insert__same_name_from_two_nodes_at_once__one_conflicts(sql_url: str, open_sql: Open) -> None:
    nodes = [open_sql(sql_url) for _ in range(2)]

    async def insert(database: SqlDatabase, name: str) -> None:
        async with database.write() as tx:
            await tx.definitions.insert(rows.definition(name, app=name, public=True))
            await asyncio.sleep(0.05)  # keeps the transaction open, so that the other one meets it

    outcomes = [
        await work
        for work in asyncio.as_completed([outcome(insert(nodes[0], "redis")), outcome(insert(nodes[1], "REDIS"))])
    ]
    [refused] = [error for error in outcomes if error is not None]
    assert isinstance(refused, Conflict)
    assert refused.code == "public_namespace_exists"


async def test_idempotency__same_key_from_two_nodes_at_once__makes_one_release(sql_url: str, open_sql: Open) -> None:
    """The retry that meets its own first attempt in flight (fault A5)."""
    nodes = [open_sql(sql_url) for _ in range(2)]
    async with nodes[0].write() as tx:
        namespace = await tx.namespaces.insert(rows.namespace())

    async def publish(database: SqlDatabase) -> None:
        async with database.write() as tx:
            await tx.namespaces.lock([REF])
            release = await tx.releases.insert(rows.release(namespace))
            await tx.idempotency.put("DEV", "token:ci", "k", rows.answer(release.head.id), at=rows.NOW)

    outcomes = await asyncio.gather(*(outcome(publish(node)) for node in nodes))
    [refused] = [error for error in outcomes if error is not None]
    assert isinstance(refused, Conflict)
    assert refused.code == "idempotency_key_in_use"
    async with nodes[0].read() as reading:
        assert len(await reading.releases.history(namespace.id, before_id=None, limit=9)) == 1


async def test_lock__from_another_node__waits_and_sees_the_change(sql_url: str, open_sql: Open) -> None:
    nodes = [open_sql(sql_url) for _ in range(3)]
    async with nodes[0].write() as tx:
        await tx.namespaces.insert(rows.namespace())

    async def raise_revision(database: SqlDatabase) -> int:
        async with database.write() as tx:
            [found] = await tx.namespaces.lock([REF])
            assert found is not None
            await asyncio.sleep(0.005)
            await tx.namespaces.touch(replace(found, revision=found.revision + 1))
            return found.revision

    seen = await asyncio.gather(*(raise_revision(nodes[turn % 3]) for turn in range(9)))
    assert sorted(seen) == list(range(1, 10))


@pytest.mark.postgres
async def test_lock__of_other_namespaces__does_not_wait(clean_postgres_url: str, open_sql: Open) -> None:
    """A publish in one app must not queue behind an edit in another."""
    database = open_sql(clean_postgres_url)
    other = replace(REF, app="other")
    async with database.write() as tx:
        await tx.namespaces.insert(rows.namespace(REF))
        await tx.namespaces.insert(rows.namespace(other))
    async with database.write() as holding:
        await holding.namespaces.lock([REF])
        async with asyncio.timeout(10), database.write() as tx:
            [found] = await tx.namespaces.lock([other])
            assert found is not None


async def test_messages__of_a_kind_from_the_future__are_passed_over(sql_url: str, open_sql: Open) -> None:
    """A newer node in the same cluster must not stop the feed of an older one (fault A10)."""
    database = open_sql(sql_url)
    async with database.write() as tx:
        await tx.messages.append(MessageKind.RELEASE, [REF] * 3)
    await run_sql(sql_url, "UPDATE messages SET kind = 'gray' WHERE id = 2")
    assert await _visible(database) == [1, 3]


@pytest.mark.postgres
async def test_instances__recorded_by_two_nodes_in_opposite_orders__block_neither_for_good(
    clean_postgres_url: str, open_sql: Open
) -> None:
    """Every node notes every client that moves from one to the other; each locks rows until its batch ends."""
    nodes = [open_sql(clean_postgres_url) for _ in range(2)]
    batch = [rows.seen(f"10.0.{number // 250}.{number % 250}") for number in range(500)]

    async def record(database: SqlDatabase, order: int) -> None:
        for _ in range(10):
            async with database.write() as tx:
                await tx.instances.record(batch[::order])

    outcomes = await asyncio.gather(*(outcome(record(node, order)) for node, order in zip(nodes, (1, -1), strict=True)))
    assert outcomes == [None, None]
