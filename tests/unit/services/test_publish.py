"""Publish: one transaction over one or several namespaces, all or none, once per idempotency key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import (
    Conflict,
    Forbidden,
    HeliconError,
    InvalidInput,
    LimitExceeded,
    NotFound,
    StaleRevision,
)
from helicon_server.domain.model import Operation
from helicon_server.domain.names import NamespaceRef
from helicon_server.services.publish import Target
from helicon_server.services.releasing import Note
from tests.unit.services.world import APP, ENVIRONMENT, VALUE, World, limited

ABSENT = NamespaceRef(ENVIRONMENT, APP, "default", "absent")


async def test_publish__several__makes_a_release_a_message_and_an_audit_entry_each(world: World) -> None:
    """In the order asked; the messages grow, and other nodes are hinted at once, behind the commit."""
    one, two = await world.namespace(text=f"a={VALUE}\n"), await world.namespace("routes.json", f'"{VALUE}"')
    hints = world.hints
    made = await world.publish(one, two, note=Note("Title", "Comment"))
    assert world.hints == hints + 1
    assert [p.ref for p in made] == [one, two]
    assert made[0].message_id < made[1].message_id
    for published, content in zip(made, ({"a": VALUE}, {"content": f'"{VALUE}"'}), strict=True):
        namespace = await world.get(published.ref)
        (head,) = await world.releases(published.ref)
        assert (namespace.release_id, namespace.message_id) == (head.id, published.message_id)
        assert namespace.released_revision == namespace.revision == head.draft_revision == 2
        assert (head.title, head.comment, head.operation) == ("Title", "Comment", Operation.PUBLISH)
        assert (head.previous_id, head.source_id, head.created_by) == (None, None, "token:ci")
        assert await world.content(published.ref, head.id) == content
    newest = (await world.audit())[-2:]
    assert [(e.action, e.namespace, e.detail["release"]) for e in newest] == [
        ("release.publish", p.ref.namespace, p.release_id) for p in made
    ]
    assert VALUE not in str(newest)


async def test_publish__again__points_back_and_leaves_the_earlier_as_it_was(world: World) -> None:
    """A release is immutable; its id grows."""
    ref = await world.namespace()
    first = await world.release(ref, "a=1\n")
    second = await world.release(ref, "a=2\n")
    newest, oldest = await world.releases(ref)
    assert (newest.id, newest.previous_id, oldest.id) == (second, first, first)
    assert newest.key != oldest.key
    assert await world.content(ref, first) == {"a": "1"}


async def test_publish__draft_edited_behind_it__changes_no_release(world: World) -> None:
    """What clients see is the snapshot, not the draft."""
    ref = await world.namespace()
    release = await world.release(ref, "a=1\n")
    await world.write(ref, "a=2\n")
    assert await world.content(ref, release) == {"a": "1"}
    assert (await world.get(ref)).release_id == release


async def test_publish__empty_draft_never_released__is_a_release(world: World) -> None:
    """Clients of a new namespace get an empty configuration instead of 404."""
    ref = await world.namespace()
    (made,) = await world.publish(ref)
    assert await world.content(ref, made.release_id) == {}


async def test_publish__over_a_damaged_release__mends_it_and_empties_nothing_unknowingly__c6(world: World) -> None:
    """A content that cannot be read any more reads as empty."""
    ref = await world.namespace()
    live = await world.release(ref, "a=1\n")
    releases = world.database._committed.releases
    releases[live] = replace(releases[live], configurations={})
    await world.write(ref, "# a=1\n")
    with pytest.raises(Conflict) as refused:
        await world.publish(ref)
    assert refused.value.code == "would_empty"
    await world.write(ref, "a=1\n")
    (made,) = await world.publish(ref)
    assert await world.content(ref, made.release_id) == {"a": "1"}


async def test_publish__nothing_left_of_the_live_release__must_be_meant(world: World) -> None:
    """An emptied namespace stops its clients; the whole publish is refused unless the publisher says that it knows."""
    one, two = await world.namespace(text="a=1\n"), await world.namespace("redis")
    live = await world.release(two, "b=1\n")
    await world.write(two, "# b=1\n")
    before = world.committed
    with pytest.raises(Conflict) as refused:
        await world.publish(one, two)
    assert (refused.value.code, refused.value.details) == ("would_empty", {"namespace": "redis", "live_release": live})
    assert world.committed is before
    targets = [Target(one, 2), Target(two, 3, may_empty=True)]
    made = await world.publish_targets(targets, world.caller(), Note())
    assert await world.content(two, made[1].release_id) == {}


@pytest.mark.parametrize("trouble", ["stale", "absent", "nothing", "limit", "twice"])
async def test_publish__second_of_two_cannot_be__leaves_nothing_behind(world: World, trouble: str) -> None:
    """No release, no message, no audit entry, no hint, and no used idempotency key."""
    one, two = await world.namespace(text="a=1\n"), await world.namespace("redis", "b=longer\n")
    if trouble == "nothing":
        await world.publish(two)
    targets = [Target(one, 2), Target(two, 7 if trouble == "stale" else 2)]
    caller = world.caller()
    if trouble == "absent":
        targets[1] = Target(ABSENT, 1)
    if trouble == "limit":  # it was lowered since the draft was saved
        caller = limited(caller, value_characters=5)
    if trouble == "twice":
        targets[1] = Target(NamespaceRef(ENVIRONMENT, APP, "default", "APPLICATION"), 2)
    before, hints = world.committed, world.hints
    expected: dict[str, tuple[type[HeliconError], str]] = {
        "stale": (StaleRevision, "stale_revision"),
        "absent": (NotFound, "namespace_not_found"),
        "nothing": (Conflict, "nothing_to_publish"),
        "limit": (LimitExceeded, "value_too_long"),
        "twice": (InvalidInput, "duplicate_namespace"),
    }
    class_, code = expected[trouble]
    with pytest.raises(class_) as refused:
        await world.publish_targets(targets, caller, Note(idempotency_key="k"))
    assert refused.value.code == code
    assert (world.committed, world.hints) == (before, hints)
    assert world.committed is before
    assert await world.publish(one, note=Note(idempotency_key="k")), "the key is free for the corrected request"


async def test_publish__several_stale__names_all_of_them(world: World) -> None:
    """One look shows what must be reviewed again."""
    one, two = await world.namespace(text="a=1\n"), await world.namespace("redis", "b=1\n")
    with pytest.raises(StaleRevision) as refused:
        await world.publish(one, two, application=1, redis=3)
    stale = refused.value.details["stale"]
    assert isinstance(stale, list)
    assert [(s["namespace"], s["seen_revision"], s["current_revision"]) for s in stale] == [
        ("application", 1, 2),
        ("redis", 3, 2),
    ]


async def test_publish__none_or_too_many__is_refused(world: World) -> None:
    """The bound is that of the caller's limits."""
    ref = await world.namespace()
    with pytest.raises(InvalidInput) as nothing:
        await world.publish()
    assert nothing.value.code == "no_namespaces"
    with pytest.raises(LimitExceeded) as many:
        await world.publish(ref, ref, by=limited(world.caller(), publish_namespaces=1))
    assert (many.value.code, many.value.details) == ("too_many_namespaces", {"limit": 1})


async def test_publish__unknown_environment__is_not_found(world: World) -> None:
    """Rather than the namespace, which cannot be there either."""
    ref = replace(await world.namespace(), environment="NOPE")
    with pytest.raises(NotFound) as refused:
        await world.publish_targets([Target(ref, 1)], world.caller(), Note(), "NOPE")
    assert refused.value.code == "environment_not_found"


async def test_publish_and_rollback__without_the_right__are_refused(world: World) -> None:
    """Who may edit and view may not therefore publish."""
    ref = await world.namespace()
    first, second = await world.release(ref, "a=1\n"), await world.release(ref, "a=2\n")
    others = world.caller(Right.EDIT, Right.VIEW, Right.MANAGE)
    before = world.committed
    with pytest.raises(Forbidden):
        await world.publish(ref, by=others)
    with pytest.raises(Forbidden):
        await world.rollback(ref, to=first, live=second, by=others)
    assert world.committed is before


async def test_idempotency__same_key_and_request__is_answered_the_same_and_makes_one_release(world: World) -> None:
    """Also when the namespace has moved on meanwhile: the answer is what happened then."""
    ref = await world.namespace(text="a=1\n")
    note = Note("t", "c", "key")
    first = await world.publish(ref, note=note)
    await world.write(ref, "a=2\n")
    audited = await world.audit()
    assert await world.publish(ref, note=note, application=2) == first
    assert len(await world.releases(ref)) == 1
    assert await world.audit() == audited


@pytest.mark.parametrize("other", ["targets", "revision", "title", "comment", "rollback"])
async def test_idempotency__same_key_for_another_request__is_refused(world: World, other: str) -> None:
    """Whatever differs: the caller must not take the one's answer for the other's."""
    ref, redis = await world.namespace(), await world.namespace("redis")
    first = await world.release(ref, "a=1\n")
    await world.write(ref, "a=2\n")
    (second,) = await world.publish(ref, note=Note("t", "c", "key"))
    before = world.committed
    attempts: dict[str, Callable[[], Awaitable[object]]] = {
        "targets": lambda: world.publish(ref, redis, note=Note("t", "c", "key")),
        "revision": lambda: world.publish(ref, note=Note("t", "c", "key"), application=9),
        "title": lambda: world.publish(ref, note=Note("T", "c", "key")),
        "comment": lambda: world.publish(ref, note=Note("t", "C", "key")),
        "rollback": lambda: world.rollback(ref, to=first, live=second.release_id, note=Note("t", "c", "key")),
    }
    with pytest.raises(Conflict) as refused:
        await attempts[other]()
    assert refused.value.code == "idempotency_key_reused"
    assert world.committed is before


async def test_idempotency__key_of_another_caller__is_another_key(world: World) -> None:
    """Nobody is answered with what somebody else asked, and nobody can use up another one's keys."""
    ref = await world.namespace(text="a=1\n")
    await world.publish(ref, note=Note(idempotency_key="key"))
    await world.write(ref, "a=2\n")
    (made,) = await world.publish(ref, note=Note(idempotency_key="key"), by=world.caller(name="token:other"))
    assert await world.content(ref, made.release_id) == {"a": "2"}


async def test_rollback__makes_a_new_release_of_the_old_content(world: World) -> None:
    """Under a new id, key and message, because clients keep what they think they have; the draft stays."""
    ref = await world.namespace()
    first, second = await world.release(ref, f"a={VALUE}\n"), await world.release(ref, "a=2\n")
    await world.write(ref, "a=3\n")
    made = await world.rollback(ref, to=first, live=second, note=Note("Back", "why"))
    newest, *_, oldest = await world.releases(ref)
    assert (newest.id, newest.previous_id, newest.source_id) == (made.release_id, second, first)
    assert (newest.operation, newest.title, newest.comment) == (Operation.ROLLBACK, "Back", "why")
    assert (newest.content_sha256, newest.size) == (oldest.content_sha256, oldest.size)
    assert newest.key not in (oldest.key, "")
    assert await world.content(ref, newest.id) == {"a": VALUE}
    namespace = await world.get(ref)
    assert (namespace.release_id, namespace.message_id) == (newest.id, made.message_id)
    assert namespace.released_revision != namespace.revision, "the draft is not what is live"
    assert await world.text(ref) == "a=3\n"
    entry = (await world.audit())[-1]
    assert (entry.action, entry.detail["release"], entry.detail["source"]) == ("release.rollback", newest.id, first)
    assert VALUE not in str(entry)


async def test_rollback__of_a_rollback__is_possible(world: World) -> None:
    """Forward again: every release can be brought back."""
    ref = await world.namespace()
    first, second = await world.release(ref, "a=1\n"), await world.release(ref, "a=2\n")
    back = await world.rollback(ref, to=first, live=second)
    forth = await world.rollback(ref, to=second, live=back.release_id)
    assert await world.content(ref, forth.release_id) == {"a": "2"}


@pytest.mark.parametrize("trouble", ["live moved", "live itself", "unknown", "of another namespace", "no namespace"])
async def test_rollback__that_cannot_be__leaves_nothing_behind(world: World, trouble: str) -> None:
    """The caller must have seen what is live, and the release must be one of this namespace."""
    ref, other = await world.namespace(), await world.namespace("redis")
    first, second = await world.release(ref, "a=1\n"), await world.release(ref, "a=2\n")
    foreign = await world.release(other, "b=1\n")
    before = world.committed
    asked: dict[str, tuple[NamespaceRef, int, int, type[HeliconError], str]] = {
        "live moved": (ref, first, first, StaleRevision, "stale_release"),
        "live itself": (ref, second, second, Conflict, "release_is_live"),
        "unknown": (ref, 10**9, second, NotFound, "release_not_found"),
        "of another namespace": (ref, foreign, second, NotFound, "release_not_found"),
        "no namespace": (ABSENT, first, second, NotFound, "namespace_not_found"),
    }
    of, to, live, class_, code = asked[trouble]
    with pytest.raises(class_) as refused:
        await world.rollback(of, to=to, live=live)
    assert refused.value.code == code
    assert world.committed is before


async def test_rollback__namespace_never_released__is_stale(world: World) -> None:
    """Nothing is live, whatever the caller saw."""
    ref = await world.namespace()
    with pytest.raises(StaleRevision) as refused:
        await world.rollback(ref, to=1, live=2)
    assert refused.value.details == {"seen_release": 2, "live_release": None}


async def test_rollback__same_key_twice__is_answered_the_same(world: World) -> None:
    """A retry after a lost answer rolls back once."""
    ref = await world.namespace()
    first, second = await world.release(ref, "a=1\n"), await world.release(ref, "a=2\n")
    made = await world.rollback(ref, to=first, live=second, note=Note(idempotency_key="key"))
    assert await world.rollback(ref, to=first, live=second, note=Note(idempotency_key="key")) == made
    assert len(await world.releases(ref)) == 3
