"""The audit."""

from __future__ import annotations

from dataclasses import replace

from tests.contract import rows
from tests.contract.database import Database


async def test_audit__appended__comes_back_equal_with_its_details_in_order(database: Database) -> None:
    async with database.write() as tx:
        await tx.audit.append(rows.audit())
    async with database.read() as tx:
        [entry] = await tx.audit.list(environment="DEV", before_id=None, limit=10)
    assert entry.id > 0
    assert rows.audit() == replace(entry, id=0)
    assert list(entry.detail) == ["keys", "count", "deep"]


async def test_audit__listed__newest_first_page_by_page(database: Database) -> None:
    async with database.write() as tx:
        for number in range(5):
            await tx.audit.append(rows.audit(f"action.{number}"))
    async with database.read() as tx:
        first = await tx.audit.list(environment="DEV", before_id=None, limit=3)
        second = await tx.audit.list(environment="DEV", before_id=first[-1].id, limit=3)
    assert [e.action for e in first] == ["action.4", "action.3", "action.2"]
    assert [e.action for e in second] == ["action.1", "action.0"]


async def test_audit__of_one_environment__leaves_others_and_the_global_out(database: Database) -> None:
    async with database.write() as tx:
        for environment in ("DEV", "PRO", ""):
            await tx.audit.append(rows.audit(f"in.{environment}", environment))
    async with database.read() as tx:
        found = {
            environment: [e.action for e in await tx.audit.list(environment=environment, before_id=None, limit=9)]
            for environment in ("DEV", "PRO", "", "dev")
        }
    assert found == {"DEV": ["in.DEV"], "PRO": ["in.PRO"], "": ["in."], "dev": []}
