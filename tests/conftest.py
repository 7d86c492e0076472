"""Fixtures that every tier may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ports
from tests.support.postgres import PostgresServer, PostgresUnavailableError, start_postgres
from tests.support.server import Servers, server_environment
from tests.support.this_tree import require_this_tree


@pytest.fixture(scope="session", autouse=True)
def this_tree(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The server processes that tests start are of this checkout."""
    packages = ["helicon_server", "helicon_migrations", "helicon_portal"]
    require_this_tree(packages, server_environment(), tmp_path_factory.getbasetemp())


@pytest.fixture
def free_port() -> int:
    """A loopback port that nothing listens on."""
    return ports.free_port()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One real PostgreSQL server for the whole run; skipped, with the reason, where it cannot run."""
    try:
        server = start_postgres()
    except PostgresUnavailableError as error:
        pytest.skip(f"no PostgreSQL: {error}")
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of a fresh, empty PostgreSQL database, dropped after the test."""
    if not postgres.running:
        postgres.start()  # an earlier test ended it and failed before it could start it again
    url = postgres.create_database()
    yield url
    if not postgres.running:
        postgres.start()
    postgres.drop_database(url)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Starts real server processes; whatever the test leaves running is killed."""
    nodes = Servers(tmp_path)
    yield nodes
    nodes.close()
