"""Reads that need no common snapshot."""

from __future__ import annotations

from helicon_server.domain.model import Environment
from tests.contract.database import Database
from tests.contract.rows import NOW


async def test_peek_sees_what_was_committed_before_it(database: Database) -> None:
    async with database.peek() as tx:
        assert await tx.environments.get("DEV") is None
    async with database.write() as tx:
        await tx.environments.insert(Environment("DEV", 0, NOW))
    async with database.peek() as tx:
        found = await tx.environments.get("DEV")
    assert found is not None
    assert found.name == "DEV"


async def test_peek_leaves_no_transaction_behind(database: Database) -> None:
    for number in range(30):  # more than any pool has connections
        async with database.peek() as tx:
            assert await tx.users.get(f"nobody{number}") is None
    async with database.write() as tx:
        await tx.environments.insert(Environment("DEV", 0, NOW))
