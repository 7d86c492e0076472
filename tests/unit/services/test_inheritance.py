"""Inheritance of a namespace and incremental sync of an environment: switches that clients feel at once."""

from __future__ import annotations

import pytest

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Forbidden, InvalidInput, NotFound
from helicon_server.domain.model import Environment, MessageKind, Namespace
from helicon_server.domain.names import ClusterRef, NamespaceRef
from helicon_server.services import clusters, environments
from helicon_server.services.context import Caller
from helicon_server.services.inheritance import set_inheritance
from tests.unit.services.world import APP, ENVIRONMENT, World


async def switch(world: World, ref: NamespaceRef, inherits: bool, by: Caller | None = None) -> Namespace:
    async with world.database.write() as tx:
        return await set_inheritance(tx, by or world.caller(), ref, inherits=inherits)


async def east(world: World, name: str = "application") -> NamespaceRef:
    """A namespace of another cluster."""
    await world.namespace(name)
    async with world.database.write() as tx:
        if await tx.clusters.get(ENVIRONMENT, APP, "east") is None:
            await clusters.create_cluster(tx, world.caller(), ClusterRef(ENVIRONMENT, APP, "east"))
    return NamespaceRef(ENVIRONMENT, APP, "east", name)


async def test_inheritance__of_a_released_namespace__is_told_to_its_clients(world: World) -> None:
    ref = await east(world)
    await world.release(ref, "a=1\n")
    before = await world.get(ref)
    switched = await switch(world, ref, True)
    assert switched == await world.get(ref)
    assert (switched.inherits, switched.revision, switched.release_id) == (True, before.revision, before.release_id)
    assert (switched.message_id or 0) > (before.message_id or 0)
    async with world.database.read() as tx:
        (live,) = await tx.namespaces.live()
        (message,) = await tx.messages.after(before.message_id or 0, limit=9)
    assert (live.inherits, live.message_id) == (True, message.id)
    assert (message.kind, message.cluster) == (MessageKind.RELEASE, "east")
    (entry,) = (await world.audit())[-1:]
    assert (entry.action, entry.detail) == ("namespace.inheritance", {"inherits": True})
    assert not (await switch(world, ref, False)).inherits


async def test_inheritance__as_it_is_already__changes_nothing(world: World) -> None:
    ref = await east(world)
    await world.release(ref, "a=1\n")
    switched, entries = await switch(world, ref, True), await world.audit()
    assert await switch(world, ref, True) == switched
    assert await world.audit() == entries


async def test_inheritance__before_the_first_release__wakes_nobody_and_stays(world: World) -> None:
    ref = await east(world)
    hints = world.hints
    assert (await switch(world, ref, True)).message_id is None
    assert world.hints == hints
    await world.release(ref, "a=1\n")
    assert (await world.get(ref)).inherits


@pytest.mark.parametrize(
    ("name", "cluster", "code"),
    [("application", "default", "default_inherits"), ("routes.json", "east", "document_inherits")],
)
async def test_inheritance__that_makes_no_sense__is_refused(world: World, name: str, cluster: str, code: str) -> None:
    await east(world, name)
    ref = NamespaceRef(ENVIRONMENT, APP, cluster, name)
    with pytest.raises(InvalidInput) as refused:
        await switch(world, ref, True)
    assert refused.value.code == code
    assert not (await switch(world, ref, False)).inherits, "what it is already may be said"


async def test_inheritance__without_the_right_or_the_namespace__is_refused(world: World) -> None:
    ref = await east(world)
    with pytest.raises(Forbidden):
        await switch(world, ref, True, by=world.caller(Right.EDIT, Right.VIEW, Right.MANAGE))
    with pytest.raises(NotFound):
        await switch(world, NamespaceRef(ENVIRONMENT, APP, "east", "absent"), True)


async def sync(world: World, name: str, enabled: bool, by: Caller | None = None) -> Environment:
    async with world.database.write() as tx:
        return await environments.set_incremental(tx, by or world.caller(), name, enabled=enabled)


async def test_incremental_sync__switched__is_told_to_nodes_and_wakes_nobody(world: World) -> None:
    async with world.database.read() as tx:
        before = await tx.messages.newest_id()
        assert not (await environments.require_environment(tx, ENVIRONMENT)).incremental
    assert (await sync(world, ENVIRONMENT, True)).incremental
    assert (await sync(world, ENVIRONMENT, True)).incremental
    async with world.database.read() as tx:
        assert (await environments.require_environment(tx, ENVIRONMENT)).incremental
        (message,) = await tx.messages.after(before, limit=9)
    assert (message.kind, message.environment) == (MessageKind.ENVIRONMENT, ENVIRONMENT)
    (entry,) = (await world.audit())[-1:]
    assert (entry.action, entry.detail) == ("environment.incremental_sync", {"enabled": True})


async def test_incremental_sync__without_the_right_or_the_environment__is_refused(world: World) -> None:
    with pytest.raises(Forbidden):
        await sync(world, ENVIRONMENT, True, by=world.caller(Right.EDIT, Right.VIEW, Right.PUBLISH))
    with pytest.raises(NotFound) as refused:
        await sync(world, "NOPE", True)
    assert refused.value.code == "environment_not_found"
