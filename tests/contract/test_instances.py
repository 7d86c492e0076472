"""Records of running clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from helicon_server.domain.instance import InstanceRelease
from helicon_server.storage.sql import SqlDatabase
from tests.contract import rows
from tests.contract.database import Database


async def test_instances__recorded__are_listed_last_seen_first(database: Database) -> None:
    at = [rows.NOW + timedelta(seconds=number) for number in range(3)]
    whole = rows.seen("10.0.0.9", data_center="SHAJQ", label="灰度", release_cluster="b1", seen_at=at[1])
    async with database.write() as tx:
        await tx.instances.record([rows.seen("10.0.0.1", seen_at=at[0]), rows.seen("10.0.0.2", seen_at=at[2]), whole])
        await tx.instances.record([rows.seen(environment="PRO"), rows.seen(owner="x"), rows.seen(namespace="redis")])
        await tx.instances.record([])
    async with database.read() as tx:
        found = await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=10)
        first = await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=2)
    assert [seen.ip for seen in found] == ["10.0.0.2", "10.0.0.9", "10.0.0.1"]
    assert found[1] == whole
    assert list(first) == list(found)[:2]


async def test_instances__of_one_release__are_those_that_hold_it_now(database: Database) -> None:
    async with database.write() as tx:
        await tx.instances.record([rows.seen("10.0.0.1"), rows.seen("10.0.0.2"), rows.seen("10.0.0.3")])
        await tx.instances.record([rows.seen("10.0.0.2", release_key="k2")])
    async with database.read() as tx:
        old = await tx.instances.list("DEV", "order-service", "application", release_key="k1", limit=10)
        new = await tx.instances.list("DEV", "order-service", "application", release_key="k2", limit=10)
    assert [seen.ip for seen in old] == ["10.0.0.1", "10.0.0.3"]
    assert [seen.ip for seen in new] == ["10.0.0.2"]


async def test_instances__of_some_clusters__are_those_whose_release_is_of_one_of_them(database: Database) -> None:
    async with database.write() as tx:
        await tx.instances.record([rows.seen("1", release_cluster="b1"), rows.seen("2", release_cluster="SHAJQ")])
        await tx.instances.record([rows.seen("3"), rows.seen("4", release_key="k2")])
    found = {}
    async with database.read() as tx:
        for key, clusters in ((None, ["default", "b1"]), ("k1", ["default", "b1"]), (None, ["other"]), (None, [])):
            listed = await tx.instances.list(
                "DEV", "order-service", "application", release_key=key, limit=9, release_clusters=clusters
            )
            found[key, len(clusters)] = {seen.ip for seen in listed}
    assert found == {(None, 2): {"1", "3", "4"}, ("k1", 2): {"1", "3"}, (None, 1): set(), (None, 0): set()}


async def test_instance__seen_again__keeps_the_delivery_of_its_release_only(database: Database) -> None:
    first = rows.seen()
    again = replace(first, label="l", delivered_at=rows.LATER, seen_at=rows.LATER)
    next_release = replace(again, release_key="k2", release_cluster="b1", delivered_at=again.seen_at)
    found: list[InstanceRelease] = []
    for record in (first, again, next_release):
        async with database.write() as tx:
            await tx.instances.record([record])
            found += await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=10)
    assert found == [first, replace(again, delivered_at=first.delivered_at), next_release]


async def test_instance__record_older_than_the_stored_one__changes_nothing(database: Database) -> None:
    """Nodes write behind their answers, each at its own pace."""
    newest = rows.seen(release_key="k2", seen_at=rows.LATER)
    async with database.write() as tx:
        await tx.instances.record([newest])
        await tx.instances.record([rows.seen(label="old")])
    async with database.read() as tx:
        assert list(await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=9)) == [
            newest
        ]


async def test_instance__several_times_in_one_batch__is_one_record_of_the_newest(database: Database) -> None:
    newest = rows.seen(release_key="k2", seen_at=rows.LATER)
    async with database.write() as tx:
        await tx.instances.record([rows.seen(), newest, rows.seen(label="old")])
        found = await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=9)
    assert list(found) == [newest]


async def test_instances__not_seen_since__are_forgotten_in_chunks(database: Database) -> None:
    async with database.write() as tx:
        old = [rows.seen(f"10.0.0.{number}", seen_at=rows.NOW + timedelta(seconds=number)) for number in range(5)]
        await tx.instances.record([*old, rows.seen("10.0.1.2", seen_at=rows.LATER)])
    counts = []
    for _ in range(4):
        async with database.write() as tx:
            counts.append(await tx.instances.forget_before(rows.LATER, limit=2))
    async with database.read() as tx:
        found = await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=9)
    assert counts == [2, 2, 1, 0]
    assert [seen.ip for seen in found] == ["10.0.1.2"]


@pytest.mark.postgres
async def test_forgetting__does_not_wait_for_a_record_that_is_being_written(
    clean_postgres_url: str, open_sql: Callable[[str], SqlDatabase]
) -> None:
    """So that it can be in no deadlock with nodes that write behind."""
    database = open_sql(clean_postgres_url)
    async with database.write() as tx:
        await tx.instances.record([rows.seen("10.0.0.1"), rows.seen("10.0.0.2")])
    async with database.write() as writing:
        await writing.instances.record([rows.seen("10.0.0.1", seen_at=rows.LATER)])
        async with asyncio.timeout(20), database.write() as tx:
            assert await tx.instances.forget_before(rows.LATER, limit=9) == 1
    async with database.read() as tx:
        (kept,) = await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=9)
    assert kept.ip == "10.0.0.1"


async def test_instances__500_at_once__are_all_recorded(database: Database) -> None:
    batch = [rows.seen(f"10.0.{number // 250}.{number % 250}") for number in range(500)]
    for _ in range(2):
        async with database.write() as tx:
            await tx.instances.record(batch)
    async with database.read() as tx:
        found = await tx.instances.list("DEV", "order-service", "application", release_key=None, limit=1000)
    assert {seen.ip for seen in batch} == {seen.ip for seen in found}
    assert len(found) == 500
