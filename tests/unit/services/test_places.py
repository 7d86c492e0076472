"""Apps, environments, clusters and namespaces: created, found, listed; and what releases are compared with."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from helicon_server.domain.actors import Right
from helicon_server.domain.draft import ChangeKind
from helicon_server.domain.errors import Conflict, Forbidden, HeliconError, InvalidName, NotFound
from helicon_server.domain.names import ClusterRef, NamespaceRef
from helicon_server.services import apps, clusters, environments, history, namespaces
from helicon_server.services.history import DRAFT, LIVE, OfRelease
from helicon_server.services.namespaces import NewNamespace
from tests.unit.services.world import APP, ENVIRONMENT, World


async def refusal(attempt: Awaitable[object]) -> tuple[type[HeliconError], str]:
    with pytest.raises(HeliconError) as refused:
        await attempt
    return type(refused.value), refused.value.code


async def make_app(world: World, app_id: str, name: str = "") -> None:
    async with world.database.write() as tx:
        await apps.create_app(tx, world.caller(), app_id=app_id, name=name)


async def make_cluster(world: World, name: str, environment: str = ENVIRONMENT) -> None:
    async with world.database.write() as tx:
        await clusters.create_cluster(tx, world.caller(), ClusterRef(environment, APP, name))


async def define(world: World, name: str, *, app: str = APP, public: bool = False) -> None:
    async with world.database.write() as tx:
        await namespaces.create_namespace(tx, world.caller(), ENVIRONMENT, app, NewNamespace(name, public=public))


async def associate(world: World, name: str, cluster: str = "default", app: str = APP) -> None:
    async with world.database.write() as tx:
        ref = NamespaceRef(ENVIRONMENT, app, cluster, name)
        await namespaces.associate_namespace(tx, world.caller(), ref)


async def names_in(world: World, cluster: str = "default", app: str = APP) -> list[str]:
    async with world.database.read() as tx:
        ref = ClusterRef(ENVIRONMENT, app, cluster)
        return [n.ref.namespace for n in await namespaces.list_namespaces(tx, world.caller(), ref)]


async def test_cluster_and_namespace__in_either_order__every_cluster_has_every_namespace(world: World) -> None:
    """A draft of its own in each."""
    await define(world, "before")
    await make_cluster(world, "east")
    await define(world, "after")
    assert await names_in(world) == await names_in(world, "east") == ["after", "before"]
    async with world.database.read() as tx:
        assert await clusters.list_clusters(tx, world.caller(), ENVIRONMENT, APP) == ["default", "east"]


async def test_definition_or_cluster__made__tells_the_nodes(world: World) -> None:
    """Delivery resolves public namespaces by definition, so that each of its nodes must hear of a new one."""
    hints = world.hints
    await define(world, "n")
    await make_cluster(world, "east")
    assert world.hints == hints + 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default", (Conflict, "cluster_exists")),
        ("DEFAULT", (Conflict, "cluster_exists")),
        ("East", (Conflict, "cluster_exists")),
        ("a b", (InvalidName, "invalid_cluster")),
    ],
)
async def test_cluster__name_taken_or_bad__is_refused(
    world: World, name: str, expected: tuple[type[HeliconError], str]
) -> None:
    """`default` always exists, in every spelling."""
    await make_cluster(world, "east")
    before = world.committed
    assert await refusal(make_cluster(world, name)) == expected
    assert world.committed is before


async def test_association__needs_a_public_namespace_of_somebody_else(world: World) -> None:
    """It takes the owner's spelling."""
    await define(world, "Shared", app="owner", public=True)
    await define(world, "private", app="owner")
    await associate(world, "sHARED")
    assert await names_in(world) == ["Shared"]
    assert await refusal(associate(world, "shared")) == (Conflict, "namespace_exists")
    assert await refusal(associate(world, "private")) == (NotFound, "public_namespace_not_found")
    assert await refusal(associate(world, "Shared", app="owner")) == (Conflict, "namespace_exists")
    assert await refusal(associate(world, "Shared", "absent")) == (NotFound, "cluster_not_found")


async def test_association__of_the_apps_own_public_namespace__is_refused_as_such(world: World) -> None:
    """Also where no draft of that name would stand in its way; its owner would publish under it twice."""
    await define(world, "Shared", app="owner", public=True)
    async with world.database.write() as tx:
        state = tx.namespaces._session.state
        state.namespaces.clear()
    with pytest.raises(Conflict, match="owns 'Shared' itself"):
        await associate(world, "shared", app="owner")
    assert await names_in(world) == []


async def test_public_name__is_one_in_an_environment(world: World) -> None:
    """Whichever app asks second is told; a private one of the same name may be."""
    await define(world, "shared", app="owner", public=True)
    assert await refusal(define(world, "SHARED", app="second", public=True)) == (Conflict, "public_namespace_exists")
    await define(world, "shared", app="second")


async def test_app__left_out_fields__are_filled(world: World) -> None:
    """The id is the name, the caller is the owner."""
    await make_app(world, "plain")
    async with world.database.read() as tx:
        app = await apps.get_app(tx, world.caller(), "plain")
        assert [a.app_id for a in await apps.list_apps(tx, world.caller(), after="plain", limit=9)] == [APP]
        assert await refusal(apps.get_app(tx, world.caller(), "Plain")) == (NotFound, "app_not_found")
    assert (app.name, app.owner, app.department) == ("plain", "token:ci", "")


async def test_unknown_environment__is_not_found_everywhere(world: World) -> None:
    """By one code."""
    async with world.database.read() as tx:
        for attempt in (
            clusters.list_clusters(tx, world.caller(), "NOPE", APP),
            namespaces.list_namespaces(tx, world.caller(), ClusterRef("NOPE", APP)),
        ):
            assert await refusal(attempt) == (NotFound, "environment_not_found")
    assert await refusal(make_cluster(world, "east", "NOPE")) == (NotFound, "environment_not_found")


async def test_environment__new_one__stands_behind_the_others(world: World) -> None:
    """And tells the nodes, which serve it at once."""
    hints = world.hints
    async with world.database.write() as tx:
        made = await environments.create_environment(tx, world.caller(), "pro")
    assert (made.name, made.position) == ("PRO", 1)
    assert world.hints == hints + 1
    assert [e.name for e in await environments.list_environments(world.storage, world.caller())] == ["DEV", "PRO"]


async def test_compare__every_pair_of_sides__is_answered(world: World) -> None:
    """Before the first release everything in the draft is new."""
    ref = await world.namespace(text="a=1\n")

    async def diff(old: history.Side, new: history.Side) -> list[tuple[str, ChangeKind]]:
        async with world.database.read() as tx:
            return [(c.key, c.kind) for c in await history.compare(tx, world.caller(), ref, old, new)]

    assert await diff(LIVE, DRAFT) == [("a", ChangeKind.ADDED)]
    first = await world.release(ref, "a=1\nb=1\n")
    await world.write(ref, "a=2\n")
    assert await diff(LIVE, DRAFT) == await diff(OfRelease(first), DRAFT)
    assert await diff(LIVE, DRAFT) == [("a", ChangeKind.MODIFIED), ("b", ChangeKind.DELETED)]
    assert await diff(LIVE, OfRelease(first)) == []


async def test_release__of_another_namespace_or_environment__is_not_found(world: World) -> None:
    """Authority is decided by the object, not by its number."""
    ref, other = await world.namespace(), await world.namespace("redis")
    theirs = await world.release(other, "b=1\n")
    async with world.database.read() as tx:
        for attempt in (
            history.get_release(tx, world.caller(), ref, theirs),
            history.compare(tx, world.caller(), ref, OfRelease(theirs), DRAFT),
            history.compare(tx, world.caller(), ref, DRAFT, OfRelease(theirs)),
            history.get_release(tx, world.caller(), ref, 10**9),
        ):
            assert await refusal(attempt) == (NotFound, "release_not_found")


async def test_every_read__without_the_right_to_view__is_refused_before_it_looks(world: World) -> None:
    """Also for what does not exist."""
    blind = world.caller(Right.EDIT, Right.PUBLISH, Right.MANAGE)
    ref = NamespaceRef("NOPE", "absent", "default", "absent")
    async with world.database.read() as tx:
        for attempt in (
            apps.get_app(tx, blind, "absent"),
            apps.list_apps(tx, blind, after=None, limit=1),
            clusters.list_clusters(tx, blind, "NOPE", APP),
            namespaces.list_namespaces(tx, blind, ClusterRef("NOPE", APP)),
            namespaces.get_namespace(tx, blind, ref),
            history.list_releases(tx, blind, ref, before_id=None, limit=1),
            history.get_release(tx, blind, ref, 1),
            history.compare(tx, blind, ref, LIVE, DRAFT),
            environments.list_environments(world.storage, blind),
        ):
            assert (await refusal(attempt))[0] is Forbidden


async def test_every_creation__without_the_right_to_manage__is_refused(world: World) -> None:
    """Who may edit and publish may not therefore make new places."""
    others = world.caller(Right.VIEW, Right.EDIT, Right.PUBLISH)
    before = world.committed
    for act in (
        lambda tx: apps.create_app(tx, others, app_id="x", name="x"),
        lambda tx: environments.create_environment(tx, others, "X"),
        lambda tx: clusters.create_cluster(tx, others, ClusterRef(ENVIRONMENT, APP, "x")),
        lambda tx: namespaces.create_namespace(tx, others, ENVIRONMENT, APP, NewNamespace("x")),
        lambda tx: namespaces.associate_namespace(tx, others, NamespaceRef(ENVIRONMENT, APP, "default", "x")),
    ):
        with pytest.raises(Forbidden):
            async with world.database.write() as tx:
                await act(tx)
    assert world.committed is before
