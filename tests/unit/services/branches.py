"""Shortcuts to the use cases of gray branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from helicon_server.domain.gray import GrayBranch, GrayRule
from helicon_server.domain.names import NamespaceRef
from helicon_server.services import gray, gray_publish
from helicon_server.services.context import Caller
from helicon_server.services.gray_common import BranchDraft
from helicon_server.services.releasing import Note, Published
from tests.unit.services.world import APP, World

CANARY = GrayRule(APP, labels=("canary",))


def draft(
    overlay: Mapping[str, str] | None = None,
    removed: Sequence[str] = (),
    *,
    rules: Sequence[GrayRule] = (CANARY,),
    priority: int = 100,
    title: str = "",
) -> BranchDraft:
    return BranchDraft(title, priority, rules, overlay or {}, removed)


async def create(world: World, ref: NamespaceRef, wanted: BranchDraft, *, by: Caller | None = None) -> GrayBranch:
    caller = by or world.caller()
    checked = await gray.checked_draft(caller, ref, wanted)
    async with world.database.write() as tx:
        return await gray.create_branch(tx, caller, ref, checked)


async def change(
    world: World, branch: GrayBranch, wanted: BranchDraft, *, seen: int | None = None, by: Caller | None = None
) -> GrayBranch:
    caller = by or world.caller()
    checked = await gray.checked_draft(caller, branch.ref, wanted)
    revision = (await get(world, branch)).revision if seen is None else seen
    async with world.database.write() as tx:
        return await gray.change_branch(tx, caller, branch.ref, branch.name, checked, seen=revision)


async def publish(
    world: World,
    branch: GrayBranch,
    *,
    seen: int | None = None,
    may_empty: bool = False,
    note: Note | None = None,
    by: Caller | None = None,
) -> Published:
    caller = by or world.caller()
    revision = (await get(world, branch)).revision if seen is None else seen
    reviewed = await gray_publish.review_branch(
        world.database, caller, branch.ref, branch.name, seen=revision, may_empty=may_empty
    )
    async with world.database.write() as tx:
        return await gray_publish.publish_branch(tx, caller, branch.ref, reviewed, note or Note())


async def delete(world: World, branch: GrayBranch, *, seen: int | None = None, by: Caller | None = None) -> None:
    revision = (await get(world, branch)).revision if seen is None else seen
    async with world.database.write() as tx:
        await gray.delete_branch(tx, by or world.caller(), branch.ref, branch.name, seen=revision)


async def get(world: World, branch: GrayBranch) -> GrayBranch:
    async with world.database.read() as tx:
        return await gray.get_branch(tx, world.caller(), branch.ref, branch.name)


async def served(world: World, branch: GrayBranch) -> dict[str, str]:
    """What the clients of a published branch get."""
    release_id = (await get(world, branch)).release_id
    assert release_id is not None
    return await world.content(branch.ref, release_id)


async def told(world: World, ref: NamespaceRef) -> int | None:
    """The newest message of a namespace, which clients compare."""
    return (await world.get(ref)).message_id
