"""Nodes on one PostgreSQL database wake each other, also after the connection was lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from helicon_migrations import migrate
from helicon_server.bus import postgres as postgres_bus
from helicon_server.bus.postgres import PostgresBus
from helicon_server.domain.model import MessageKind
from helicon_server.storage.sql import SqlDatabase, open_database
from helicon_server.storage.sql.dialects import postgres as storage_dialect
from tests.contract.rows import REF
from tests.integration.bus.listener import DEADLINE_S, Listener
from tests.support import ports
from tests.support.postgres import PASSWORD, PostgresServer, database_of
from tests.support.relay import Relay
from tests.support.wait import wait_until_async

pytestmark = pytest.mark.postgres

_LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'helicon-bus' AND datname = '{}'"


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_bus, "BACKOFF_CEILING_S", 0.2)


@pytest.fixture
async def listening(postgres_url: str) -> AsyncIterator[Listener]:
    """A bus that is connected and has given its first hint."""
    bus, listener = PostgresBus(postgres_url), Listener()
    await bus.start(listener)
    await listener.first()
    yield listener
    await bus.stop()


@pytest.fixture
async def other_node(postgres_url: str) -> AsyncIterator[SqlDatabase]:
    await asyncio.to_thread(migrate, postgres_url)
    database = open_database(postgres_url, name="main", on_messages=lambda: None)
    yield database
    await database.close()


async def _publish(database: SqlDatabase) -> None:
    async with database.write() as tx:
        await tx.messages.append(MessageKind.RELEASE, [REF])


async def test_commit__of_another_node__hints(listening: Listener, other_node: SqlDatabase) -> None:
    for _ in range(3):
        before = listening.hints
        await _publish(other_node)
        await listening.beyond(before, "a publish of another node")


async def test_notice__before_the_commit__is_not_sent(listening: Listener, other_node: SqlDatabase) -> None:
    """A node that looked before the commit would find nothing, and wait for its sweep."""
    async with other_node.write() as tx:
        await tx.messages.append(MessageKind.RELEASE, [REF])
        before = listening.hints
        await asyncio.sleep(0.1)
        assert listening.hints == before
    await listening.beyond(before, "the commit")


async def test_hint__of_this_process__needs_no_server() -> None:
    bus, listener = PostgresBus(f"postgresql+asyncpg://u:p@127.0.0.1:{ports.free_port()}/d"), Listener()
    await bus.start(listener)
    bus.hint()
    await listener.first()
    await bus.stop()


async def test_connection__ended_by_the_server__comes_back_with_a_hint(
    postgres: PostgresServer, postgres_url: str, listening: Listener, other_node: SqlDatabase
) -> None:
    """What was said while nobody listened is lost, so the reconnect itself hints."""
    before = listening.hints
    assert postgres.cut_connections(postgres_url) >= 1
    await listening.beyond(before, "the reconnect")
    before = listening.hints
    await _publish(other_node)
    await listening.beyond(before, "a publish after the reconnect")


async def test_server__killed_and_started__comes_back_with_a_hint(
    postgres: PostgresServer, listening: Listener
) -> None:
    with capture_logs() as logs:
        before = listening.hints
        postgres.kill()
        await wait_until_async(lambda: [log for log in logs if log["event"] == "bus.lost"], DEADLINE_S, "word of it")
        assert listening.hints == before
        postgres.start()
        await listening.beyond(before, "the reconnect")
    assert [log["event"] for log in logs] == ["bus.lost", "bus.connected"], "one line for an outage, one for its end"


async def test_start__server_away__returns_and_connects_later(postgres: PostgresServer, postgres_url: str) -> None:
    bus, listener = PostgresBus(postgres_url), Listener()
    postgres.stop()
    await asyncio.wait_for(bus.start(listener), DEADLINE_S)
    await asyncio.sleep(0.1)
    assert listener.hints == 0
    postgres.start()
    await listener.first()
    await bus.stop()


async def test_network__falls_silent__is_noticed_by_the_ping(
    postgres: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall that forgot the connection says nothing; only a question finds out."""
    for name in ("PING_INTERVAL_S", "PING_TIMEOUT_S", "CONNECT_TIMEOUT_S", "CLOSE_TIMEOUT_S"):
        monkeypatch.setattr(postgres_bus, name, 0.2)
    relay = Relay(postgres.port)
    await relay.start()
    bus, listener = PostgresBus(postgres_url.replace(f":{postgres.port}/", f":{relay.port}/")), Listener()
    with capture_logs() as logs:
        await bus.start(listener)
        await listener.first()
        relay.hold()
        await wait_until_async(lambda: [log for log in logs if log["event"] == "bus.lost"], DEADLINE_S, "word of it")
        before = listener.hints
        relay.release()
        await listener.beyond(before, "the reconnect")
    await bus.stop()
    await relay.stop()


async def test_stop__afterwards__no_connection_and_no_hint(
    postgres: PostgresServer, postgres_url: str, other_node: SqlDatabase
) -> None:
    bus, listener = PostgresBus(postgres_url), Listener()
    await bus.start(listener)
    await listener.first()
    await asyncio.wait_for(bus.stop(), 5)
    before = listener.hints
    await _publish(other_node)
    bus.hint()
    count = _LISTENERS.format(database_of(postgres_url))
    await wait_until_async(lambda: postgres.sql(count) == "0", DEADLINE_S, "end of the connection")
    assert listener.hints == before


async def test_stop__while_connecting_or_waiting__ends() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as silent:  # takes connections and says nothing
        for port in (silent.getsockname()[1], ports.free_port()):
            bus = PostgresBus(f"postgresql+asyncpg://u:p@{ports.LOOPBACK}:{port}/d")
            await bus.start(Listener())
            await asyncio.sleep(0.05)
            await asyncio.wait_for(bus.stop(), 5)


async def test_log__of_a_refused_login__shows_no_secret(postgres_url: str) -> None:
    bus = PostgresBus(postgres_url.replace(PASSWORD, "hush"))
    with capture_logs() as logs:
        await bus.start(Listener())
        await wait_until_async(lambda: logs, DEADLINE_S, "word of it")
        await bus.stop()
    assert logs[0]["reason"] == "28P01"
    assert "hush" not in str(logs)


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///hush", "postgresql+asyncpg://u:hush@h:port/d", "hush"])
def test_url__that_names_no_server__is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="URL must") as caught:
        PostgresBus(url)
    assert "hush" not in str(caught.value)


def test_channel__of_storage_and_bus__is_the_same() -> None:
    """They may not import each other."""
    assert storage_dialect.CHANNEL == postgres_bus.CHANNEL
