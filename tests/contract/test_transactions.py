"""What a transaction promises, on every implementation."""

# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from helicon_server.domain.errors import Conflict
from helicon_server.domain.model import MessageKind
from helicon_server.domain.names import NamespaceRef
from tests.contract import rows
from tests.contract.database import Database
from tests.contract.rows import REF


async def _everything(database: Database) -> list[object]:
    async with database.read() as tx:
        return [
            list(await tx.apps.list(after=None, limit=9)),
            list(await tx.users.list()),
            list(await tx.tokens.list()),
            list(await tx.environments.list()),
            list(await tx.clusters.list("DEV", "order-service")),
            list(await tx.definitions.all()),
            list(await tx.namespaces.list("DEV", "order-service")),
            list(await tx.namespaces.live()),
            list(await tx.messages.after(0, limit=9)),
            list(await tx.audit.list(environment="DEV", before_id=None, limit=9)),
        ]


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
async def test_write__block_raises__leaves_nothing(database: Database, error: type[BaseException]) -> None:
    empty = await _everything(database)
    with pytest.raises(error):
        async with database.write() as tx:
            await tx.apps.insert(rows.app())
            await tx.users.insert(rows.user())
            await tx.tokens.insert(rows.token())
            await tx.environments.insert(rows.environment())
            await tx.clusters.insert(rows.cluster())
            await tx.definitions.insert(rows.definition())
            await rows.published(tx)
            await tx.audit.append(rows.audit())
            raise error
    assert [[]] * 10 == empty == await _everything(database)


async def test_write__conflict_that_the_block_swallows__still_fails_and_leaves_nothing(database: Database) -> None:
    """PostgreSQL answers such a COMMIT with a silent ROLLBACK; nobody may believe that it was written."""
    with pytest.raises(Conflict):
        async with database.write() as tx:
            await tx.apps.insert(rows.app("one"))
            with pytest.raises(Conflict):
                await tx.apps.insert(rows.app("ONE"))
            with pytest.raises(Conflict):
                await tx.apps.insert(rows.app("two"))
            with pytest.raises(Conflict):
                await tx.users.list()
    async with database.read() as tx:
        assert list(await tx.apps.list(after=None, limit=9)) == []


async def test_write__after_a_failed_one__works(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(Conflict):
            async with database.write() as tx:
                await tx.apps.insert(rows.app("one"))
                await tx.apps.insert(rows.app("one"))
    async with database.write() as tx:
        await tx.apps.insert(rows.app("one"))
    async with database.read() as tx:
        assert [rows.app("one")] == list(await tx.apps.list(after=None, limit=9))


async def test_write__sees_what_it_wrote__and_others_do_not_yet(database: Database) -> None:
    async with database.write() as writing:
        await writing.apps.insert(rows.app())
        assert rows.app() == await writing.apps.get("order-service")
        async with database.read() as reading:
            assert await reading.apps.get("order-service") is None


async def test_read__while_others_commit__stays_on_its_snapshot(database: Database) -> None:
    async with database.write() as tx:
        await rows.published(tx, REF)
    async with database.read() as reading:
        before = await reading.namespaces.live()
        async with database.write() as writing:
            await rows.published(writing, replace(REF, namespace="redis"))
        assert before == await reading.namespaces.live()
        assert await reading.namespaces.get(replace(REF, namespace="redis")) is None
        assert len(await reading.messages.after(0, limit=9)) == 1
    async with database.read() as reading:
        assert len(await reading.namespaces.live()) == 2


async def test_lock__second_writer__waits_and_sees_the_first_ones_change(database: Database) -> None:
    """Two writers that saw the same revision: the second must learn of the first (no lost update)."""
    async with database.write() as tx:
        await tx.namespaces.insert(rows.namespace())

    async def raise_revision() -> int:
        async with database.write() as tx:
            [found] = await tx.namespaces.lock([REF])
            assert found is not None
            await asyncio.sleep(0)  # lets the others run between read and write
            await tx.namespaces.touch(replace(found, revision=found.revision + 1))
            return found.revision

    seen = await asyncio.gather(*(raise_revision() for _ in range(8)))
    assert list(range(1, 9)) == sorted(seen)


async def test_lock__of_the_same_set_in_different_orders__does_not_deadlock(database: Database) -> None:
    refs = [replace(REF, namespace=f"n{number}") for number in range(6)]
    async with database.write() as tx:
        for ref in refs:
            await tx.namespaces.insert(rows.namespace(ref))

    async def publish(mine: list[NamespaceRef]) -> None:
        async with database.write() as tx:
            for found in await tx.namespaces.lock(mine):
                assert found is not None
                await asyncio.sleep(0)
                await tx.namespaces.touch(replace(found, revision=found.revision + 1))
            await tx.messages.append(MessageKind.RELEASE, mine)

    await asyncio.gather(*(publish(refs[turn:] + refs[:turn]) for turn in range(6)))
    async with database.read() as reading:
        assert {7} == {n.revision for n in await reading.namespaces.list("DEV", "order-service")}


async def test_transactions__cancelled_at_any_point__leave_the_database_usable(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as tx:
            await tx.apps.insert(rows.app(f"app-{number:03}"))
            await tx.audit.append(rows.audit(f"app-{number:03}"))
            await tx.messages.append(MessageKind.DEFINITION, [REF])

    began = time.monotonic()
    await write(0)
    whole_s = time.monotonic() - began
    for number in range(1, 41):
        task = asyncio.create_task(write(number))
        await asyncio.wait({task}, timeout=whole_s * number / 30)  # before, within and after its commit
        task.cancel()
        await asyncio.wait({task})
    async with database.write() as tx:
        await tx.apps.insert(rows.app("last"))
    async with database.read() as reading:
        apps = {app.app_id for app in await reading.apps.list(after=None, limit=99)} - {"last"}
        audited = {entry.action for entry in await reading.audit.list(environment="DEV", before_id=None, limit=99)}
        messages = await reading.messages.after(0, limit=99)
    assert apps == audited
    assert len(apps) == len(messages)


async def test_database__name__is_the_given_one(database: Database) -> None:
    assert database.name == "main"
