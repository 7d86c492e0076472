"""Releases of branches: laid over the live content of their namespace, and laid over anew whenever that changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.errors import Conflict, LimitExceeded, NotFound
from helicon_server.domain.gray import GrayBranch
from helicon_server.domain.model import Operation
from helicon_server.domain.names import NamespaceRef
from helicon_server.services.gray_common import BranchDraft
from helicon_server.services.releasing import Note
from tests.unit.services import branches
from tests.unit.services.branches import draft
from tests.unit.services.world import VALUE, World, limited


async def published(world: World, ref: NamespaceRef, *drafts: BranchDraft) -> list[GrayBranch]:
    """Published branches of these drafts."""
    made = [await branches.create(world, ref, each) for each in drafts]
    for branch in made:
        await branches.publish(world, branch)
    return [await branches.get(world, branch) for branch in made]


async def test_publish__of_a_branch__releases_the_live_content_with_the_branch_laid_over(world: World) -> None:
    """Edits of the namespace that nobody published are not in it."""
    ref = await world.namespace()
    base = await world.release(ref, "a=1\nb=2\nc=3\n")
    await world.write(ref, "a=draft\n")
    branch = await branches.create(world, ref, draft({"a": VALUE, "d": "4"}, ["b"]))
    before, hints = await branches.told(world, ref), world.hints
    made = await branches.publish(world, branch, note=Note("Title", "Comment"))
    assert await branches.served(world, branch) == {"a": VALUE, "c": "3", "d": "4"}
    async with world.database.read() as tx:
        release = await tx.releases.get(ref.environment, made.release_id)
        (live,) = await tx.branches.live()
        (message,) = await tx.messages.after(before or 0, limit=10)
    assert release is not None
    head = release.head
    assert (head.operation, head.ref.cluster, head.ref.namespace) == (Operation.GRAY, branch.name, ref.namespace)
    assert (head.previous_id, head.source_id, head.draft_revision) == (None, base, 1)
    assert (head.title, head.comment, head.key) == ("Title", "Comment", made.release_key)
    assert (live.ref, live.name, live.release_key) == (ref, branch.name, head.key)
    namespace = await world.get(ref)
    assert (namespace.message_id, namespace.release_id) == (made.message_id, base)
    assert (message.id, message.cluster, world.hints) == (made.message_id, "default", hints + 1)
    (entry,) = (await world.audit())[-1:]
    assert (entry.action, entry.cluster, entry.detail["branch"]) == ("release.gray", "default", branch.name)
    assert VALUE not in str(entry)


async def test_publish__of_a_document_branch__releases_its_text(world: World) -> None:
    ref = await world.namespace("routes.json")
    await world.release(ref, "[1]")
    (changed, same) = await published(world, ref, draft({"content": "[2]"}), draft())
    assert await branches.served(world, changed) == {"content": "[2]"}
    assert await branches.served(world, same) == {"content": "[1]"}


async def test_publish__before_the_namespace_was__is_refused(world: World) -> None:
    ref = await world.namespace(text="a=1\n")
    branch = await branches.create(world, ref, draft({"a": "2"}))
    with pytest.raises(Conflict) as refused:
        await branches.publish(world, branch)
    assert refused.value.code == "not_released"


async def test_publish__over_a_damaged_release__is_refused__c6(world: World) -> None:
    """The damage would be released anew under a hash that fits it."""
    ref = await world.namespace()
    live = await world.release(ref, "a=1\nb=1\n")
    branch = await branches.create(world, ref, draft({"a": "2"}))
    releases = world.database._committed.releases
    releases[live] = replace(releases[live], configurations={"a": "1", "b": "flipped"})
    with pytest.raises(Conflict) as refused:
        await branches.publish(world, branch)
    assert refused.value.code == "release_corrupt"


async def test_publish__again__needs_something_new(world: World) -> None:
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    (branch,) = await published(world, ref, draft({"a": "2"}))
    before = world.committed
    with pytest.raises(Conflict) as refused:
        await branches.publish(world, branch)
    assert refused.value.code == "nothing_to_publish"
    assert world.committed is before
    await branches.change(world, branch, draft({"a": "3"}))
    made = await branches.publish(world, branch)
    async with world.database.read() as tx:
        release = await tx.releases.get(ref.environment, made.release_id)
    assert release is not None
    assert (release.head.previous_id, release.head.draft_revision) == (branch.release_id, 2)


async def test_publish__key_pinned_to_the_value_that_it_has__is_news(world: World) -> None:
    """Nothing changes for clients today, and the key stays when the namespace moves on."""
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    (branch,) = await published(world, ref, draft())
    await branches.change(world, branch, draft({"a": "1"}))
    await branches.publish(world, branch)
    await world.release(ref, "a=2\nb=1\n")
    assert await branches.served(world, branch) == {"a": "1", "b": "1"}


async def test_publish__nothing_left_for_the_clients_of_a_branch__must_be_meant(world: World) -> None:
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    branch = await branches.create(world, ref, draft({}, ["a"]))
    with pytest.raises(Conflict) as refused:
        await branches.publish(world, branch)
    assert refused.value.code == "would_empty"
    await branches.publish(world, branch, may_empty=True)
    assert await branches.served(world, branch) == {}


async def test_publish__limit_lowered_since_the_draft_was_saved__is_refused(world: World) -> None:
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    branch = await branches.create(world, ref, draft({"a": "longer"}))
    with pytest.raises(LimitExceeded):
        await branches.publish(world, branch, by=limited(world.caller(), value_characters=5))


async def test_publish__same_idempotency_key__is_answered_the_same_and_makes_one_release(world: World) -> None:
    """Also after the branch has moved on or is gone."""
    ref = await world.namespace()
    await world.release(ref, "a=1\n")
    branch = await branches.create(world, ref, draft({"a": "2"}))
    note = Note("t", "c", "key")
    first = await branches.publish(world, branch, note=note)
    await branches.change(world, branch, draft({"a": "3"}))
    again = await branches.publish(world, branch, seen=1, note=note)
    await branches.delete(world, branch)
    gone = await branches.publish(world, branch, seen=1, note=note)
    assert first == again == gone
    with pytest.raises(Conflict) as refused:
        await branches.publish(world, branch, seen=2, note=note)
    assert refused.value.code == "idempotency_key_reused"


async def test_namespace__published__lays_its_published_branches_over_it_in_the_same_transaction(world: World) -> None:
    """Several of them; one message tells of everything, and branches of other namespaces stay as they are."""
    ref, other = await world.namespace(), await world.namespace("redis")
    await world.release(ref, "a=1\nb=1\n")
    await world.release(other, "a=1\n")
    one, two = await published(world, ref, draft({"a": "one"}), draft({"c": "two"}, ["b"]))
    (elsewhere,) = await published(world, other, draft({"a": "else"}))
    unpublished = await branches.create(world, ref, draft({"a": "draft"}))
    async with world.database.read() as tx:
        hints, before = world.hints, await tx.messages.newest_id()
    base = await world.release(ref, "a=2\nb=2\n")
    assert await branches.served(world, one) == {"a": "one", "b": "2"}
    assert await branches.served(world, two) == {"a": "2", "c": "two"}
    assert await branches.get(world, elsewhere) == elsewhere
    assert await branches.get(world, unpublished) == unpublished
    async with world.database.read() as tx:
        messages = await tx.messages.after(before, limit=10)
        for branch in (one, two):
            now = await branches.get(world, branch)
            release = await tx.releases.get(ref.environment, now.release_id or 0)
            assert release is not None
            assert (release.head.previous_id, release.head.source_id) == (branch.release_id, base)
            assert (now.revision, release.head.draft_revision) == (1, 1)
            assert (await world.get(ref)).message_id == messages[-1].id
    assert [m.cluster for m in messages] == ["default"]
    assert world.hints == hints + 1
    assert [e.action for e in await world.audit()][-3:] == ["release.publish", "release.gray", "release.gray"]


async def test_namespace__published__takes_what_was_published_of_a_branch_and_not_its_draft(world: World) -> None:
    """An edit that nobody has published must not reach a client by way of another publish."""
    ref = await world.namespace()
    await world.release(ref, "a=1\nb=1\n")
    (branch,) = await published(world, ref, draft({"a": "gray"}))
    await branches.change(world, branch, draft({"a": VALUE}, ["b"]))
    await world.release(ref, "a=2\nb=2\n")
    assert await branches.served(world, branch) == {"a": "gray", "b": "2"}
    async with world.database.read() as tx:
        release = await tx.releases.get(ref.environment, (await branches.get(world, branch)).release_id or 0)
    assert release is not None
    assert release.head.draft_revision == 1


async def test_namespace__published_without_news_for_a_branch__makes_no_release_of_it(world: World) -> None:
    ref = await world.namespace()
    await world.release(ref, "a=1\nb=1\n")
    (branch,) = await published(world, ref, draft({"a": "gray"}))
    await world.release(ref, "a=2\nb=1\n")
    assert await branches.get(world, branch) == branch


async def test_namespace__rolled_back__lays_its_branches_over_the_earlier_content(world: World) -> None:
    ref = await world.namespace()
    first, second = await world.release(ref, "a=1\nb=1\n"), await world.release(ref, "a=1\nb=2\n")
    (branch,) = await published(world, ref, draft({"a": "gray"}))
    await world.rollback(ref, to=first, live=second)
    assert await branches.served(world, branch) == {"a": "gray", "b": "1"}


async def test_rollback__to_a_release_of_a_branch__is_not_found(world: World) -> None:
    """It is no release of the namespace: its draft revision is that of the branch."""
    ref = await world.namespace()
    live = await world.release(ref, "a=1\n")
    (branch,) = await published(world, ref, draft({"a": "2"}))
    with pytest.raises(NotFound) as refused:
        await world.rollback(ref, to=branch.release_id or 0, live=live)
    assert refused.value.code == "release_not_found"
    assert [head.id for head in await world.releases(ref)] == [live]
