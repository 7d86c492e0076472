"""Several nodes on one PostgreSQL database: published through one, received from the other, whatever breaks between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from helicon_migrations import migrate
from helicon_server.bus.postgres import PostgresBus
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.errors import Unavailable
from helicon_server.storage.sql import SqlDatabase, open_database
from tests.support.postgres import PostgresServer, start_postgres
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, HeldPoll, World, body, configs, entries, poll

pytestmark = pytest.mark.postgres

READ = configs("shop", "default", "application")
NEVER_SWEEPS = DeliveryOptions(sweep_s=3600, warm_up=False)
SWEEPS = DeliveryOptions(sweep_s=0.2, warm_up=False)


@dataclass(slots=True)
class PostgresNode:
    """A node as the composition root builds it: its own pool and its own listening connection."""

    database: SqlDatabase
    plane: DeliveryPlane
    world: World
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.plane)


@asynccontextmanager
async def node(url: str, options: DeliveryOptions) -> AsyncIterator[PostgresNode]:
    """A started node; its own commits hint its own plane."""
    bus = PostgresBus(url)
    database = open_database(url, name="main", on_messages=bus.hint)
    plane = DeliveryPlane([(database, bus)], "DEV", options)
    try:
        await plane.start()
        yield PostgresNode(database, plane, World(database=database))
    finally:
        await plane.stop()
        await database.close()


async def prepared(url: str) -> str:
    """Gives an empty database the schema and an environment DEV."""
    await asyncio.to_thread(migrate, url)
    database = open_database(url, name="main", on_messages=lambda: None)
    await World(database=database).environments("DEV")
    await database.close()
    return url


@pytest.fixture
async def schema(postgres_url: str) -> str:
    """The address of a database with the schema and an environment DEV."""
    return await prepared(postgres_url)


@pytest.fixture
def durable_postgres(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server of this test's own that may be killed and keeps what it acknowledged."""
    del postgres  # only its skip is wanted, on machines that have none
    server = start_postgres(durable=True)
    yield server
    server.remove()


async def answered(held: HeldPoll) -> list[dict[str, object]]:
    await wait_until_async(lambda: held.answer, 15, "answer of the held poll")
    assert held.answer is not None
    return entries(held.answer)


async def test_publish_on_one__is_received_from_the_other(schema: str) -> None:
    """LISTEN/NOTIFY: no sweep is due in this test."""
    async with node(schema, NEVER_SWEEPS) as one, node(schema, NEVER_SWEEPS) as other:
        await one.world.publish("shop", "application", {"a": "1"})
        await wait_until_async(lambda: other.client.plane.health().databases[0].seen_id > 1, 10, "first release")
        newest = await one.world.newest_message()
        await other.client.seen(other.world)
        held = other.client.hold(poll("shop", "default", {"application": newest}))

        await one.world.publish("shop", "application", {"a": "2"})

        assert (await answered(held))[0]["notificationId"] == await one.world.newest_message()
        assert body(await other.client.get(READ))["configurations"] == {"a": "2"}


async def test_told_by_one__reads_from_the_other_that_is_behind__never_gets_the_old(schema: str) -> None:
    """Promise 3 and section 4.6: the other node has heard nothing, the client names the id."""
    async with node(schema, NEVER_SWEEPS) as one:
        database = open_database(schema, name="main", on_messages=lambda: None)
        deaf = World(database=database)
        plane = deaf.plane(NEVER_SWEEPS)  # its bus is a dead one: it hears of nothing
        await deaf.publish("shop", "application", {"a": "old"})
        await plane.start()
        behind = Client(plane)
        assert body(await behind.get(READ))["configurations"] == {"a": "old"}
        held = one.client.hold(poll("shop", "default", {"application": await one.world.newest_message()}))

        await one.world.publish("shop", "application", {"a": "new"})
        (told,) = await answered(held)

        asked = configs("shop", "default", "application", messages=json.dumps(told["messages"]))
        assert body(await behind.get(asked))["configurations"] == {"a": "new"}
        await plane.stop()
        await database.close()


async def test_connections_cut__on_both__releases_arrive_nevertheless(schema: str, postgres: PostgresServer) -> None:
    """Faults B1 and A4: the notice of a cut connection is lost, the table is read after each reconnect."""
    async with node(schema, SWEEPS) as one, node(schema, SWEEPS) as other:
        held = other.client.hold(poll("shop", "default", {"application": -1}))

        postgres.cut_connections(schema)
        async with asyncio.timeout(20):
            while True:
                try:
                    await one.world.publish("shop", "application", {"a": "1"})
                    break
                except Unavailable:  # the pool finds its connections dead, once each
                    await asyncio.sleep(0.05)

        assert (await answered(held))[0]["namespaceName"] == "application"
        assert body(await other.client.get(READ))["configurations"] == {"a": "1"}


async def test_database_killed__reads_and_polls_go_on_and_recover(durable_postgres: PostgresServer) -> None:
    """Promise 7 and fault C1, with the real neighbour."""
    url = await prepared(durable_postgres.create_database())
    async with node(url, SWEEPS) as one:
        await one.world.publish("shop", "application", {"a": "1"})
        await one.client.seen(one.world)
        known = await one.world.newest_message()
        held = one.client.hold(poll("shop", "default", {"application": known}))

        durable_postgres.kill()
        await wait_until_async(lambda: one.plane.health().databases[0].away_since, 20, "outage in the health")
        assert one.plane.ready
        assert body(await one.client.get(READ))["configurations"] == {"a": "1"}
        assert held.answer is None

        await asyncio.to_thread(durable_postgres.start)
        await wait_until_async(lambda: not one.plane.health().databases[0].away_since, 20, "recovery")
        await one.world.publish("shop", "application", {"a": "2"})
        assert (await answered(held))[0]["namespaceName"] == "application"
        assert body(await one.client.get(READ))["configurations"] == {"a": "2"}
