"""Releases and the answers kept under idempotency keys."""

# ruff: noqa: PT012 - what must raise is a transaction, and a transaction is a block

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.errors import Conflict
from helicon_server.domain.model import IdempotentAnswer, Operation
from tests.contract import rows
from tests.contract.database import Database
from tests.contract.rows import REF


async def test_release__stored__comes_back_equal_with_its_content_in_order(database: Database) -> None:
    content = {"z": "1", "a": "two\nlines\t中文 😀", "": "", "M": '{"x": "\\u0041"}'}
    async with database.write() as tx:
        namespace = await tx.namespaces.insert(rows.namespace())
        made = rows.release(namespace, content, operation=Operation.ROLLBACK, previous_id=7, source_id=5)
        stored = await tx.releases.insert(made)
        assert replace(made, head=replace(made.head, id=stored.head.id)) == stored
    async with database.read() as tx:
        found = await tx.releases.get("DEV", stored.head.id)
    assert found is not None
    assert stored.head == found.head
    assert list(content.items()) == list(found.configurations.items())


async def test_release__of_another_environment__is_not_found(database: Database) -> None:
    """An id from one environment must not open a release of another."""
    async with database.write() as tx:
        namespace = await tx.namespaces.insert(rows.namespace())
        stored = await tx.releases.insert(rows.release(namespace))
    async with database.read() as tx:
        assert await tx.releases.get("PRO", stored.head.id) is None
        assert await tx.releases.get("DEV", stored.head.id + 1) is None


async def test_release__ids__grow_over_namespaces_and_rollbacks(database: Database) -> None:
    ids = []
    for name in ("one", "two", "three"):
        async with database.write() as tx:
            namespace = await tx.namespaces.insert(rows.namespace(replace(REF, namespace=name)))
            ids += [(await tx.releases.insert(rows.release(namespace))).head.id for _ in range(2)]
        with pytest.raises(ZeroDivisionError):
            async with database.write() as tx:
                await tx.releases.insert(rows.release(namespace))
                raise ZeroDivisionError
    assert sorted(set(ids)) == ids


async def test_history__listed__newest_first_page_by_page_of_one_namespace(database: Database) -> None:
    async with database.write() as tx:
        namespace = await tx.namespaces.insert(rows.namespace())
        other = await tx.namespaces.insert(rows.namespace(replace(REF, namespace="redis")))
        heads = []
        for number in range(5):
            heads.append((await tx.releases.insert(rows.release(namespace, title=f"number {number}"))).head)
            await tx.releases.insert(rows.release(other))
    async with database.read() as tx:
        first = await tx.releases.history(namespace.id, before_id=None, limit=3)
        second = await tx.releases.history(namespace.id, before_id=first[-1].id, limit=3)
    assert [heads[::-1][:3], heads[::-1][3:]] == [list(first), list(second)]


async def test_contents__of_many_ids__are_found_and_unknown_ones_left_out(database: Database) -> None:
    async with database.write() as tx:
        namespace = await tx.namespaces.insert(rows.namespace())
        stored = [await tx.releases.insert(rows.release(namespace, {"n": str(number)})) for number in range(600)]
    ids = [release.head.id for release in stored]
    async with database.read() as tx:
        found = await tx.releases.contents([*ids, max(ids) + 1])
        none = await tx.releases.contents([])
    assert {release.head.id: release for release in stored} == dict(found)
    assert dict(none) == {}


async def test_contents__of_a_large_document__come_back_whole(database: Database) -> None:
    document = "键: 值 😀\n" * 100_000
    async with database.write() as tx:
        namespace = await tx.namespaces.insert(rows.namespace(replace(REF, namespace="big.yaml")))
        stored = await tx.releases.insert(rows.release(namespace, {"content": document}))
    async with database.read() as tx:
        found = await tx.releases.contents([stored.head.id])
    assert document == found[stored.head.id].configurations["content"]


async def test_idempotency__answer_put__is_found_by_environment_actor_and_key(database: Database) -> None:
    answer = IdempotentAnswer("sha", {"releases": [{"id": 1, "键": None}], "a": 1.5})
    async with database.write() as tx:
        await tx.idempotency.put("DEV", "user:alice", "key-1", answer, at=rows.NOW)
    async with database.read() as tx:
        assert answer == await tx.idempotency.get("DEV", "user:alice", "key-1")
        for other in (("PRO", "user:alice", "key-1"), ("DEV", "user:bob", "key-1"), ("DEV", "user:alice", "KEY-1")):
            assert await tx.idempotency.get(*other) is None


async def test_idempotency__key_stored_meanwhile__conflicts(database: Database) -> None:
    async with database.write() as tx:
        await tx.idempotency.put("DEV", "user:alice", "key-1", IdempotentAnswer("sha", {"first": True}), at=rows.NOW)
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.idempotency.put(
                "DEV", "user:alice", "key-1", IdempotentAnswer("sha", {"first": False}), at=rows.NOW
            )
    assert caught.value.code == "idempotency_key_in_use"
    async with database.read() as tx:
        assert IdempotentAnswer("sha", {"first": True}) == await tx.idempotency.get("DEV", "user:alice", "key-1")


async def test_idempotency__answers_before_a_moment_forgotten__younger_ones_stay(database: Database) -> None:
    async with database.write() as tx:
        await tx.idempotency.put("DEV", "user:alice", "old", IdempotentAnswer("sha", {}), at=rows.NOW)
        await tx.idempotency.put("PRO", "user:alice", "young", IdempotentAnswer("sha", {}), at=rows.LATER)
        await tx.idempotency.forget_before(rows.LATER)
    async with database.read() as tx:
        assert await tx.idempotency.get("DEV", "user:alice", "old") is None
        assert await tx.idempotency.get("PRO", "user:alice", "young") is not None


async def test_by_keys__of_an_environment__finds_those_that_it_has(database: Database) -> None:
    async with database.write() as tx:
        namespace = await tx.namespaces.insert(rows.namespace())
        made = [await tx.releases.insert(rows.release(namespace, {"a": key}, key=key)) for key in ("k1", "k2", "k3")]
        elsewhere = await tx.namespaces.insert(rows.namespace(replace(REF, environment="PRO")))
        await tx.releases.insert(rows.release(elsewhere, key="k4"))
    async with database.read() as tx:
        found = await tx.releases.by_keys("DEV", ["k3", "k1", "k4", "unknown"])
        none = await tx.releases.by_keys("DEV", [])
    assert found == {"k1": made[0], "k3": made[2]}
    assert none == {}
