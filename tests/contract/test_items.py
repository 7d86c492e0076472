"""Items of drafts."""

# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.errors import Conflict
from helicon_server.domain.model import ItemType
from tests.contract import rows
from tests.contract.database import Database, Write
from tests.contract.rows import REF


async def _namespace_id(tx: Write, name: str = "application") -> int:
    return (await tx.namespaces.insert(rows.namespace(replace(REF, namespace=name)))).id


async def test_items__stored__come_back_in_order_with_comments_and_blank_lines(database: Database) -> None:
    draft = [
        rows.item(None, 0, "", raw="# 注释 comment\r\n"),
        rows.item("timeout", 1, "2500", type=ItemType.NUMBER, comment="毫秒"),
        rows.item(None, 2, "", raw="\n"),
        rows.item("Zoo", 3, "a\tb\n😀 c", type=ItemType.JSON, raw="Zoo = a\\tb\\n😀 c", revision=3),
        rows.item(None, 4, "", raw="\n"),
    ]
    async with database.write() as tx:
        id_ = await _namespace_id(tx)
        await tx.items.insert(id_, [draft[3], draft[0], draft[4], draft[1], draft[2]])
        await tx.items.insert(await _namespace_id(tx, "other"), [rows.item("timeout", 9)])
    async with database.read() as tx:
        found = await tx.items.list(id_)
        last = await tx.items.last(id_)
    assert draft == [replace(item, id=0) for item in found]
    assert len({item.id for item in found} - {0}) == 5
    assert found[-1] == last


async def test_items__of_an_empty_draft__are_none(database: Database) -> None:
    async with database.write() as tx:
        id_ = await _namespace_id(tx)
        await tx.items.insert(id_, [])
        await tx.items.update([])
        await tx.items.delete([])
        assert list(await tx.items.list(id_)) == []
        assert await tx.items.last(id_) is None
        assert await tx.items.get(id_, "timeout") is None


@pytest.mark.parametrize(("stored", "asked"), [("Time.Out", "time.out"), ("Größe", "GRÖSSE"), ("键", "键")])
async def test_item__found_by_key__ignores_case(database: Database, stored: str, asked: str) -> None:
    async with database.write() as tx:
        id_ = await _namespace_id(tx)
        await tx.items.insert(id_, [rows.item(None, 0), rows.item(stored, 1), rows.item("x", 2)])
    async with database.read() as tx:
        found = await tx.items.get(id_, asked)
        assert await tx.items.get(id_ + 1, asked) is None
    assert found is not None
    assert stored == found.key


@pytest.mark.parametrize("second", ["timeout", "TimeOut"])
@pytest.mark.parametrize("together", [True, False])
async def test_item__key_taken_in_any_case__conflicts(database: Database, second: str, together: bool) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            id_ = await _namespace_id(tx)
            made = [rows.item("timeout"), rows.item(second, 1)]
            for batch in [made] if together else [made[:1], made[1:]]:
                await tx.items.insert(id_, batch)
    assert caught.value.code == "item_exists"


async def test_items__updated__are_replaced_by_id(database: Database) -> None:
    async with database.write() as tx:
        id_ = await _namespace_id(tx)
        await tx.items.insert(id_, [rows.item(key, position) for position, key in enumerate("abc")])
        a, b, c = await tx.items.list(id_)
        changed_a = replace(a, key="A", value="new", comment="why", type=ItemType.BOOLEAN, revision=2, raw="A:new")
        changed_b = replace(b, position=7, updated_at=rows.LATER, updated_by="user:bob")
        await tx.items.update([changed_a, changed_b, replace(c, id=c.id + 1000, key="nobody's")])
    async with database.read() as tx:
        assert [changed_a, c, changed_b] == list(await tx.items.list(id_))
        assert changed_a == await tx.items.get(id_, "a")


async def test_item__updated_to_a_key_that_is_taken__conflicts(database: Database) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            id_ = await _namespace_id(tx)
            await tx.items.insert(id_, [rows.item("a", 0), rows.item("b", 1)])
            [_, b] = await tx.items.list(id_)
            await tx.items.update([replace(b, key="A")])
    assert caught.value.code == "item_exists"


async def test_items__deleted__are_gone_and_their_keys_are_free(database: Database) -> None:
    async with database.write() as tx:
        id_ = await _namespace_id(tx)
        await tx.items.insert(id_, [rows.item(key, position) for position, key in enumerate("abc")])
        a, b, c = await tx.items.list(id_)
        await tx.items.delete([a.id, c.id, c.id + 1000])
        await tx.items.insert(id_, [rows.item("C", 9)])
        assert [item.key for item in await tx.items.list(id_)] == ["b", "C"]
        assert b == await tx.items.get(id_, "b")


async def test_items__thousands__are_written_read_and_deleted(database: Database) -> None:
    many = [rows.item(f"key.{number}", number, "v" * 50) for number in range(3000)]
    async with database.write() as tx:
        id_ = await _namespace_id(tx)
        await tx.items.insert(id_, many)
    async with database.write() as tx:
        found = await tx.items.list(id_)
        assert many == [replace(item, id=0) for item in found]
        await tx.items.update([replace(item, value="w") for item in found])
        await tx.items.delete([item.id for item in found[1:]])
        assert [item.value for item in await tx.items.list(id_)] == ["w"]
