"""Apps, users and tokens."""

# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict
from tests.contract import rows
from tests.contract.database import Database


async def test_app__stored__comes_back_equal(database: Database) -> None:
    async with database.write() as tx:
        await tx.apps.insert(rows.app())
    async with database.read() as tx:
        assert rows.app() == await tx.apps.get("order-service")


async def test_app__another_case__is_not_found(database: Database) -> None:
    """The id is compared exactly, so that no spelling gets around a check made on another."""
    async with database.write() as tx:
        await tx.apps.insert(rows.app())
    async with database.read() as tx:
        assert await tx.apps.get("Order-Service") is None


@pytest.mark.parametrize("second", ["order-service", "ORDER-service"])
async def test_app__id_taken_in_any_case__conflicts(database: Database, second: str) -> None:
    async with database.write() as tx:
        await tx.apps.insert(rows.app("order-service"))
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.apps.insert(rows.app(second))
    assert caught.value.code == "app_exists"


async def test_apps__listed__in_code_point_order_page_by_page(database: Database) -> None:
    """The order is that of Python's comparison, whatever the locale of the database."""
    ids = ["Zebra", "_under", "apple", "apple-2", "apple.1", "banana"]
    async with database.write() as tx:
        for app_id in reversed(ids):
            await tx.apps.insert(rows.app(app_id))
    async with database.read() as tx:
        first = await tx.apps.list(after=None, limit=4)
        second = await tx.apps.list(after=first[-1].app_id, limit=4)
        beyond = await tx.apps.list(after=second[-1].app_id, limit=4)
    assert [sorted(ids)[:4], sorted(ids)[4:], []] == [[a.app_id for a in page] for page in (first, second, beyond)]


async def test_user__stored__comes_back_equal_and_listed_by_name(database: Database) -> None:
    some = replace(rows.user("bob"), rights=frozenset({Right.VIEW, Right.EDIT}))
    none = replace(rows.user("alice"), rights=frozenset())
    async with database.write() as tx:
        await tx.users.insert(some)
        await tx.users.insert(none)
    async with database.read() as tx:
        assert some == await tx.users.get("bob")
        assert await tx.users.get("carol") is None
        assert [none, some] == list(await tx.users.list())


async def test_users__any__tells_an_empty_database(database: Database) -> None:
    async with database.write() as tx:
        assert not await tx.users.any()
        await tx.users.insert(rows.user())
        assert await tx.users.any()


@pytest.mark.parametrize("second", ["alice", "Alice"])
async def test_user__name_taken_in_any_case__conflicts(database: Database, second: str) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.users.insert(rows.user("alice"))
            await tx.users.insert(rows.user(second))
    assert caught.value.code == "user_exists"


async def test_user__password_set__changes_only_that_user(database: Database) -> None:
    async with database.write() as tx:
        await tx.users.insert(rows.user("alice"))
        await tx.users.insert(rows.user("bob"))
        assert await tx.users.set_password("alice", "new hash")
        assert not await tx.users.set_password("nobody", "new hash")
    async with database.read() as tx:
        assert [replace(rows.user("alice"), password_hash="new hash"), rows.user("bob")] == list(await tx.users.list())


async def test_token__stored__is_found_by_hash_with_its_id(database: Database) -> None:
    async with database.write() as tx:
        assert not await tx.tokens.any()
        stored = await tx.tokens.insert(rows.token("ci", "aa"))
        await tx.tokens.insert(replace(rows.token("cd", "bb"), expires_at=None))
        assert await tx.tokens.any()
    async with database.read() as tx:
        assert stored.id > 0
        assert replace(rows.token("ci", "aa"), id=stored.id) == stored == await tx.tokens.find("aa")
        assert await tx.tokens.find("cc") is None
        assert [t.name for t in await tx.tokens.list()] == ["ci", "cd"]


async def test_token__name_in_use__conflicts(database: Database) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.tokens.insert(rows.token("ci", "aa"))
            await tx.tokens.insert(rows.token("ci", "bb"))
    assert caught.value.code == "token_exists"


async def test_token__secret_stored_already__conflicts(database: Database) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.tokens.insert(rows.token("ci", "aa"))
            await tx.tokens.insert(rows.token("cd", "aa"))
    assert caught.value.code == "token_exists"


async def test_token__revoked__is_still_found_and_its_name_is_free(database: Database) -> None:
    async with database.write() as tx:
        await tx.tokens.insert(rows.token("ci", "aa"))
        assert await tx.tokens.revoke("ci", at=rows.LATER)
        assert not await tx.tokens.revoke("ci", at=rows.LATER)
        await tx.tokens.insert(rows.token("ci", "bb"))
    async with database.read() as tx:
        old, new = await tx.tokens.find("aa"), await tx.tokens.find("bb")
    assert old is not None
    assert new is not None
    assert (old.revoked_at, new.revoked_at) == (rows.LATER, None)
