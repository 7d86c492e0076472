"""Nodes and their heartbeats, on the database's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from helicon_server.storage.sql import SqlDatabase
from tests.contract import rows
from tests.contract.database import Database, run_sql

# By the test's clock, which is that of the database's machine too; generous, for it is not what is tested.
SOON = timedelta(minutes=10)


async def test_node__beats__is_listed_with_the_databases_time(database: Database) -> None:
    async with database.write() as tx:
        await tx.nodes.beat(rows.node())
    async with database.read() as tx:
        [found] = await tx.nodes.list(beaten_within_s=600)
    assert replace(rows.node(), beat_at=found.beat_at) == found
    assert abs(datetime.now(UTC) - found.beat_at) < SOON
    assert found.beat_at.utcoffset() == timedelta(0)


async def test_nodes__listed__by_their_start(database: Database) -> None:
    async with database.write() as tx:
        await tx.nodes.beat(rows.node("a", started_at=rows.LATER))
        await tx.nodes.beat(rows.node("c"))
        await tx.nodes.beat(rows.node("b"))
    async with database.read() as tx:
        assert [node.id for node in await tx.nodes.list(beaten_within_s=600)] == ["b", "c", "a"]
        assert list(await tx.nodes.list(beaten_within_s=-600)) == []


async def test_node__beats_again__is_one_node_with_what_it_says_now(database: Database) -> None:
    async with database.write() as tx:
        await tx.nodes.beat(rows.node())
        await tx.nodes.beat(rows.node("other"))
    async with database.write() as tx:
        before = {node.id: node for node in await tx.nodes.list(beaten_within_s=600)}
        await tx.nodes.beat(rows.node(url="https://h", roles=("delivery",), version="2"))
    async with database.read() as tx:
        after = {node.id: node for node in await tx.nodes.list(beaten_within_s=600)}
    expected = rows.node(url="https://h", roles=("delivery",), version="2", beat_at=after["n1"].beat_at)
    assert after == {"n1": expected, "other": before["other"]}
    assert before["n1"].beat_at <= after["n1"].beat_at


async def test_node__removed__is_listed_no_more(database: Database) -> None:
    async with database.write() as tx:
        await tx.nodes.beat(rows.node())
        await tx.nodes.beat(rows.node("other"))
        await tx.nodes.remove("n1")
        await tx.nodes.remove("never-there")
    async with database.read() as tx:
        assert [node.id for node in await tx.nodes.list(beaten_within_s=600)] == ["other"]


async def _age(sql_url: str, id_: str, by: timedelta) -> None:
    then = (datetime.now(UTC) - by).isoformat(timespec="microseconds")
    await run_sql(sql_url, f"UPDATE nodes SET beat_at = '{then}' WHERE id = '{id_}'")


async def test_nodes__with_an_old_heartbeat__are_asked_by_its_age(
    sql_url: str, open_sql: Callable[[str], SqlDatabase]
) -> None:
    database = open_sql(sql_url)
    async with database.write() as tx:
        await tx.nodes.beat(rows.node("old"))
    await _age(sql_url, "old", timedelta(minutes=10))
    async with database.read() as tx:
        assert list(await tx.nodes.list(beaten_within_s=540)) == []
        assert len(await tx.nodes.list(beaten_within_s=660)) == 1


async def test_node__starts__removes_those_that_are_silent_for_a_day(
    sql_url: str, open_sql: Callable[[str], SqlDatabase]
) -> None:
    database = open_sql(sql_url)
    async with database.write() as tx:
        for id_ in ("gone", "silent"):
            await tx.nodes.beat(rows.node(id_))
    await _age(sql_url, "gone", timedelta(hours=25))
    await _age(sql_url, "silent", timedelta(hours=23))
    async with database.write() as tx:
        await tx.nodes.beat(rows.node("new"))
    async with database.read() as tx:
        assert {node.id for node in await tx.nodes.list(beaten_within_s=1e9)} == {"silent", "new"}
