"""The PostgreSQL that other tests rely on keeps its own promises."""

from __future__ import annotations

import asyncpg
import pytest

from tests.support.postgres import PASSWORD, PostgresServer, database_of, start_postgres

pytestmark = pytest.mark.postgres


async def _answer(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_postgres__asked_over_tcp__answers_with_the_password_only(postgres: PostgresServer) -> None:
    """Connections need the password, so that a leak of it can be found in logs."""
    assert await _answer(postgres.dsn(), "SELECT 1") == 1

    with pytest.raises(asyncpg.InvalidPasswordError):
        await _answer(postgres.dsn().replace(PASSWORD, "wrong"), "SELECT 1")


async def test_postgres_url__two_tests__see_an_empty_database(postgres: PostgresServer, postgres_url: str) -> None:
    """Each test has a database of its own."""
    dsn = postgres.dsn(database_of(postgres_url))

    assert await _answer(dsn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


async def test_postgres__connections_cut__running_connection_fails_and_new_one_works(
    postgres: PostgresServer, postgres_url: str
) -> None:
    """cut_connections() ends what is open in one database and nothing else."""
    dsn = postgres.dsn(database_of(postgres_url))
    victim = await asyncpg.connect(dsn)

    assert postgres.cut_connections(postgres_url) == 1

    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError)):
        await victim.fetchval("SELECT 1")
    assert await _answer(dsn, "SELECT 1") == 1


def test_postgres__killed_and_started__keeps_port_and_committed_rows() -> None:
    """A kill is a crash: what was committed is there after the restart, under the same address."""
    server = start_postgres(durable=True)
    try:
        url = server.create_database()
        server.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)", database_of(url))

        server.kill()
        assert not server.running
        server.start()

        assert server.sql("SELECT n FROM kept", database_of(url)) == "7"
    finally:
        server.remove()
    assert not server.home.exists()
