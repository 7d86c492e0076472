"""Namespaces: their pointers, their lock, and the delivery index."""

# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.errors import Conflict
from helicon_server.domain.formats import Format
from helicon_server.domain.model import LiveRelease, MessageKind
from helicon_server.domain.names import NamespaceRef
from tests.contract import rows
from tests.contract.database import Database
from tests.contract.rows import REF


async def test_namespace__stored__is_found_by_name_in_any_case_only(database: Database) -> None:
    async with database.write() as tx:
        stored = await tx.namespaces.insert(rows.namespace(replace(REF, namespace="Routes.json")))
    async with database.read() as tx:
        assert stored.id > 0
        assert Format.JSON is stored.format
        assert stored == await tx.namespaces.get(replace(REF, namespace="ROUTES.JSON"))
        for other in (
            replace(REF, namespace="routes.json", app="ORDER-SERVICE"),
            replace(REF, namespace="routes.json", cluster="Default"),
            replace(REF, namespace="routes.json", environment="PRO"),
        ):
            assert await tx.namespaces.get(other) is None


async def test_namespace__name_taken_in_any_case__conflicts(database: Database) -> None:
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.namespaces.insert(rows.namespace(REF))
            await tx.namespaces.insert(rows.namespace(replace(REF, namespace="APPLICATION")))
    assert caught.value.code == "namespace_exists"


async def test_namespaces__listed__by_cluster_and_name(database: Database) -> None:
    places = [("b", "a"), ("a", "b"), ("a", "Z"), ("default", "a")]
    async with database.write() as tx:
        for cluster, name in places:
            await tx.namespaces.insert(rows.namespace(replace(REF, cluster=cluster, namespace=f"{name}{cluster}")))
        await tx.namespaces.insert(rows.namespace(replace(REF, app="other")))
    async with database.read() as tx:
        found = await tx.namespaces.list("DEV", "order-service")
        of_a = await tx.namespaces.list("DEV", "order-service", "a")
        of_capital = await tx.namespaces.list("DEV", "order-service", "A")
    assert sorted((c, f"{n}{c}") for c, n in places) == [(n.ref.cluster, n.ref.namespace) for n in found]
    assert [n.ref.namespace for n in of_a] == ["Za", "ba"]
    assert list(of_capital) == []


async def test_namespace__touched__changes_marks_and_pointers_and_nothing_else(database: Database) -> None:
    async with database.write() as tx:
        stored = await tx.namespaces.insert(rows.namespace())
        other = await tx.namespaces.insert(rows.namespace(replace(REF, namespace="redis")))
    async with database.write() as tx:
        [locked] = await tx.namespaces.lock([REF])
        assert stored == locked
        changed = replace(stored, revision=2, release_id=3, released_revision=2, message_id=4, updated_at=rows.LATER)
        await tx.namespaces.touch(replace(changed, updated_by="user:bob", format=Format.XML))
    async with database.read() as tx:
        assert replace(changed, updated_by="user:bob") == await tx.namespaces.get(REF)
        assert other == await tx.namespaces.get(other.ref)


async def test_lock__of_several__answers_in_the_order_asked_with_holes(database: Database) -> None:
    first, second = replace(REF, namespace="one"), replace(REF, namespace="two")
    missing = replace(REF, namespace="gone")
    async with database.write() as tx:
        one = await tx.namespaces.insert(rows.namespace(first))
        two = await tx.namespaces.insert(rows.namespace(second))
        upper = replace(first, namespace="ONE")
        assert [two, None, one, one] == list(await tx.namespaces.lock([second, missing, first, upper]))
        assert list(await tx.namespaces.lock([missing])) == [None]
        assert list(await tx.namespaces.lock([])) == []


async def test_live__of_released_namespaces__is_the_delivery_index(database: Database) -> None:
    async with database.write() as tx:
        await tx.namespaces.insert(rows.namespace(replace(REF, namespace="draft-only")))
        published = await rows.published(tx, REF)
        elsewhere = await rows.published(tx, replace(REF, environment="PRO", namespace="Redis"))
    async with database.read() as tx:
        live = await tx.namespaces.live()
        some = await tx.namespaces.live_of(
            [replace(elsewhere.ref, namespace="redis"), replace(REF, namespace="draft-only"), replace(REF, app="no")]
        )
        none = await tx.namespaces.live_of([])
    expected = [
        LiveRelease(n.ref, n.release_id or 0, "20260301123045-0123456789abcdef", n.message_id or 0, 11)
        for n in (published, elsewhere)
    ]
    assert expected == sorted(live, key=lambda x: x.release_id)
    assert [expected[1]] == list(some)
    assert list(none) == []


async def test_live_of__more_than_one_statement_takes__finds_all(database: Database) -> None:
    """The limit on the parameters of a statement is not the caller's affair."""
    refs = [replace(REF, namespace=f"n{number}") for number in range(1201)]
    async with database.write() as tx:
        for ref in refs[::400]:
            await rows.published(tx, ref)
    async with database.read() as tx:
        found = await tx.namespaces.live_of(refs)
    assert set(refs[::400]) == {live.ref for live in found}


async def test_live_of__the_same_twice__answers_once(database: Database) -> None:
    async with database.write() as tx:
        await rows.published(tx, REF)
        await tx.messages.append(MessageKind.RELEASE, [REF])
    async with database.read() as tx:
        found = await tx.namespaces.live_of(iter([REF, REF, replace(REF, namespace="Application")]))
    assert [live.ref for live in found] == [REF]


async def test_namespace__name_of_a_ref__keeps_its_spelling(database: Database) -> None:
    ref = NamespaceRef("DEV", "App_1", "IDC-2", "TEST.YML")
    async with database.write() as tx:
        await tx.namespaces.insert(rows.namespace(ref))
    async with database.read() as tx:
        found = await tx.namespaces.get(replace(ref, namespace="test.yml"))
    assert found is not None
    assert ref == found.ref


async def test_namespace__inherits__is_kept_and_stands_in_the_delivery_index(database: Database) -> None:
    async with database.write() as tx:
        live = await rows.published(tx, REF)
        assert not live.inherits
        await tx.namespaces.touch(replace(live, inherits=True))
    async with database.read() as tx:
        assert await tx.namespaces.get(REF) == replace(live, inherits=True)
        assert [row.inherits for row in await tx.namespaces.live()] == [True]
        assert [row.inherits for row in await tx.namespaces.live_of([REF])] == [True]
