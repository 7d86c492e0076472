"""Gray branches, and the gray part of the delivery index."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from helicon_server.domain.errors import Conflict
from helicon_server.domain.gray import GrayRule, LiveBranch
from helicon_server.domain.model import Operation
from tests.contract import rows
from tests.contract.database import Database, Write
from tests.contract.rows import REF

OTHER = replace(REF, namespace="redis")


async def _published(tx: Write, name: str, **changes: Any) -> LiveBranch:
    """A branch with a release of its own, of a namespace that exists."""
    branch = await tx.branches.insert(rows.branch(name, **changes))
    namespace = await tx.namespaces.get(branch.ref)
    assert namespace is not None
    made = rows.release(
        namespace, ref=replace(branch.ref, cluster=name), operation=Operation.GRAY, key=f"key-of-{name}"
    )
    stored = await tx.releases.insert(made)
    await tx.branches.update(replace(branch, release_id=stored.head.id))
    return LiveBranch(
        branch.id, branch.ref, name, branch.priority, branch.rules, stored.head.id, stored.head.key, stored.head.size
    )


async def test_branch__stored__comes_back_equal_with_its_changes_in_order(database: Database) -> None:
    async with database.write() as tx:
        stored = await tx.branches.insert(rows.branch())
    async with database.read() as tx:
        found = await tx.branches.get(replace(REF, namespace="APPLICATION"), stored.name)
        assert await tx.branches.get(OTHER, stored.name) is None
        assert await tx.branches.get(replace(REF, cluster="Default"), stored.name) is None
        assert await tx.branches.get(REF, stored.name.upper()) is None
    assert stored.id > 0
    assert stored == found
    assert found is not None
    assert list(found.overlay.items()) == [("z", "1"), ("a", "two\n中文")]


async def test_branch__name_taken_in_its_namespace__conflicts(database: Database) -> None:
    async with database.write() as tx:
        await tx.branches.insert(rows.branch())
        await tx.branches.insert(rows.branch(ref=OTHER))
    with pytest.raises(Conflict) as caught:
        async with database.write() as tx:
            await tx.branches.insert(rows.branch(ref=replace(REF, namespace="Application")))
    assert caught.value.code == "branch_exists"


async def test_branches__listed__by_priority_and_then_by_age(database: Database) -> None:
    async with database.write() as tx:
        for name, priority in (("c", 20), ("b", 10), ("a", 10), ("d", -5)):
            await tx.branches.insert(rows.branch(name, priority=priority))
        await tx.branches.insert(rows.branch("elsewhere", OTHER))
    async with database.read() as tx:
        found = await tx.branches.list(replace(REF, namespace="Application"))
        none = await tx.branches.list(replace(REF, environment="PRO"))
    assert [branch.name for branch in found] == ["d", "b", "a", "c"]
    assert list(none) == []


async def test_branch__updated__changes_all_but_where_it_belongs_and_who_made_it(database: Database) -> None:
    async with database.write() as tx:
        stored = await tx.branches.insert(rows.branch())
        bystander = await tx.branches.insert(rows.branch("bystander"))
    changed = replace(
        stored,
        title="Other",
        priority=-1,
        rules=(GrayRule("x", percent=99.99),),
        overlay={},
        removed=(),
        live_overlay={"z": "9", "b": "中"},
        live_removed=("y", "x"),
        release_id=7,
        revision=2,
        updated_at=rows.LATER,
        updated_by="user:bob",
    )
    async with database.write() as tx:
        await tx.branches.update(replace(changed, ref=OTHER, name="x", created_at=rows.LATER, created_by="user:eve"))
        await tx.branches.update(replace(changed, id=bystander.id + 1000))
    async with database.read() as tx:
        assert changed == await tx.branches.get(REF, stored.name)
        assert bystander == await tx.branches.get(REF, "bystander")


async def test_branch__deleted__is_gone_and_its_releases_stay(database: Database) -> None:
    async with database.write() as tx:
        await rows.published(tx)
        gone = await _published(tx, "gone")
        kept = await _published(tx, "kept")
    async with database.write() as tx:
        await tx.branches.delete(gone.id)
        await tx.branches.delete(gone.id + 1000)
    async with database.read() as tx:
        assert [branch.name for branch in await tx.branches.list(REF)] == ["kept"]
        assert list(await tx.branches.live()) == [kept]
        assert await tx.releases.get("DEV", gone.release_id) is not None


async def test_live__of_published_branches__is_the_gray_part_of_the_index(database: Database) -> None:
    async with database.write() as tx:
        await rows.published(tx)
        await rows.published(tx, OTHER)
        await tx.branches.insert(rows.branch("draft-only"))
        of_redis = await _published(tx, "b2", ref=OTHER, priority=3)
        of_application = await _published(tx, "b1")
    async with database.read() as tx:
        live = await tx.branches.live()
        some = await tx.branches.live_of(iter([replace(OTHER, namespace="REDIS"), OTHER, replace(REF, app="no")]))
        none = await tx.branches.live_of([])
    assert {of_redis, of_application} == set(live)
    assert len(live) == 2
    assert list(some) == [of_redis]
    assert list(none) == []


async def test_history__of_a_namespace_with_branches__lists_its_own_releases_only(database: Database) -> None:
    async with database.write() as tx:
        namespace = await rows.published(tx)
        for number in range(3):
            await _published(tx, f"b{number}")
        newest = await tx.releases.insert(rows.release(namespace))
    async with database.read() as tx:
        whole = await tx.releases.history(namespace.id, before_id=None, limit=2)
        before = await tx.releases.history(namespace.id, before_id=newest.head.id, limit=2)
    assert [head.id for head in whole] == [newest.head.id, namespace.release_id]
    assert [head.id for head in before] == [namespace.release_id]
