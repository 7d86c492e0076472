"""The audit: every use case that writes leaves exactly one entry for each thing that it touched, and no value."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from helicon_server import services
from helicon_server.auth import master_key
from helicon_server.auth.sealing import Sealer
from helicon_server.auth.throttle import Throttle
from helicon_server.domain.access_key import AccessKeyMode
from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Forbidden
from helicon_server.domain.names import ClusterRef, NamespaceRef
from helicon_server.services import access_keys, apps, audit_log, clusters, environments, namespaces, people, sign_in
from helicon_server.services.namespaces import NewNamespace
from helicon_server.services.people import NewToken
from tests.support.server import MASTER_KEY
from tests.unit.services import branches, test_drafts, test_inheritance
from tests.unit.services.world import APP, ENVIRONMENT, VALUE, World

SEALER = Sealer(master_key.parse(MASTER_KEY))
SECRET = "secret-that-no-audit-may-show"
Act = Callable[[World], Awaitable[object]]


async def create_app(world: World) -> None:
    async with world.database.write() as tx:
        await apps.create_app(tx, world.caller(), app_id="other", name=VALUE)


async def create_environment(world: World) -> None:
    async with world.database.write() as tx:
        await environments.create_environment(tx, world.caller(), "PRO")


async def create_cluster(world: World) -> None:
    await world.namespace("a")
    await world.namespace("b")
    async with world.database.write() as tx:
        await clusters.create_cluster(tx, world.caller(), ClusterRef(ENVIRONMENT, APP, "east"))


async def create_namespace(world: World) -> None:
    async with world.database.write() as tx:
        await namespaces.create_namespace(tx, world.caller(), ENVIRONMENT, APP, NewNamespace("n", comment=VALUE))


async def associate_namespace(world: World) -> None:
    async with world.database.write() as tx:
        new = NewNamespace("shared", public=True)
        await namespaces.create_namespace(tx, world.caller(), ENVIRONMENT, "owner", new)
        ref = NamespaceRef(ENVIRONMENT, APP, "default", "shared")
        await namespaces.associate_namespace(tx, world.caller(), ref)


async def write_text(world: World) -> None:
    await world.namespace(text=f"a={VALUE}\n")


async def create_item(world: World) -> None:
    await test_drafts.create(world, await world.namespace(), "k", VALUE, seen=1)


async def put_item(world: World) -> None:
    await test_drafts.put(world, await world.namespace(text="k=1\n"), "k", VALUE, seen=2)


async def delete_item(world: World) -> None:
    await test_drafts.delete(world, await world.namespace(text=f"k={VALUE}\n"), "k", seen=2)


async def publish(world: World) -> None:
    await world.publish(await world.namespace("a", f"a={VALUE}\n"), await world.namespace("b", f"b={VALUE}\n"))


async def rollback(world: World) -> None:
    ref = await world.namespace()
    first, second = await world.release(ref, f"a={VALUE}\n"), await world.release(ref, "a=1\n")
    await world.rollback(ref, to=first, live=second)


async def create_branch(world: World) -> None:
    await branches.create(world, await world.namespace(), branches.draft({"a": VALUE}))


async def change_branch(world: World) -> None:
    branch = await branches.create(world, await world.namespace(), branches.draft())
    await branches.change(world, branch, branches.draft({"a": VALUE}))


async def delete_branch(world: World) -> None:
    await branches.delete(world, await branches.create(world, await world.namespace(), branches.draft({"a": VALUE})))


async def publish_branch(world: World) -> None:
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    await branches.publish(world, await branches.create(world, ref, branches.draft({"a": VALUE})))


async def switch_inheritance(world: World) -> None:
    await test_inheritance.switch(world, await test_inheritance.east(world), True)


async def switch_incremental(world: World) -> None:
    await test_inheritance.sync(world, ENVIRONMENT, True)


async def create_access_key(world: World) -> int:
    new = access_keys.NewAccessKey(AccessKeyMode.FILTER, secret=SECRET)
    async with world.database.write() as tx:
        key, _ = await access_keys.create_access_key(tx, world.caller(), SEALER, ENVIRONMENT, APP, new)
    return key.id


async def change_access_key(world: World) -> int:
    id_ = await create_access_key(world)
    async with world.database.write() as tx:
        await access_keys.change_access_key(tx, world.caller(), ENVIRONMENT, APP, id_, enabled=False, mode=None)
    return id_


async def delete_access_key(world: World) -> None:
    id_ = await change_access_key(world)
    async with world.database.write() as tx:
        await access_keys.delete_access_key(tx, world.caller(), ENVIRONMENT, APP, id_)


async def create_token(world: World) -> None:
    async with world.database.write() as tx:
        await people.create_token(tx, world.caller(), NewToken("t", frozenset({Right.VIEW})), secret=SECRET)


async def revoke_token(world: World) -> None:
    await create_token(world)
    async with world.database.write() as tx:
        await people.revoke_token(tx, world.caller(), "t")


async def create_user(world: World) -> None:
    async with world.database.write() as tx:
        await people.create_user(tx, world.caller(), "ana", SECRET)


async def set_password(world: World) -> None:
    await create_user(world)
    async with world.database.write() as tx:
        await people.set_password(tx, world.caller(), "ana", SECRET + "2")


async def signs_in(world: World) -> None:
    await create_user(world)
    await sign_in.sign_in(world.database, Throttle(lambda: 0.0), world.caller(), "ana", SECRET)


# Use case → how to use it, and the newest entries that it leaves: environment, action, app, cluster, namespace.
USES: dict[str, tuple[Act, list[tuple[str, str, str, str, str]]]] = {
    "create_app": (create_app, [("", "app.create", "other", "", "")]),
    "create_environment": (create_environment, [("PRO", "environment.create", "", "", "")]),
    "create_cluster": (create_cluster, [(ENVIRONMENT, "cluster.create", APP, "east", "")]),
    "create_namespace": (create_namespace, [(ENVIRONMENT, "namespace.create", APP, "default", "n")]),
    "associate_namespace": (
        associate_namespace,
        [
            (ENVIRONMENT, "namespace.create", "owner", "default", "shared"),
            (ENVIRONMENT, "namespace.associate", APP, "default", "shared"),
        ],
    ),
    "write_text": (write_text, [(ENVIRONMENT, "draft.write_text", APP, "default", "application")]),
    "create_item": (create_item, [(ENVIRONMENT, "item.create", APP, "default", "application")]),
    "put_item": (put_item, [(ENVIRONMENT, "item.update", APP, "default", "application")]),
    "delete_item": (delete_item, [(ENVIRONMENT, "item.delete", APP, "default", "application")]),
    "publish": (
        publish,
        [(ENVIRONMENT, "release.publish", APP, "default", "a"), (ENVIRONMENT, "release.publish", APP, "default", "b")],
    ),
    "rollback": (rollback, [(ENVIRONMENT, "release.rollback", APP, "default", "application")]),
    "create_branch": (create_branch, [(ENVIRONMENT, "branch.create", APP, "default", "application")]),
    "change_branch": (change_branch, [(ENVIRONMENT, "branch.update", APP, "default", "application")]),
    "delete_branch": (delete_branch, [(ENVIRONMENT, "branch.delete", APP, "default", "application")]),
    "publish_branch": (publish_branch, [(ENVIRONMENT, "release.gray", APP, "default", "application")]),
    "set_inheritance": (switch_inheritance, [(ENVIRONMENT, "namespace.inheritance", APP, "east", "application")]),
    "set_incremental": (switch_incremental, [(ENVIRONMENT, "environment.incremental_sync", "", "", "")]),
    "create_access_key": (create_access_key, [(ENVIRONMENT, "access_key.create", APP, "", "")]),
    "change_access_key": (change_access_key, [(ENVIRONMENT, "access_key.update", APP, "", "")]),
    "delete_access_key": (delete_access_key, [(ENVIRONMENT, "access_key.delete", APP, "", "")]),
    "create_token": (create_token, [("", "token.create", "", "", "")]),
    "revoke_token": (revoke_token, [("", "token.revoke", "", "", "")]),
    "create_user": (create_user, [("", "user.create", "", "", "")]),
    "set_password": (set_password, [("", "user.set_password", "", "", "")]),
    "sign_in": (signs_in, [("", "user.sign_in", "", "", "")]),
}


def writing_use_cases() -> set[str]:
    """The public functions of the services that are given a transaction to write in, or a database to open one on."""
    found = set()
    for module in pkgutil.iter_modules(services.__path__):
        for name, function in vars(importlib.import_module(f"{services.__name__}.{module.name}")).items():
            if name.startswith("_") or not inspect.iscoroutinefunction(function):
                continue
            # What use cases share, none by itself.
            if function.__module__.endswith((".releasing", ".gray_releases", ".gray_common")):
                continue
            kinds = {str(p.annotation) for p in inspect.signature(function).parameters.values()}
            if kinds & {"ControlWrite", "ConfigWrite", "ControlDatabase"}:
                found.add(name)
    return found


def test_table__names_every_use_case_that_writes() -> None:
    """A new one needs a row, and so an entry."""
    assert writing_use_cases() == set(USES)


@pytest.mark.parametrize("name", USES)
async def test_use_case__leaves_one_entry_for_each_thing_and_no_value(world: World, name: str) -> None:
    """Who, where from, what, and under which request; in the database of what it records."""
    act, expected = USES[name]
    environment = expected[0][0]
    earlier = len(await world.audit(environment))
    await act(world)
    entries = (await world.audit(environment))[earlier:]
    newest = entries[-len(expected) :]
    assert [(e.environment, e.action, e.app, e.cluster, e.namespace) for e in newest] == expected
    actions = [e.action for e in entries]
    assert actions.count(expected[-1][1]) == [e[1] for e in expected].count(expected[-1][1])
    for entry in newest:
        assert entry.actor == ("user:ana" if name == "sign_in" else "token:ci")
        assert (entry.at, entry.request_id, entry.peer) == (world.now, "request-1", "192.0.2.7")
    everything = str([*entries, *await world.audit("")])
    assert VALUE not in everything
    assert SECRET not in everything


async def test_refused__use_case__leaves_no_entry(world: World) -> None:
    """The audit tells what was done; attempts are in the log."""
    before = world.committed
    for right, act in ((Right.VIEW, create_app), (Right.VIEW, create_token)):
        original = world.caller
        world.caller = lambda *_, of=right, make=original, **__: make(of)  # type: ignore[method-assign]  # everybody has one right
        with pytest.raises(Forbidden):
            await act(world)
        world.caller = original  # type: ignore[method-assign]  # as it was
    assert world.committed is before


async def test_entries__are_read_newest_first_by_pages_and_by_environment(world: World) -> None:
    """Only with the right to manage."""
    for n in range(5):
        await world.namespace(f"n{n}")
    async with world.database.read() as tx:
        first = await audit_log.entries_of_environment(tx, world.caller(), ENVIRONMENT, before_id=None, limit=3)
        rest = await audit_log.entries_of_environment(tx, world.caller(), ENVIRONMENT, before_id=first[-1].id, limit=9)
        control = await audit_log.entries(tx, world.caller(), before_id=None, limit=9)
        with pytest.raises(Forbidden):
            await audit_log.entries(tx, world.caller(Right.VIEW), before_id=None, limit=1)
        with pytest.raises(Forbidden):
            await audit_log.entries_of_environment(tx, world.caller(Right.VIEW), "NOPE", before_id=None, limit=1)
    assert [e.namespace for e in (*first, *rest)] == ["n4", "n3", "n2", "n1", "n0", ""]
    assert [e.action for e in control] == ["app.create"]


async def test_token__expired_by_the_time__is_seen_in_the_list(world: World) -> None:
    """Nothing is removed: who had access stays known."""
    async with world.database.write() as tx:
        new = NewToken("short", frozenset({Right.VIEW}), world.now + timedelta(days=1))
        await people.create_token(tx, world.caller(), new)
    world.later(days=2)
    async with world.database.read() as tx:
        (token,) = await people.list_tokens(tx, world.caller())
    assert token.expires_at is not None
    assert token.expires_at < world.now
