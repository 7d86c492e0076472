"""Access keys of apps."""

from __future__ import annotations

from dataclasses import replace

from helicon_server.domain.access_key import AccessKeyMode
from tests.contract import rows
from tests.contract.database import Database


async def test_access_key__stored__is_listed_by_its_app_in_any_case(database: Database) -> None:
    async with database.write() as tx:
        first = await tx.access_keys.insert(rows.access_key("Shop"))
        second = await tx.access_keys.insert(rows.access_key("shop", uid="uid-2", mode=AccessKeyMode.OBSERVER))
        other = await tx.access_keys.insert(rows.access_key(uid="uid-3", enabled=False))
        elsewhere = await tx.access_keys.insert(rows.access_key("shop", uid="uid-4", environment="PRO"))
    async with database.read() as tx:
        assert list(await tx.access_keys.list("DEV", "SHOP")) == [first, second]
        assert list(await tx.access_keys.all()) == [first, second, other, elsewhere]
    assert 0 < first.id < second.id


async def test_access_key__set__changes_nothing_but_its_switch_and_mode(database: Database) -> None:
    async with database.write() as tx:
        stored = await tx.access_keys.insert(rows.access_key())
        other = await tx.access_keys.insert(rows.access_key(uid="uid-2"))
    async with database.write() as tx:
        await tx.access_keys.set(stored.id, enabled=False, mode=AccessKeyMode.OBSERVER)
        await tx.access_keys.set(other.id + 1000, enabled=False, mode=AccessKeyMode.OBSERVER)
    async with database.read() as tx:
        found = await tx.access_keys.all()
    assert list(found) == [replace(stored, enabled=False, mode=AccessKeyMode.OBSERVER), other]


async def test_access_key__deleted__is_gone_and_its_id_is_not_given_again(database: Database) -> None:
    async with database.write() as tx:
        kept = await tx.access_keys.insert(rows.access_key())
        gone = await tx.access_keys.insert(rows.access_key(uid="uid-2"))
    async with database.write() as tx:
        await tx.access_keys.delete(gone.id)
        await tx.access_keys.delete(gone.id + 1000)
        new = await tx.access_keys.insert(rows.access_key(uid="uid-3"))
        assert list(await tx.access_keys.all()) == [kept, new]
    assert new.id > gone.id
