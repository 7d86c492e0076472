# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block
"""PostgreSQL in trouble: every outage is Unavailable with a reason, without a secret, and passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from helicon_server.domain.errors import Unavailable
from helicon_server.storage.sql import SqlDatabase
from helicon_server.storage.sql.dialects import postgres as dialect
from tests.contract import rows
from tests.contract.database import outcome
from tests.contract.failures import reading, reason_of, shown, writing
from tests.contract.rows import REF
from tests.support import ports
from tests.support.postgres import PASSWORD, PostgresServer, database_of
from tests.support.relay import Relay
from tests.support.wait import wait_until

BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'contract%'"
SECRET = "hush"  # not written out where it is used: a traceback shows the line

pytestmark = pytest.mark.postgres

Open = Callable[[str], SqlDatabase]


@pytest.fixture
async def relay(postgres: PostgresServer) -> AsyncIterator[Relay]:
    """Stands between the storage and the server."""
    made = Relay(postgres.port)
    await made.start()
    yield made
    await made.stop()


async def test_any__server_killed_and_started__is_unavailable_meanwhile_and_then_works(
    postgres: PostgresServer, clean_postgres_url: str, open_sql: Open
) -> None:
    """Fault C1: recovery needs no restart of ours and costs no further error."""
    database = open_sql(clean_postgres_url)
    await asyncio.gather(*(reading(database) for _ in range(10)))  # fills the pool
    await writing(database)
    postgres.kill()
    for work in (reading(database), writing(database), reading(database)):
        assert await reason_of(work) in {"refused", "connection_lost"}
    postgres.start()
    await asyncio.gather(*(reading(database) for _ in range(20)))
    await writing(database, "after")
    async with database.read() as tx:
        assert await tx.apps.get("after") is not None


async def test_write__server_killed_in_the_block__is_unavailable_and_leaves_nothing(
    postgres: PostgresServer, clean_postgres_url: str, open_sql: Open
) -> None:
    database = open_sql(clean_postgres_url)
    with pytest.raises(Unavailable):
        async with database.write() as tx:
            await rows.published(tx)
            postgres.kill()
            await tx.audit.append(rows.audit())
    postgres.start()
    async with database.read() as tx:
        assert await tx.namespaces.live() == []


async def test_write__server_killed_before_the_commit__says_that_the_outcome_is_open(
    postgres: PostgresServer, clean_postgres_url: str, open_sql: Open
) -> None:
    """Callers that see this phase repeat with the same idempotency key."""
    database = open_sql(clean_postgres_url)
    with pytest.raises(Unavailable) as caught:
        async with database.write() as tx:
            await rows.published(tx)
            postgres.kill()
    postgres.start()
    assert caught.value.details["phase"] == "commit"


async def test_any__connections_cut_while_idle__are_replaced_without_an_error(
    postgres: PostgresServer, clean_postgres_url: str, open_sql: Open
) -> None:
    """A failover while nobody asks."""
    database = open_sql(clean_postgres_url)
    await asyncio.gather(*(reading(database) for _ in range(10)))
    assert postgres.cut_connections(clean_postgres_url) > 0
    wait_until(lambda: postgres.sql(BACKENDS) == "0", 10, "end of all backends")
    for _ in range(5):
        await asyncio.sleep(0)  # the ends of the streams are in; the loop has to look
    await asyncio.gather(*(reading(database) for _ in range(10)))
    await writing(database)


async def test_any__connection_idle_for_long__is_not_trusted(
    postgres: PostgresServer, clean_postgres_url: str, open_sql: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "IDLE_LIMIT_S", 0.0)
    database = open_sql(clean_postgres_url)
    seen = set()
    for _ in range(3):
        async with database._engines.write.connect() as connection:
            seen.add((await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one())
    assert len(seen) == 3


async def test_any__nobody_listens_at_the_address__is_unavailable(open_sql: Open) -> None:
    database = open_sql(f"postgresql+asyncpg://helicon:hush@127.0.0.1:{ports.free_port()}/helicon")
    assert await reason_of(reading(database)) == "refused"


@pytest.mark.parametrize(
    ("change", "reason"), [((PASSWORD, "hush"), "authentication"), (("contract_", "gone_"), "no_such_database")]
)
async def test_any__address_is_wrong__is_unavailable_and_shows_no_secret(
    clean_postgres_url: str, open_sql: Open, change: tuple[str, str], reason: str
) -> None:
    database = open_sql(clean_postgres_url.replace(*change))
    with pytest.raises(Unavailable) as caught:
        await reading(database)
    assert caught.value.details["reason"] == reason
    assert PASSWORD not in shown(caught.value)
    assert "hush" not in shown(caught.value)


async def test_any__network_falls_silent__is_unavailable_in_bounded_time(
    clean_postgres_url: str, open_sql: Open, relay: Relay, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults B2 and C2: neither an answer nor an end; the clock on our side has to notice."""
    monkeypatch.setattr(dialect, "COMMAND_TIMEOUT_S", 0.3)
    monkeypatch.setattr(dialect, "CONNECT_TIMEOUT_S", 0.3)
    database = open_sql(clean_postgres_url.replace(f":{postgres.port}/", f":{relay.port}/"))
    await reading(database)
    relay.hold()
    assert await reason_of(reading(database)) == "timeout"
    assert await reason_of(writing(database)) == "timeout"
    relay.release()
    await reading(database)
    await writing(database)


async def test_any__pool_exhausted__is_unavailable_not_a_long_queue(
    clean_postgres_url: str, open_sql: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "POOL_SIZE", 1)
    monkeypatch.setattr(dialect, "QUEUE_TIMEOUT_S", 0.1)
    database = open_sql(clean_postgres_url)
    async with database.write() as tx:
        await tx.apps.insert(rows.app("one"))
        assert await reason_of(reading(database)) == "pool_exhausted"
    await writing(database, "two")


async def test_lock__held_for_long__is_unavailable(
    clean_postgres_url: str, open_sql: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(dialect._SERVER_SETTINGS, "lock_timeout", "100ms")
    database = open_sql(clean_postgres_url)
    async with database.write() as tx:
        await tx.namespaces.insert(rows.namespace())

    async def lock() -> None:
        async with database.write() as tx:
            await tx.namespaces.lock([REF])

    async with database.write() as holding:
        await holding.namespaces.lock([REF])
        assert await reason_of(lock()) == "lock_timeout"
    await lock()


async def test_write__node_paused_in_the_block__gives_its_locks_back(
    clean_postgres_url: str, open_sql: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault A3: a node that is stopped in the middle of a publish must not stop all others."""
    monkeypatch.setitem(dialect._SERVER_SETTINGS, "idle_in_transaction_session_timeout", "100ms")
    paused, other = open_sql(clean_postgres_url), open_sql(clean_postgres_url)
    async with other.write() as tx:
        await tx.namespaces.insert(rows.namespace())

    async def pause() -> None:
        async with paused.write() as tx:
            await tx.namespaces.lock([REF])
            async with other.write() as meanwhile:
                [found] = await meanwhile.namespaces.lock([REF])
                assert found is not None

    assert await reason_of(pause()) in {"connection_lost", "idle_in_transaction"}


async def test_write__server_turned_read_only__is_unavailable_and_reads_go_on(
    postgres: PostgresServer, clean_postgres_url: str, open_sql: Open
) -> None:
    """What a standby answers after a failover that our address did not follow."""
    database = open_sql(clean_postgres_url)
    name = database_of(clean_postgres_url)
    postgres.sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        assert await reason_of(writing(database)) == "read_only"
        await reading(database)
    finally:
        postgres.sql(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


@pytest.mark.parametrize("value", ["hush\x00", "hush\udc80"])
async def test_write__value_that_the_database_refuses__is_a_defect_that_does_not_repeat_it(
    clean_postgres_url: str, open_sql: Open, value: str
) -> None:
    database = open_sql(clean_postgres_url)

    async def insert() -> None:
        async with database.write() as tx:
            namespace = await tx.namespaces.insert(rows.namespace())
            await tx.items.insert(namespace.id, [rows.item(value=value)])

    error = await outcome(insert())
    assert isinstance(error, RuntimeError)
    assert "hush" not in shown(error)
    await writing(database)


async def test_write__row_without_its_parent__is_refused_without_repeating_the_row(
    clean_postgres_url: str, open_sql: Open
) -> None:
    database = open_sql(clean_postgres_url)

    async def insert() -> None:
        async with database.write() as tx:
            await tx.items.insert(4711, [rows.item(value=SECRET)])

    error = await outcome(insert())
    assert isinstance(error, RuntimeError)
    assert SECRET not in shown(error)


async def test_schema__changed_under_a_running_node__costs_at_most_one_refusal(
    postgres: PostgresServer, clean_postgres_url: str, open_sql: Open
) -> None:
    """Fault A10: a node of this version runs on while a newer one migrates."""
    database = open_sql(clean_postgres_url)
    await writing(database)
    await reading(database)
    postgres.sql("ALTER TABLE apps ADD COLUMN later text", database_of(clean_postgres_url))
    try:
        outcomes = [await outcome(writing(database, f"app-{number}")) for number in range(3)]
        assert outcomes[1:] == [None, None]
        assert outcomes[0] is None or isinstance(outcomes[0], Unavailable)
    finally:
        postgres.sql("ALTER TABLE apps DROP COLUMN later", database_of(clean_postgres_url))


async def test_url__with_the_sslmode_of_other_tools__is_understood(clean_postgres_url: str, open_sql: Open) -> None:
    await reading(open_sql(f"{clean_postgres_url}?sslmode=prefer"))
