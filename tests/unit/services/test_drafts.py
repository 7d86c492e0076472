"""Drafts: every write names what it saw, and a stale one is shown both sides, as far as the caller may look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

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
from helicon_server.domain.model import ItemType, Namespace
from helicon_server.domain.names import NamespaceRef
from helicon_server.services import drafts
from helicon_server.services.context import Caller
from helicon_server.services.drafts import ItemEdit
from tests.unit.services.world import VALUE, World, limited

MINE, THEIRS = "mine", "theirs"


async def put(
    world: World, ref: NamespaceRef, key: str, value: str, *, seen: int, by: Caller | None = None
) -> Namespace:
    """Sets an item that was seen at a revision."""
    caller = by or world.caller()
    checked = await drafts.checked_edit(caller, ref, ItemEdit(key, value))
    async with world.database.write() as tx:
        namespace, _, _ = await drafts.put_item(tx, caller, ref, checked, seen=seen)
    return namespace


async def create(
    world: World, ref: NamespaceRef, key: str, value: str, *, seen: int, by: Caller | None = None
) -> Namespace:
    """Adds an item to a draft that was seen at a revision."""
    caller = by or world.caller()
    checked = await drafts.checked_edit(caller, ref, ItemEdit(key, value))
    async with world.database.write() as tx:
        namespace, _ = await drafts.create_item(tx, caller, ref, checked, seen=seen)
    return namespace


async def delete(world: World, ref: NamespaceRef, key: str, *, seen: int, by: Caller | None = None) -> Namespace:
    """Removes an item from a draft that was seen at a revision."""
    async with world.database.write() as tx:
        return await drafts.delete_item(tx, by or world.caller(), ref, key, seen=seen)


async def test_writes__each__makes_one_revision_and_one_audit_entry_with_keys_only(world: World) -> None:
    """The audit tells which keys changed and how, and never what they hold."""
    ref = await world.namespace(text=f"# {VALUE}\na={VALUE}\nb=1\n")
    await create(world, ref, "c", VALUE, seen=2)
    await put(world, ref, "a", VALUE + "2", seen=3)
    await delete(world, ref, "b", seen=4)
    last = await world.write(ref, f"a=1\nC={VALUE}\nd=1\n")
    assert last.revision == 6
    entries = [e for e in await world.audit() if e.namespace == "application"][1:]
    assert [(e.action, e.detail) for e in entries] == [
        ("draft.write_text", {"revision": 2, "keys": {"a": "added", "b": "added"}, "changed": 2}),
        ("item.create", {"revision": 3, "keys": {"c": "added"}, "changed": 1}),
        ("item.update", {"revision": 4, "keys": {"a": "modified"}, "changed": 1}),
        ("item.delete", {"revision": 5, "keys": {"b": "deleted"}, "changed": 1}),
        ("draft.write_text", {"revision": 6, "keys": {"a": "modified", "C": "modified", "d": "added"}, "changed": 3}),
    ]
    assert {(e.actor, e.request_id, e.peer) for e in entries} == {("token:ci", "request-1", "192.0.2.7")}
    assert VALUE not in str(entries)


async def test_write__of_what_is_there__makes_no_revision_and_no_entry(world: World) -> None:
    """A script that saves every night does not bury the edits of people."""
    ref = await world.namespace(text="a = 1\n")
    audited = await world.audit()
    assert (await world.write(ref, "a = 1\n")).revision == 2
    assert (await put(world, ref, "a", "1", seen=2)).revision == 2
    assert await world.audit() == audited


async def test_write__of_very_many_keys__audits_a_bounded_number_and_the_count(world: World) -> None:
    """An import of a large file must not write a large audit row."""
    ref = await world.namespace(text="".join(f"k{n}=1\n" for n in range(1000)))
    detail = (await world.audit())[-1].detail
    keys = detail["keys"]
    assert isinstance(keys, dict)
    assert (len(keys), detail["changed"]) == (200, 1000)
    assert len(await world.items(ref)) == 1000


@pytest.mark.parametrize("may_view", [True, False])
@pytest.mark.parametrize("write", ["text", "put", "create", "create absent", "delete"])
async def test_stale__write__shows_both_sides_to_those_who_may_view(world: World, write: str, may_view: bool) -> None:
    """Without the right to view: what the caller sent itself, and how far the draft has moved, nothing else."""
    ref = await world.namespace(text="a=0\n")
    await world.write(ref, f"a={THEIRS}\n", by=world.caller(name="user:ana"))
    caller = world.caller(Right.EDIT, Right.VIEW) if may_view else world.caller(Right.EDIT)
    before = world.committed
    attempts: dict[str, Callable[[], Awaitable[object]]] = {
        "text": lambda: world.write(ref, f"a={MINE}\n", seen=2, by=caller),
        "put": lambda: put(world, ref, "a", MINE, seen=2, by=caller),
        "create": lambda: create(world, ref, "a", MINE, seen=2, by=caller),
        "create absent": lambda: create(world, ref, "b", MINE, seen=2, by=caller),
        "delete": lambda: delete(world, ref, "a", seen=2, by=caller),
    }
    with pytest.raises(StaleRevision) as refused:
        await attempts[write]()
    assert world.committed is before
    details = dict(refused.value.details)
    assert (details.pop("seen_revision"), details.pop("current_revision")) == (2, 3)
    yours = details.pop("yours")
    item = {"key": "a", "value": MINE, "type": ItemType.STRING, "comment": ""}
    assert yours == {"text": f"a={MINE}\n", "delete": None, "create absent": item | {"key": "b"}}.get(write, item)
    if not may_view:
        assert details == {}
        assert THEIRS not in refused.value.message
        return
    theirs = {"text": f"a={THEIRS}\n", "create absent": None}.get(write, item | {"value": THEIRS})
    assert details == {"theirs": theirs, "changed_by": "user:ana", "changed_at": world.now}


async def test_item__differing_by_case_only__is_the_same_item(world: World) -> None:
    """It can be read by any spelling, and neither created nor replaced nor deleted by another one."""
    ref = await world.namespace(text="Timeout=1\n")
    for write in (create, put):
        with pytest.raises(Conflict) as refused:
            await write(world, ref, "timeout", "2", seen=2)
        assert refused.value.code == "item_exists"
        assert "'Timeout'" in refused.value.message
    with pytest.raises(NotFound):
        await delete(world, ref, "TIMEOUT", seen=2)
    async with world.database.read() as tx:
        _, item = await drafts.read_item(tx, world.caller(), ref, "TIMEOUT")
    assert (item.key, item.value) == ("Timeout", "1")


async def test_create__behind_an_open_line__leaves_the_text_readable(world: World) -> None:
    """The last line gets its terminator, and a backslash at its end swallows nothing."""
    for text, expected in (("a=1", "a=1\nb=2\n"), ("a=1\\", "a=1\nb=2\n"), ("# c", "# c\nb=2\n")):
        ref = await world.namespace(f"n{abs(hash(text))}", text)
        await create(world, ref, "b", "2", seen=2)
        assert await world.text(ref) == expected


async def test_delete__of_the_item_behind_a_lone_backslash__leaves_a_draft_that_can_be_published(world: World) -> None:
    """A backslash that begins nothing any more becomes a blank line."""
    ref = await world.namespace(text="\\\na=1\n")
    await delete(world, ref, "a", seen=2)
    (made,) = await world.publish(ref)
    assert await world.content(ref, made.release_id) == {}


async def test_document__written_as_item__is_the_same_as_text(world: World) -> None:
    """Two faces of one draft."""
    ref = await world.namespace("routes.json")
    await put(world, ref, "content", "{}", seen=1)
    assert await world.text(ref) == "{}"
    await world.write(ref, "[]")
    (item,) = await world.items(ref)
    assert (item.key, item.value) == ("content", "[]")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [("", "v", "invalid_key"), ("k", "\0", "control_character"), ("k", "x" * 11, "value_too_long")],
)
async def test_edit__bad__is_refused_before_a_transaction(world: World, key: str, value: str, code: str) -> None:
    """A bad edit costs the database nothing."""
    ref = await world.namespace()
    with pytest.raises(InvalidInput) as refused:
        await drafts.checked_edit(limited(world.caller(), value_characters=10), ref, ItemEdit(key, value))
    assert refused.value.code == code


async def test_every_use__without_its_right__is_refused_before_anything_else(world: World) -> None:
    """Also where nothing of that name exists: who may not look learns not what is there."""
    absent = NamespaceRef("DEV", "shop", "default", "absent")
    viewer, editor = world.caller(Right.VIEW), world.caller(Right.EDIT)
    for write in (create, put):
        with pytest.raises(Forbidden):
            await write(world, absent, "k", "v", seen=1, by=viewer)
    with pytest.raises(Forbidden):
        await delete(world, absent, "k", seen=1, by=viewer)
    with pytest.raises(Forbidden):
        await world.write(absent, "a=1\n", seen=1, by=viewer)
    async with world.database.read() as tx:
        for read in (drafts.read_items(tx, editor, absent), drafts.read_text(tx, editor, absent)):
            with pytest.raises(Forbidden):
                await read
        with pytest.raises(Forbidden):
            await drafts.read_item(tx, editor, absent, "k")


async def test_every_use__of_a_namespace_that_is_absent__is_not_found(world: World) -> None:
    """By one code."""
    absent = NamespaceRef("DEV", "shop", "default", "absent")
    refusals: list[HeliconError] = []
    for attempt in (
        create(world, absent, "k", "v", seen=1),
        put(world, absent, "k", "v", seen=1),
        delete(world, absent, "k", seen=1),
        world.write(absent, "a=1\n", seen=1),
        world.text(absent),
        world.items(absent),
    ):
        with pytest.raises(NotFound) as refused:
            await attempt
        refusals.append(refused.value)
    assert {each.code for each in refusals} == {"namespace_not_found"}


async def test_create_item__draft_full_of_lines__is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps that deleted items left in the positions do not count."""
    monkeypatch.setattr("helicon_server.services.drafts.LINE_LIMIT", 3)
    monkeypatch.setattr("helicon_server.domain.draft.LINE_LIMIT", 3)
    ref = await world.namespace(text="a=1\nb=1\nc=1\n")
    with pytest.raises(LimitExceeded) as refused:
        await create(world, ref, "d", "1", seen=2)
    assert refused.value.code == "too_many_lines"
    await delete(world, ref, "b", seen=2)
    await create(world, ref, "d", "1", seen=3)
