"""Instances and nodes as people look at them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Forbidden, NotFound
from helicon_server.domain.instance import InstanceRelease
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.node import Node
from helicon_server.services import observing
from helicon_server.storage.contract import Storage
from helicon_server.storage.memory import MemoryDatabase
from tests.unit.services import branches
from tests.unit.services.branches import draft
from tests.unit.services.world import APP, ENVIRONMENT, NOW, World


def seen(ip: str, *, cluster: str = "default", key: str = "k", app: str = APP) -> InstanceRelease:
    return InstanceRelease(
        ENVIRONMENT, app, "default", "", ip, "", APP, cluster, "application", key, delivered_at=NOW, seen_at=NOW
    )


async def test_instances__of_a_namespace__are_those_of_its_cluster_and_its_branches(world: World) -> None:
    """Those of one release if asked; in a branch that is gone too."""
    ref = await world.namespace()
    live = await world.release(ref, "a=1\n")
    branch = await branches.create(world, ref, draft({"a": "2"}))
    gray = await branches.publish(world, branch)
    (head,) = await world.releases(ref)
    async with world.database.write() as tx:
        await tx.instances.record(
            [
                seen("10.0.0.1", key=head.key),
                seen("10.0.0.2", key=gray.release_key, cluster=branch.name, app="other"),
                seen("10.0.0.3", cluster="east"),
            ]
        )

    async def listed(release_id: int | None = None, limit: int = 9) -> list[str]:
        async with world.database.read() as tx:
            found = await observing.list_instances(
                tx, world.caller(Right.VIEW), ref, release_id=release_id, limit=limit
            )
        return [instance.ip for instance in found]

    assert sorted(await listed()) == ["10.0.0.1", "10.0.0.2"]
    assert len(await listed(limit=1)) == 1
    assert await listed(live) == ["10.0.0.1"]
    assert await listed(gray.release_id) == ["10.0.0.2"]
    await branches.delete(world, branch)
    assert await listed(gray.release_id) == ["10.0.0.2"]
    with pytest.raises(NotFound) as refused:
        await listed(999_999)
    assert refused.value.code == "release_not_found"


async def test_instances__without_the_right_or_the_namespace__are_refused(world: World) -> None:
    ref = await world.namespace()
    async with world.database.read() as tx:
        with pytest.raises(Forbidden):
            await observing.list_instances(tx, world.caller(Right.MANAGE), ref, release_id=None, limit=1)
        absent = NamespaceRef(ENVIRONMENT, APP, "default", "absent")
        with pytest.raises(NotFound):
            await observing.list_instances(tx, world.caller(), absent, release_id=None, limit=1)


async def test_nodes__of_all_databases__are_listed_once_each_by_their_start(world: World) -> None:
    other = MemoryDatabase("PRO")
    storage = Storage(world.database, world.database, {"PRO": other}, world.database.close)

    def node(id_: str, hour: int) -> Node:
        return Node(id_, "http://n", ("delivery",), "1", NOW.replace(hour=hour), NOW)

    for database, nodes in ((other, [node("b", 2), node("c", 1)]), (world.database, [node("b", 2), node("a", 3)])):
        async with database.write() as tx:
            for each in nodes:
                await tx.nodes.beat(each)
    listed = await observing.list_nodes(storage, world.caller(Right.MANAGE))
    async with world.database.read() as tx:
        newest = {n.id: n for n in await tx.nodes.list(beaten_within_s=60)}
    assert [each.node.id for each in listed] == ["c", "b", "a"]
    assert listed[1].node == newest["b"], "with its newest sign of life"
    with pytest.raises(Forbidden):
        await observing.list_nodes(storage, world.caller(Right.VIEW))


async def test_node__that_missed_its_heartbeats__is_listed_as_dead(world: World) -> None:
    storage = Storage(world.database, world.database, {}, world.database.close)
    async with world.database.write() as tx:
        await tx.nodes.beat(Node("a", "http://n", ("delivery",), "1", NOW, NOW))
    for silent_s, alive in ((0.0, False), (3600.0, True)):
        world.limits = replace(world.limits, node_silent_s=silent_s)
        (listed,) = await observing.list_nodes(storage, world.caller(Right.MANAGE))
        assert listed.alive is alive
