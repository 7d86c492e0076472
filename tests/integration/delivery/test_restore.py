"""A day-old copy put back, under running nodes and under one that knows nothing (architecture, promise 1; fault C7)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import event

from helicon_migrations import migrate
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.errors import Unavailable
from helicon_server.storage.sql import SqlDatabase, open_database
from tests.support.postgres import PostgresServer, database_of
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, HeldPoll, ManualBus, World, body, configs, entries, poll

SWEEPS = DeliveryOptions(sweep_s=0.1, warm_up=False)
READ = configs("shop", "default", "application")


@dataclass(frozen=True, slots=True)
class Installation:
    """A database that can be copied and put back while nodes are connected."""

    url: str
    back_up: Callable[[], None]
    restore: Callable[[], None]


def _on_sqlite(path: Path) -> Installation:
    def copy(source: Path, target: Path) -> None:
        # The command-line shell's .backup and .restore.
        with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
            read.backup(written)

    saved = path.with_name("day-old.db")
    return Installation(f"sqlite+aiosqlite:///{path}", lambda: copy(path, saved), lambda: copy(saved, path))


def _on_postgres(server: PostgresServer, url: str) -> Installation:
    name = database_of(url)
    saved = f"{name}_old"

    def back_up() -> None:
        server.sql(f'CREATE DATABASE "{saved}" TEMPLATE "{name}"')

    def restore() -> None:
        server.drop_database(url)
        server.sql(f'CREATE DATABASE "{name}" TEMPLATE "{saved}"')

    return Installation(url, back_up, restore)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """An installation with the schema and nothing else."""
    if request.param == "sqlite":
        made = _on_sqlite(tmp_path / "helicon.db")
        migrate(made.url)
        yield made
        return
    url: str = request.getfixturevalue("postgres_url")
    server: PostgresServer = request.getfixturevalue("postgres")
    migrate(url)
    yield _on_postgres(server, url)
    server.sql(f'DROP DATABASE IF EXISTS "{database_of(url)}_old"')


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[World]:
    database = open_database(url, name="main", on_messages=lambda: None)
    try:
        yield World(database=database)
    finally:
        await database.close()


@asynccontextmanager
async def node(url: str) -> AsyncIterator[tuple[World, Client]]:
    """A started node that hears no hints: it sweeps."""
    async with opened(url) as world:
        plane = DeliveryPlane([(world.database, ManualBus())], "DEV", SWEEPS)
        await plane.start()
        try:
            yield world, Client(plane)
        finally:
            await plane.stop()


async def day_old(installation: Installation) -> None:
    """What stands in the copy: two releases of one namespace, one of another."""
    async with opened(installation.url) as world:
        await world.environments("DEV")
        await world.publish("shop", "kept", {"k": "1"})
        await world.publish("shop", "application", {"a": "older"})
        await world.publish("shop", "application", {"a": "old"})
    await asyncio.to_thread(installation.back_up)


async def publish(world: World, namespace: str, content: dict[str, str]) -> None:
    """Publishes, once more when a connection of the pool turns out to be dead."""
    async with asyncio.timeout(20):
        while True:
            try:
                await world.publish("shop", namespace, content)
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def told(client: Client, namespace: str) -> int:
    """The id that a client gets which has seen nothing."""
    (entry,) = entries(await client.get(poll("shop", "default", {namespace: -1})))
    return number(entry)


async def told_by(held: HeldPoll) -> int:
    await wait_until_async(lambda: held.answer, 20, "answer of the held poll")
    assert held.answer is not None
    assert held.answer.status == 200
    (entry,) = entries(held.answer)
    return number(entry)


def number(entry: dict[str, object]) -> int:
    known = entry["notificationId"]
    assert isinstance(known, int)
    return known


async def served(client: Client) -> object:
    return body(await client.get(READ))["configurations"]


async def test_c7_restore__under_running_nodes__clients_get_the_old_content_under_greater_ids(
    installation: Installation,
) -> None:
    await day_old(installation)
    async with node(installation.url) as (world, client), node(installation.url) as (_, other):
        for value in ("new", "newer", "newest"):
            await world.publish("shop", "application", {"a": value})
        await world.publish("shop", "late", {"l": "1"})
        await client.seen(world)
        await other.seen(world)
        known = {name: await told(client, name) for name in ("application", "late", "kept")}
        assert await served(client) == {"a": "newest"}
        held = {
            name: [each.hold(poll("shop", "default", {name: seen})) for each in (client, other)]
            for name, seen in known.items()
        }

        await asyncio.to_thread(installation.restore)

        for each, poll_of_it in zip((client, other), held["application"], strict=True):
            again = await told_by(poll_of_it)
            assert again > known["application"]
            assert await served(each) == {"a": "old"}
        for poll_of_it in held["late"]:
            assert await told_by(poll_of_it) > known["late"]
        assert (await client.get(configs("shop", "default", "late"))).status == 404
        assert [each.answer for each in held["kept"]] == [None, None]  # nothing of theirs changed

        # Release ids are given a second time; what they stand for is not mixed up.
        before = max(await told(client, "application"), await told(other, "application"))
        await publish(world, "application", {"a": "next"})
        await client.seen(world)
        assert await told(client, "application") > before
        assert await served(client) == {"a": "next"}

    async with node(installation.url) as (_, client):  # no memory of anything
        answer = await client.get(poll("shop", "default", {"application": known["application"]}))
        assert number(entries(answer)[0]) > known["application"]


async def test_c7_restore__under_a_node_that_starts_later_without_snapshot__reads_are_right_and_the_next_release_wakes(
    installation: Installation,
) -> None:
    """It has no snapshot. Only the clients know the ids, and their word proves nothing (section 7.2)."""
    await day_old(installation)
    async with node(installation.url) as (world, client):
        for value in ("new", "newer", "newest"):
            await world.publish("shop", "application", {"a": value})
        await client.seen(world)
        known = await told(client, "application")
    await asyncio.to_thread(installation.restore)

    async with node(installation.url) as (world, client):
        held = await client.hold_after_a_look(poll("shop", "default", {"application": known}))
        assert await served(client) == {"a": "old"}
        assert held.answer is None

        await publish(world, "application", {"a": "next"})
        await told_by(held)
        assert await served(client) == {"a": "next"}


async def test_idle_look__is_one_statement(installation: Installation) -> None:
    """Watching for a restore costs a quiet node nothing more."""
    await day_old(installation)
    statements: list[str] = []
    async with node(installation.url) as (world, _):
        database = world.database._database
        assert isinstance(database, SqlDatabase)

        def count(connection: object, cursor: object, statement: str, *_: object) -> None:
            if not statement.startswith("BEGIN"):
                statements.append(statement)

        event.listen(database._engines.read.sync_engine, "before_cursor_execute", count)
        looks = world.database.reads
        await wait_until_async(lambda: world.database.reads >= looks + 5, 20, "five looks")
    done = world.database.reads - looks

    assert statements
    assert len(statements) <= done + 1  # one may have been under way
