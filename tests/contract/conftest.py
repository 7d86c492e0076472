"""The implementations that the suite runs on."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from helicon_migrations import migrate
from helicon_server.storage.memory import MemoryDatabase
from helicon_server.storage.sql import SqlDatabase, open_database
from helicon_server.storage.sql.tables import metadata
from tests.contract.database import Database, Opened
from tests.support.postgres import PostgresServer, database_of

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: faster than migrating one for each test."""
    path = tmp_path_factory.mktemp("migrated") / "helicon.db"
    migrate(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The address of a fresh, migrated SQLite file."""
    return f"sqlite+aiosqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'helicon.db')}"


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> Iterator[str]:
    """A migrated database that every test finds empty."""
    url = postgres.create_database("contract")
    migrate(url)
    yield url
    postgres.drop_database(url)


@pytest.fixture
def clean_postgres_url(postgres: PostgresServer, migrated_postgres: str) -> str:
    """The address of the migrated database, emptied, with all sequences at their beginning."""
    tables = ", ".join(f'"{name}"' for name in metadata.tables)
    postgres.sql(f"TRUNCATE {tables} RESTART IDENTITY", database_of(migrated_postgres))
    return migrated_postgres


@pytest.fixture(params=["sqlite", POSTGRES])
def sql_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty, migrated database of either kind."""
    name = "sqlite_url" if request.param == "sqlite" else "clean_postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
async def open_sql() -> AsyncIterator[Callable[[str], SqlDatabase]]:
    """Opens databases, each with a pool of its own, like so many nodes; all are closed after the test."""
    opened: list[SqlDatabase] = []

    def open_one(url: str) -> SqlDatabase:
        opened.append(open_database(url, name="main", on_messages=lambda: None))
        return opened[-1]

    yield open_one
    for database in opened:
        await database.close()


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    """An empty database of each implementation."""
    made: Opened
    if request.param == "memory":
        made = Opened(MemoryDatabase("main", on_messages=lambda: made.on_messages()))
    else:
        url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "clean_postgres_url")
        made = Opened(open_database(url, name="main", on_messages=lambda: made.on_messages()))
    yield made
    await made.database.close()


@pytest.fixture
def database(opened: Opened) -> Database:
    """An empty database of each implementation."""
    return opened.database
