"""How often a call talks to the database: the same for one row and for many, and seldom for a publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import event

from helicon_server.domain.model import MessageKind
from helicon_server.storage.sql import SqlDatabase
from tests.contract import rows
from tests.contract.rows import REF


class Counter:
    """Counts the statements of a database; BEGIN and COMMIT are not counted."""

    def __init__(self, database: SqlDatabase) -> None:
        self.database = database
        self.statements: list[str] = []
        for engine in {database._engines.read.sync_engine, database._engines.write.sync_engine}:
            event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            self.statements.append(statement)


@pytest.fixture
async def counter(sql_url: str, open_sql: Callable[[str], SqlDatabase]) -> Counter:
    """A database whose dialect has asked its own questions already."""
    database = open_sql(sql_url)
    async with database.write() as tx:
        await tx.namespaces.insert(rows.namespace())
    async with database.read() as tx:
        await tx.namespaces.live()
    return Counter(database)


@pytest.mark.parametrize("number", [1, 400])
async def test_items__of_any_number__take_one_statement_a_call(counter: Counter, number: int) -> None:
    async with counter.database.write() as tx:
        await tx.items.insert(1, [rows.item(f"key-{index}", index) for index in range(number)])
        items = await tx.items.list(1)
        await tx.items.update([replace(item, value="new") for item in items])
        await tx.items.delete([item.id for item in items])
    assert [statement.split()[0] for statement in counter.statements] == ["INSERT", "SELECT", "UPDATE", "DELETE"]


@pytest.mark.parametrize("number", [1, 400])
async def test_reads__of_any_number__take_one_statement_a_call(counter: Counter, number: int) -> None:
    refs = [replace(REF, namespace=f"n{index}") for index in range(number)]
    async with counter.database.read() as tx:
        await tx.namespaces.live()
        await tx.namespaces.live_of(refs)
        await tx.definitions.all()
        await tx.releases.contents(range(1, number + 1))
        await tx.messages.after(0, limit=number)
    assert len(counter.statements) == 5


@pytest.mark.parametrize("number", [1, 40])
async def test_publish__of_any_number__takes_two_statements_a_namespace_and_few_besides(
    counter: Counter, number: int
) -> None:
    refs = [replace(REF, namespace=f"n{index}") for index in range(number)]
    async with counter.database.write() as tx:
        made = [await tx.namespaces.insert(rows.namespace(ref)) for ref in refs]
    counter.statements.clear()
    async with counter.database.write() as tx:
        await tx.namespaces.lock(refs)
        for namespace in made:
            await tx.releases.insert(rows.release(namespace))
        for namespace, id_ in zip(made, await tx.messages.append(MessageKind.RELEASE, refs), strict=True):
            await tx.namespaces.touch(replace(namespace, message_id=id_))
        await tx.audit.append(rows.audit())
        await tx.idempotency.put("DEV", "user:alice", "k", rows.answer(1), at=rows.NOW)
    besides = len(counter.statements) - 2 * number
    assert besides <= 6  # lock, audit, answer; append with its lock and notice


async def test_history__never_reads_a_content(counter: Counter) -> None:
    async with counter.database.read() as tx:
        await tx.releases.history(1, before_id=None, limit=50)
        await tx.namespaces.live()
    assert not [statement for statement in counter.statements if "configurations" in statement]


@pytest.mark.parametrize("number", [1, 400])
async def test_delivery_reads__of_any_number__take_one_statement_a_call(counter: Counter, number: int) -> None:
    refs = [replace(REF, namespace=f"n{index}") for index in range(number)]
    async with counter.database.read() as tx:
        await tx.branches.live()
        await tx.branches.live_of(refs)
        await tx.releases.by_keys("DEV", [f"k{index}" for index in range(number)])
        await tx.access_keys.all()
        await tx.nodes.list(beaten_within_s=60)
    assert len(counter.statements) == 5


@pytest.mark.parametrize("number", [1, 500])
async def test_instances__of_any_number__are_recorded_in_one_statement(counter: Counter, number: int) -> None:
    async with counter.database.write() as tx:
        await tx.instances.record([rows.seen(f"ip-{index}") for index in range(number)])
    assert len(counter.statements) == 1


async def test_heartbeat__of_a_node_that_is_known__takes_one_statement(counter: Counter) -> None:
    async with counter.database.write() as tx:
        await tx.nodes.beat(rows.node())
    counter.statements.clear()
    async with counter.database.write() as tx:
        await tx.nodes.beat(rows.node())
    assert [statement.split()[0] for statement in counter.statements] == ["UPDATE"]
