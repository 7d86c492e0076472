# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block
"""SQLite in trouble: every failure of the file or the disk is Unavailable with a reason, and passes by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from helicon_server.domain.errors import Unavailable
from helicon_server.storage.sql import SqlDatabase, open_database
from helicon_server.storage.sql.dialects import sqlite
from tests.contract import rows
from tests.contract.failures import reading, reason_of, shown, writing

SECRET = "hush\udc80"  # half a surrogate pair; not written out where it is used: a traceback shows the line

Open = Callable[[str], SqlDatabase]


@pytest.fixture
def path(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite+aiosqlite:///"))


@pytest.fixture
def other_writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process that has the file to write."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


async def test_write__another_process_keeps_the_file__is_unavailable_until_it_lets_go(
    sqlite_url: str, open_sql: Open, other_writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    database = open_sql(sqlite_url)
    assert await reason_of(writing(database)) == "database_locked"
    await reading(database)
    other_writer.execute("ROLLBACK")
    await writing(database)


async def test_write__another_process_is_done_in_time__waits_for_it(
    sqlite_url: str, open_sql: Open, other_writer: sqlite3.Connection
) -> None:
    database = open_sql(sqlite_url)
    waiting = asyncio.create_task(writing(database))
    await asyncio.wait({waiting}, timeout=0.2)
    assert not waiting.done()
    other_writer.execute("ROLLBACK")
    await waiting


async def test_write__disk_full__leaves_nothing_and_works_when_there_is_room(
    sqlite_url: str, open_sql: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page limit makes SQLite give the error of a full disk (fault C3)."""
    monkeypatch.setattr(sqlite, "_ON_CONNECT", (*sqlite._ON_CONNECT, "PRAGMA max_page_count = 60"))
    full = open_sql(sqlite_url)
    await writing(full, "small")

    async def publish(database: SqlDatabase) -> None:
        async with database.write() as tx:
            await rows.published(tx, content={"content": "x" * 500_000})

    assert await reason_of(publish(full)) == "disk_full"
    async with full.read() as tx:
        assert await tx.namespaces.list("DEV", "order-service") == []
        assert await tx.messages.newest_id() == 0
    await writing(full, "small-too")
    monkeypatch.undo()
    await publish(open_sql(sqlite_url))
    async with full.read() as tx:
        assert len(await tx.namespaces.live()) == 1


async def test_write__file_read_only__is_unavailable_and_reads_go_on(sqlite_url: str, open_sql: Open) -> None:
    database = open_sql(sqlite_url.replace("///", "///file:") + "?mode=ro&uri=true")
    assert await reason_of(writing(database)) == "read_only"
    await reading(database)


async def test_any__folder_missing__is_unavailable_until_it_is_there(
    sqlite_url: str, path: Path, open_sql: Open
) -> None:
    folder = path.parent / "later"
    database = open_sql(f"sqlite+aiosqlite:///{folder / 'helicon.db'}")
    assert await reason_of(reading(database)) == "cannot_open"
    assert await reason_of(writing(database)) == "cannot_open"
    folder.mkdir()
    path.rename(folder / "helicon.db")
    await reading(database)
    await writing(database)


async def test_any__file_is_no_database__is_unavailable(tmp_path: Path, open_sql: Open) -> None:
    (tmp_path / "text.db").write_text("not a database " * 100)
    database = open_sql(f"sqlite+aiosqlite:///{tmp_path / 'text.db'}")
    assert await reason_of(reading(database)) == "corrupt"
    assert await reason_of(writing(database)) == "corrupt"


async def test_write__writer_busy_for_long__is_unavailable_not_a_long_queue(
    sqlite_url: str, open_sql: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "QUEUE_TIMEOUT_S", 0.1)
    database = open_sql(sqlite_url)
    async with database.write() as tx:
        await tx.apps.insert(rows.app("one"))
        assert await reason_of(writing(database, "two")) == "pool_exhausted"
        await reading(database)
    await writing(database, "three")


async def test_write__schema_missing__is_a_defect_not_an_outage(tmp_path: Path, open_sql: Open) -> None:
    """Repeating such a request helps nobody, so it must not look like a database that is away."""
    database = open_sql(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(RuntimeError, match="refused a statement"):
        await writing(database)


async def test_write__value_that_the_driver_refuses__is_not_repeated_in_the_error(
    sqlite_url: str, open_sql: Open
) -> None:
    database = open_sql(sqlite_url)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the driver's choice
        async with database.write() as tx:
            namespace = await tx.namespaces.insert(rows.namespace())
            await tx.items.insert(namespace.id, [rows.item(value=SECRET)])
    assert not isinstance(caught.value, Unavailable)
    assert "hush" not in shown(caught.value)


async def test_writer__of_a_file__syncs_each_commit_and_checks_keys(sqlite_url: str, open_sql: Open) -> None:
    """WAL with FULL: an acknowledged publish survives a power cut (fault C5)."""
    database = open_sql(sqlite_url)
    async with database._engines.write.connect() as connection:
        found = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


async def test_reader__writes_against_its_type__is_refused_by_the_database(sqlite_url: str, open_sql: Open) -> None:
    database = open_sql(sqlite_url)
    async with database._engines.read.connect() as connection:
        with pytest.raises(Exception, match="readonly"):
            await connection.execute(text("DELETE FROM apps"))


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "sqlite:///x", "mysql://hush"])
def test_open__url_that_cannot_be_used__is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="URL must") as caught:
        open_database(url, name="main", on_messages=lambda: None)
    assert "hush" not in str(caught.value)
