"""Processes on one SQLite file learn of each other's commits."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from helicon_migrations import migrate
from helicon_server.bus.sqlite import SqliteBus
from helicon_server.storage.sql import open_database
from tests.contract import rows
from tests.integration.bus.listener import Listener
from tests.support.wait import wait_until

# Answers each line on its input with a publish.
_PUBLISHER = """
import asyncio, sys
from helicon_server.domain.model import MessageKind
from helicon_server.storage.sql import open_database
from tests.contract.rows import REF

async def main(url):
    database = open_database(url, name="main", on_messages=lambda: None)
    for line in sys.stdin:
        async with database.write() as tx:
            await tx.messages.append(MessageKind.RELEASE, [REF])
        print("published", flush=True)
    await database.close()

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "helicon.db"


@pytest.fixture
def url(path: Path) -> str:
    url = f"sqlite+aiosqlite:///{path}"
    migrate(url)
    return url


@pytest.fixture
async def listening(path: Path, url: str) -> AsyncIterator[tuple[SqliteBus, Listener]]:
    """A bus that has given its first hint."""
    bus, listener = SqliteBus(path, interval_s=0.01), Listener()
    await bus.start(listener)
    await listener.first()
    yield bus, listener
    await bus.stop()


async def test_commit__in_another_process__hints(url: str, listening: tuple[SqliteBus, Listener]) -> None:
    _, listener = listening
    command = [sys.executable, "-c", _PUBLISHER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as publisher:
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        for _ in range(3):
            before = listener.hints
            publisher.stdin.write("publish\n")
            publisher.stdin.flush()
            assert await asyncio.to_thread(publisher.stdout.readline) == "published\n"
            await listener.beyond(before, "a publish of another process")


async def test_commit__through_the_storage_of_this_process__hints(
    url: str, listening: tuple[SqliteBus, Listener]
) -> None:
    _, listener = listening
    database = open_database(url, name="main", on_messages=lambda: None)
    before = listener.hints
    async with database.write() as tx:
        await rows.published(tx)
    await listener.beyond(before, "a publish of this process")
    await database.close()


async def test_hint__of_this_process__arrives_without_a_look_at_the_file(path: Path, url: str) -> None:
    bus, listener = SqliteBus(path, interval_s=3600), Listener()
    await bus.start(listener)
    await listener.first()
    bus.hint()
    await listener.beyond(1, "a local commit")
    await bus.stop()


async def test_file__without_commits__gives_no_hints(path: Path, listening: tuple[SqliteBus, Listener]) -> None:
    """Reads and rolled-back writes wake nobody."""
    _, listener = listening
    before = listener.hints
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM apps")
    connection.execute("ROLLBACK")
    connection.execute("SELECT * FROM apps").fetchall()
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert listener.hints == before
    connection.close()


async def test_watch__while_a_writer_has_the_file__goes_on(path: Path, listening: tuple[SqliteBus, Listener]) -> None:
    _, listener = listening
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO environments (name, position, created_at) VALUES ('DEV', 0, '')")
    await asyncio.sleep(0.05)
    before = listener.hints
    connection.execute("COMMIT")
    await listener.beyond(before, "the commit")
    connection.close()


async def test_start__file_not_there_yet__connects_later_and_hints(path: Path) -> None:
    bus, listener = SqliteBus(path, interval_s=0.01), Listener()
    await bus.start(listener)
    await asyncio.sleep(0.05)
    assert listener.hints == 0
    await asyncio.to_thread(migrate, f"sqlite+aiosqlite:///{path}")
    await listener.first()
    await bus.stop()


async def test_stop__afterwards__holds_no_file_and_gives_no_hint(path: Path, url: str) -> None:
    bus, listener = SqliteBus(path, interval_s=0.01), Listener()
    await bus.start(listener)
    await bus.stop()
    bus.hint()
    await asyncio.sleep(0.05)
    assert listener.hints == 0
    held = Path("/proc/self/fd")
    if held.exists():
        wait_until(
            lambda: not any(str(path) in str(link.resolve()) for link in held.iterdir()), 5, "release of the file"
        )
