"""A process that dies in the middle of a publish, or right after it (faults A5 and C5)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from helicon_server.storage.sql import SqlDatabase
from tests.contract.rows import REF

_PUBLISHER = """
import asyncio, sys
from helicon_server.storage.sql import open_database
from tests.contract import rows

async def main(url, dies):
    database = open_database(url, name="main", on_messages=lambda: None)
    async with database.write() as tx:
        namespace = await rows.published(tx)
        await tx.items.insert(namespace.id, [rows.item(f"key-{number}", number) for number in range(100)])
        await tx.audit.append(rows.audit())
        if dies == "before":
            print("written", flush=True)
            await asyncio.sleep(600)
    print("acknowledged", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


def _publish_and_die(url: str, when: str) -> str:
    with subprocess.Popen([sys.executable, "-c", _PUBLISHER, url, when], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        process.kill()
    return said


@pytest.mark.parametrize(("when", "said", "rows_left"), [("before", "written", 0), ("after", "acknowledged", 1)])
async def test_a5_publish__process_killed__is_there_as_a_whole_or_not_at_all(
    sql_url: str, open_sql: Callable[[str], SqlDatabase], when: str, said: str, rows_left: int
) -> None:
    assert _publish_and_die(sql_url, when) == said
    database = open_sql(sql_url)
    async with database.read() as tx:
        live = await tx.namespaces.live()
        messages = await tx.messages.after(0, limit=9)
        audit = await tx.audit.list(environment="DEV", before_id=None, limit=9)
        namespace = await tx.namespaces.get(REF)
        items = [] if namespace is None else await tx.items.list(namespace.id)
    assert [rows_left] * 3 == [len(live), len(messages), len(audit)]
    assert len(items) == 100 * rows_left


async def test_write__after_a_writer_was_killed__does_not_wait_for_it(
    sql_url: str, open_sql: Callable[[str], SqlDatabase]
) -> None:
    """Its locks die with its connection."""
    assert _publish_and_die(sql_url, "before") == "written"
    assert _publish_and_die(sql_url, "after") == "acknowledged"
    async with open_sql(sql_url).read() as tx:
        assert len(await tx.namespaces.live()) == 1
