"""The message feed and the hint after a commit."""

# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.model import MessageKind
from tests.contract.database import Database, Opened
from tests.contract.rows import REF


async def test_messages__none__newest_id_is_zero(database: Database) -> None:
    async with database.read() as tx:
        assert await tx.messages.newest_id() == 0
        assert list(await tx.messages.after(0, limit=10)) == []


async def test_messages__appended__come_back_in_the_order_of_their_refs(database: Database) -> None:
    refs = [replace(REF, namespace=name) for name in ("z", "a", "M.json")]
    async with database.write() as tx:
        ids = await tx.messages.append(MessageKind.RELEASE, refs)
        assert list(await tx.messages.append(MessageKind.RELEASE, [])) == []
    async with database.read() as tx:
        found = await tx.messages.after(0, limit=10)
        assert ids[-1] == await tx.messages.newest_id()
    assert sorted(ids) == list(ids)
    assert list(zip(ids, refs, strict=True)) == [
        (m.id, replace(REF, environment=m.environment, app=m.app, cluster=m.cluster, namespace=m.namespace))
        for m in found
    ]
    assert {MessageKind.RELEASE} == {m.kind for m in found}
    assert all(m.created_at.tzinfo is not None for m in found)


@pytest.mark.parametrize("kind", list(MessageKind))
async def test_messages__of_each_kind__come_back(database: Database, kind: MessageKind) -> None:
    async with database.write() as tx:
        await tx.messages.append(kind, [REF])
    async with database.read() as tx:
        assert [kind] == [m.kind for m in await tx.messages.after(0, limit=1)]


async def test_messages__read_in_pages__miss_nothing(database: Database) -> None:
    async with database.write() as tx:
        ids = await tx.messages.append(MessageKind.RELEASE, [REF] * 7)
    found: list[int] = []
    async with database.read() as tx:
        while page := await tx.messages.after(found[-1] if found else 0, limit=3):
            assert len(page) <= 3
            found += [m.id for m in page]
    assert list(ids) == found


async def test_raise_to__makes_later_ids_greater_and_never_smaller(database: Database) -> None:
    """For a database that was set back; also before the first message, and twice by two nodes."""
    async with database.write() as tx:
        await tx.messages.raise_to(1000)
    async with database.write() as tx:
        (first,) = await tx.messages.append(MessageKind.RELEASE, [REF])
        await tx.messages.raise_to(2_000_000_000_000)
        await tx.messages.raise_to(5)
        (second,) = await tx.messages.append(MessageKind.RELEASE, [REF])
    async with database.read() as tx:
        assert await tx.messages.newest_id() == second
    assert first == 1001
    assert second == 2_000_000_000_001


async def test_raise_to__the_very_id_that_was_given_last__gives_the_next(database: Database) -> None:
    async with database.write() as tx:
        (first,) = await tx.messages.append(MessageKind.RELEASE, [REF])
        await tx.messages.raise_to(first)
        (second,) = await tx.messages.append(MessageKind.RELEASE, [REF])
    assert second == first + 1


async def test_raise_to__alone__hints_at_nothing(opened: Opened) -> None:
    async with opened.database.write() as tx:
        await tx.messages.raise_to(10)
    assert opened.hints == []


async def test_hint__follows_the_commit_of_a_transaction_with_messages(opened: Opened) -> None:
    async with opened.database.write() as tx:
        await tx.messages.append(MessageKind.RELEASE, [REF])
        await tx.messages.append(MessageKind.DEFINITION, [REF])
        assert opened.hints == []
    assert opened.hints == [1]


async def test_hint__does_not_follow_a_rollback_or_a_commit_without_messages(opened: Opened) -> None:
    with pytest.raises(ZeroDivisionError):
        async with opened.database.write() as tx:
            await tx.messages.append(MessageKind.RELEASE, [REF])
            raise ZeroDivisionError
    async with opened.database.write() as tx:
        await tx.messages.append(MessageKind.RELEASE, [])
    async with opened.database.read() as tx:
        assert list(await tx.messages.after(0, limit=10)) == []
    assert opened.hints == []
