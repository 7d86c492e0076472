"""Gray branches as people edit them: drafts, rules, priority, deletion, and who may do what."""

from __future__ import annotations

import re

import pytest

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict, Forbidden, HeliconError, InvalidInput, NotFound, StaleRevision
from helicon_server.domain.gray import GrayRule
from helicon_server.domain.names import NamespaceRef
from helicon_server.services import gray, namespaces
from helicon_server.services.gray import BRANCHES_LIMIT
from helicon_server.services.gray_common import BranchDraft
from helicon_server.services.namespaces import NewNamespace
from tests.unit.services import branches
from tests.unit.services.branches import CANARY, draft
from tests.unit.services.world import APP, ENVIRONMENT, VALUE, World


async def test_branch__created__is_a_draft_that_nobody_is_told_of(world: World) -> None:
    """With a name that can stand in the place of a cluster, and canonical rules."""
    ref = await world.namespace(text="a=1\n")
    await world.publish(ref)
    before, hints = await branches.told(world, ref), world.hints
    made = await branches.create(
        world, ref, draft({"a": "2"}, ["b", "b"], rules=[GrayRule(APP, ("10.0.0.9/8",))], priority=3, title="Try")
    )
    assert re.fullmatch(r"20250101120000-[0-9a-f]{16}", made.name)
    assert (made.title, made.priority, made.rules) == ("Try", 3, (GrayRule(APP, ("10.0.0.0/8",)),))
    assert (made.overlay, made.removed, made.revision, made.release_id) == ({"a": "2"}, ("b",), 1, None)
    assert made == await branches.get(world, made)
    assert (await branches.told(world, ref), world.hints) == (before, hints)


async def test_branch__of_a_namespace_in_another_case__belongs_to_the_same(world: World) -> None:
    ref = await world.namespace()
    made = await branches.create(world, NamespaceRef(ENVIRONMENT, APP, "default", "APPLICATION"), draft())
    assert made.ref == ref


async def test_branches__of_a_namespace__are_bounded(world: World) -> None:
    ref, other = await world.namespace(), await world.namespace("redis")
    for _ in range(BRANCHES_LIMIT):
        await branches.create(world, ref, draft())
    with pytest.raises(Conflict) as refused:
        await branches.create(world, ref, draft())
    assert (refused.value.code, refused.value.details) == ("too_many_branches", {"limit": 20})
    assert (await branches.create(world, other, draft())).ref == other


async def test_branches__listed__in_the_order_in_which_they_are_tried(world: World) -> None:
    ref = await world.namespace()
    made = [await branches.create(world, ref, draft(priority=priority)) for priority in (5, 1, 5)]
    async with world.database.read() as tx:
        listed = await gray.list_branches(tx, world.caller(Right.VIEW), ref)
    assert [branch.name for branch in listed] == [made[1].name, made[0].name, made[2].name]


@pytest.mark.parametrize(
    ("name", "wanted", "code"),
    [
        ("application", draft({"a": "1", "A": "2"}), "duplicate_key_case"),
        ("application", draft(rules=[GrayRule(APP, ("x",))]), "invalid_rule"),
        ("application", draft(rules=[GrayRule("other", percent=1)]), "invalid_rule"),
        ("routes.json", draft({"content": "{"}), "json_syntax"),
        ("routes.json", draft({"a": "1"}), "invalid_key"),
    ],
)
async def test_branch__that_could_not_be_served__is_not_stored(
    world: World, name: str, wanted: BranchDraft, code: str
) -> None:
    """Neither new nor as a change."""
    ref = await world.namespace(name)
    branch = await branches.create(world, ref, draft())
    before = world.committed
    for attempt in (branches.create(world, ref, wanted), branches.change(world, branch, wanted)):
        with pytest.raises(InvalidInput) as refused:
            await attempt
        assert refused.value.code == code
    assert world.committed is before


async def test_rules__of_a_public_namespace__may_name_other_apps(world: World) -> None:
    async with world.database.write() as tx:
        new = NewNamespace("shared", public=True)
        await namespaces.create_namespace(tx, world.caller(), ENVIRONMENT, APP, new)
    ref = NamespaceRef(ENVIRONMENT, APP, "default", "shared")
    theirs = GrayRule("other", percent=1.0)
    assert (await branches.create(world, ref, draft(rules=[theirs]))).rules == (theirs,)


async def test_change__of_a_branch__makes_a_revision_and_none_when_it_changes_nothing(world: World) -> None:
    ref = await world.namespace()
    branch = await branches.create(world, ref, draft({"a": "1"}))
    world.later(hours=1)
    changed = await branches.change(world, branch, draft({"a": "2"}, ["b"], title="New"))
    assert (changed.revision, changed.overlay, changed.removed, changed.title) == (2, {"a": "2"}, ("b",), "New")
    assert (changed.updated_at, changed.created_at) == (world.now, branch.created_at)
    assert changed == await branches.get(world, branch)
    entries = await world.audit()
    assert changed == await branches.change(world, branch, draft({"a": "2"}, ["b"], title="New"))
    assert await world.audit() == entries


async def test_change__of_an_older_revision__is_refused_with_both_sides(world: World) -> None:
    """Theirs only to those who may view."""
    ref = await world.namespace()
    branch = await branches.create(world, ref, draft({"a": "1"}))
    await branches.change(world, branch, draft({"a": "theirs"}))
    with pytest.raises(StaleRevision) as refused:
        await branches.change(world, branch, draft({"a": "yours"}), seen=1)
    details = refused.value.details
    assert (details["seen_revision"], details["current_revision"]) == (1, 2)
    for side, value in (("yours", "yours"), ("theirs", "theirs")):
        shown = details[side]
        assert isinstance(shown, dict)
        assert shown["set"] == {"a": value}
    with pytest.raises(StaleRevision) as blind:
        await branches.change(world, branch, draft({"a": "yours"}), seen=1, by=world.caller(Right.EDIT))
    assert "theirs" not in blind.value.details
    with pytest.raises(StaleRevision):
        await branches.delete(world, branch, seen=1)
    with pytest.raises(StaleRevision):
        await branches.publish(world, branch, seen=1)


async def test_rules_and_priority__of_a_published_branch__count_at_once_and_need_the_right_to_publish(
    world: World,
) -> None:
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    branch = await branches.create(world, ref, draft({"a": "2"}))
    await branches.publish(world, branch)
    editor = world.caller(Right.EDIT, Right.VIEW)
    before = await branches.told(world, ref)
    assert before is not None
    for wanted in (draft({"a": "2"}, rules=[]), draft({"a": "2"}, priority=1)):
        committed = world.committed
        with pytest.raises(Forbidden) as refused:
            await branches.change(world, branch, wanted, by=editor)
        assert refused.value.details["right"] == "publish"
        assert world.committed is committed
        await branches.change(world, branch, wanted)
        after = await branches.told(world, ref)
        assert after is not None
        assert after > before
        before = after


async def test_changes__of_a_published_branch__are_a_draft_that_an_editor_may_write(world: World) -> None:
    """Clients keep what was published, and nobody is woken."""
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    branch = await branches.create(world, ref, draft({"a": "2"}))
    await branches.publish(world, branch)
    before, hints = await branches.told(world, ref), world.hints
    await branches.change(world, branch, draft({"a": "3"}, title="T"), by=world.caller(Right.EDIT))
    assert await branches.served(world, branch) == {"a": "2"}
    assert (await branches.told(world, ref), world.hints) == (before, hints)


async def test_branch__deleted__is_told_when_somebody_was_served_it(world: World) -> None:
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    draft_only = await branches.create(world, ref, draft({"a": "2"}))
    published = await branches.create(world, ref, draft({"a": "3"}))
    release = (await branches.publish(world, published)).release_id
    before = await branches.told(world, ref)
    await branches.delete(world, draft_only)
    assert await branches.told(world, ref) == before
    await branches.delete(world, published)
    assert (await branches.told(world, ref) or 0) > (before or 0)
    async with world.database.read() as tx:
        assert list(await tx.branches.list(ref)) == []
    assert await world.content(ref, release) == {"a": "3"}, "a release is immutable"
    for attempt in (branches.get(world, published), branches.delete(world, published, seen=1)):
        with pytest.raises(NotFound) as refused:
            await attempt
        assert refused.value.code == "branch_not_found"


async def test_branch__without_the_right__is_refused(world: World) -> None:
    """To view is not to edit, to edit is not to publish, and to publish is not to edit."""
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    branch = await branches.create(world, ref, draft({"a": "2"}))
    before = world.committed
    for right, attempt in (
        (Right.EDIT, branches.create(world, ref, draft(), by=world.caller(Right.VIEW, Right.PUBLISH, Right.MANAGE))),
        (Right.EDIT, branches.change(world, branch, draft(), by=world.caller(Right.VIEW, Right.PUBLISH))),
        (Right.PUBLISH, branches.publish(world, branch, by=world.caller(Right.VIEW, Right.EDIT, Right.MANAGE))),
        (Right.PUBLISH, branches.delete(world, branch, by=world.caller(Right.VIEW, Right.EDIT))),
    ):
        with pytest.raises(Forbidden) as refused:
            await attempt
        assert refused.value.details["right"] == right.value
    async with world.database.read() as tx:
        with pytest.raises(Forbidden):
            await gray.list_branches(tx, world.caller(Right.EDIT), ref)
        with pytest.raises(Forbidden):
            await gray.get_branch(tx, world.caller(Right.PUBLISH), ref, branch.name)
    assert world.committed is before


async def test_branch__of_what_is_not_there__says_what_is_missing(world: World) -> None:
    await world.namespace()
    for ref, code in (
        (NamespaceRef("NOPE", APP, "default", "application"), "environment_not_found"),
        (NamespaceRef(ENVIRONMENT, APP, "east", "application"), "cluster_not_found"),
        (NamespaceRef(ENVIRONMENT, APP, "default", "absent"), "namespace_not_found"),
    ):
        with pytest.raises(HeliconError) as refused:
            await branches.create(world, ref, draft())
        assert refused.value.code == code


async def test_branch__audited__with_keys_and_rules_and_no_value(world: World) -> None:
    ref = await world.namespace()
    branch = await branches.create(world, ref, draft({"a": VALUE}, ["b"]))
    (entry,) = (await world.audit())[-1:]
    assert (entry.action, entry.app, entry.cluster, entry.namespace) == ("branch.create", APP, "default", ref.namespace)
    assert entry.detail["branch"] == branch.name
    assert entry.detail["keys"] == {"a": "set", "b": "removed"}
    assert entry.detail["rules"] == [{"client_app": APP, "ips": (), "labels": CANARY.labels, "percent": None}]
    assert VALUE not in str(entry)
