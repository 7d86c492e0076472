"""Environments, clusters and definitions of namespaces."""

# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block

from __future__ import annotations

import pytest

from helicon_server.domain.errors import Conflict
from helicon_server.domain.formats import Format
from tests.contract import rows
from tests.contract.database import Database


async def test_environments__listed__by_position_then_name(database: Database) -> None:
    async with database.write() as tx:
        for name, position in (("PRO", 2), ("DEV", 0), ("UAT", 1), ("FAT", 1)):
            await tx.environments.insert(rows.environment(name, position))
    async with database.read() as tx:
        assert [e.name for e in await tx.environments.list()] == ["DEV", "FAT", "UAT", "PRO"]
        assert rows.environment("PRO", 2) == await tx.environments.get("PRO")
        assert await tx.environments.get("GONE") is None


async def test_environment__name_taken__conflicts(database: Database) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.environments.insert(rows.environment("DEV"))
            await tx.environments.insert(rows.environment("DEV", 7))
    assert caught.value.code == "environment_exists"


async def test_clusters__listed__by_name_within_their_app_and_environment(database: Database) -> None:
    async with database.write() as tx:
        for name in ("b", "a", "Z"):
            await tx.clusters.insert(rows.cluster(name))
        await tx.clusters.insert(rows.cluster("a", app="other"))
        await tx.clusters.insert(rows.cluster("a", environment="PRO"))
    async with database.read() as tx:
        assert [c.name for c in await tx.clusters.list("DEV", "order-service")] == ["Z", "a", "b"]
        assert rows.cluster("a") == await tx.clusters.get("DEV", "order-service", "a")
        assert await tx.clusters.get("DEV", "order-service", "A") is None
        assert await tx.clusters.get("DEV", "order-service", "default") is None


@pytest.mark.parametrize("second", ["SHAJQ", "shajq"])
async def test_cluster__name_taken_in_any_case__conflicts(database: Database, second: str) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.clusters.insert(rows.cluster("SHAJQ"))
            await tx.clusters.insert(rows.cluster(second))
    assert caught.value.code == "cluster_exists"


@pytest.mark.parametrize("format_", list(Format))
async def test_definition__of_each_format__comes_back_equal_in_any_case(database: Database, format_: Format) -> None:
    made = rows.definition(f"Redis{format_.suffix}")
    async with database.write() as tx:
        await tx.definitions.insert(made)
    async with database.read() as tx:
        assert made == await tx.definitions.get("DEV", "order-service", made.name.upper())
        assert await tx.definitions.get("PRO", "order-service", made.name) is None
        assert await tx.definitions.get("DEV", "other", made.name) is None


@pytest.mark.parametrize("public", [False, True])
async def test_definition__name_taken_in_the_app_in_any_case__conflicts(database: Database, public: bool) -> None:
    """Also when both are public: the nearer reason is named."""
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.definitions.insert(rows.definition("redis", public=public))
            await tx.definitions.insert(rows.definition("REDIS", public=public))
    assert caught.value.code == "namespace_exists"


async def test_definition__public_name_taken_in_the_environment__conflicts(database: Database) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.definitions.insert(rows.definition("redis", public=True))
            await tx.definitions.insert(rows.definition("Redis", app="other", public=True))
    assert caught.value.code == "public_namespace_exists"


async def test_definition__private_or_elsewhere__may_share_a_public_name(database: Database) -> None:
    async with database.write() as tx:
        await tx.definitions.insert(rows.definition("redis", public=True))
        await tx.definitions.insert(rows.definition("redis", app="other"))
        await tx.definitions.insert(rows.definition("redis", app="third", environment="PRO", public=True))
    async with database.read() as tx:
        of_dev = await tx.definitions.get_public("DEV", "REDIS")
        of_pro = await tx.definitions.get_public("PRO", "redis")
        assert await tx.definitions.get_public("UAT", "redis") is None
    assert of_dev is not None
    assert of_pro is not None
    assert (of_dev.app, of_pro.app) == ("order-service", "third")


async def test_definitions__listed__by_name_and_all_of_them(database: Database) -> None:
    async with database.write() as tx:
        for name in ("b", "a.json", "Z"):
            await tx.definitions.insert(rows.definition(name))
        await tx.definitions.insert(rows.definition("x", app="other", environment="PRO"))
    async with database.read() as tx:
        assert [d.name for d in await tx.definitions.list("DEV", "order-service")] == ["Z", "a.json", "b"]
        assert {"Z", "a.json", "b", "x"} == {d.name for d in await tx.definitions.all()}


async def test_environment__incremental_sync__is_off_until_it_is_switched_on(database: Database) -> None:
    async with database.write() as tx:
        await tx.environments.insert(rows.environment("DEV"))
        await tx.environments.insert(rows.environment("PRO", 1))
    async with database.write() as tx:
        assert await tx.environments.set_incremental("PRO", True)
        assert not await tx.environments.set_incremental("UAT", True)
    async with database.read() as tx:
        assert {e.name: e.incremental for e in await tx.environments.list()} == {"DEV": False, "PRO": True}
        assert await tx.environments.get("PRO") == rows.environment("PRO", 1, incremental=True)
    async with database.write() as tx:
        await tx.environments.insert(rows.environment("FAT", 2, incremental=True))
        assert await tx.environments.get("FAT") == rows.environment("FAT", 2, incremental=True)
        assert await tx.environments.set_incremental("PRO", False)
        assert await tx.environments.get("PRO") == rows.environment("PRO", 1)
