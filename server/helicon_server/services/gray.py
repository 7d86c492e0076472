"""Gray branches: create, find, change, delete. ``gray_publish`` publishes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict
from helicon_server.domain.gray import GrayBranch, GrayRule
from helicon_server.domain.gray_rules import checked_rules
from helicon_server.domain.model import FIRST_REVISION, Namespace
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.release import new_release_key
from helicon_server.storage.contract import ConfigRead, ConfigWrite

from .context import Caller, audit
from .gray_common import BranchDraft, check_changes, check_revision, lock, require_branch, tell
from .namespaces import require_namespace

BRANCHES_LIMIT: Final = 20  # of one namespace; a read of its clients may try them all
_AUDITED_KEYS = 200  # of one write; more are counted


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """A draft whose changes ``checked_draft`` found fit for its namespace; rules are checked with the write."""

    draft: BranchDraft


async def checked_draft(caller: Caller, ref: NamespaceRef, draft: BranchDraft) -> CheckedDraft:
    """Vouches for what a draft changes of the namespace ``ref``, whose name says the format; before a transaction.

    Raises InvalidInput, InvalidDocument with line and column, and LimitExceeded; see ``check_changes``.
    """
    caller.may(Right.EDIT)
    await check_changes(caller, ref, draft.overlay, draft.removed)
    return CheckedDraft(draft)


async def create_branch(tx: ConfigWrite, caller: Caller, ref: NamespaceRef, checked: CheckedDraft) -> GrayBranch:
    """Makes a branch that nobody sees until it is published.

    Raises what ``checked_rules`` raises, NotFound, and Conflict ``too_many_branches``.
    """
    caller.may(Right.EDIT)
    namespace = await lock(tx, ref)
    draft = checked.draft
    if len(await tx.branches.list(namespace.ref)) >= BRANCHES_LIMIT:
        raise Conflict(
            f"{namespace.ref} has {BRANCHES_LIMIT} branches; delete one that is not needed any more.",
            code="too_many_branches",
            details={"limit": BRANCHES_LIMIT},
        )
    branch = await tx.branches.insert(
        GrayBranch(
            id=0,
            ref=namespace.ref,
            name=new_release_key(caller.now),  # of the same form (protocol, section 2)
            title=draft.title,
            priority=draft.priority,
            rules=await _rules(tx, namespace, draft),
            overlay=dict(draft.overlay),
            removed=tuple(dict.fromkeys(draft.removed)),
            release_id=None,
            revision=FIRST_REVISION,
            created_at=caller.now,
            created_by=caller.actor.name,
            updated_at=caller.now,
            updated_by=caller.actor.name,
        )
    )
    await _record(tx, caller, "create", branch)
    return branch


async def list_branches(tx: ConfigRead, caller: Caller, ref: NamespaceRef) -> Sequence[GrayBranch]:
    """Lists the branches of a namespace in the order in which they are tried."""
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    return await tx.branches.list(namespace.ref)


async def get_branch(tx: ConfigRead, caller: Caller, ref: NamespaceRef, name: str) -> GrayBranch:
    """Finds a branch. Raises NotFound ``branch_not_found``."""
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    return await require_branch(tx, namespace, name)


async def change_branch(
    tx: ConfigWrite, caller: Caller, ref: NamespaceRef, name: str, checked: CheckedDraft, *, seen: int
) -> GrayBranch:
    """Replaces the draft of a branch; a draft that changes nothing makes no new revision.

    Rules and priority of a published branch are no draft: they count at once, and need the right to publish. What the
    branch lays over its namespace counts when it is published. Raises StaleRevision with both sides.
    """
    caller.may(Right.EDIT)
    namespace = await lock(tx, ref)
    branch = await require_branch(tx, namespace, name)
    draft = checked.draft
    check_revision(caller, branch, seen, yours=draft.sides)
    wanted = replace(
        branch,
        title=draft.title,
        priority=draft.priority,
        rules=await _rules(tx, namespace, draft),
        overlay=dict(draft.overlay),
        removed=tuple(dict.fromkeys(draft.removed)),
    )
    if wanted == branch and list(wanted.overlay) == list(branch.overlay):
        return branch
    selects_others = (wanted.rules, wanted.priority) != (branch.rules, branch.priority)
    if branch.release_id is not None and selects_others:
        caller.may(Right.PUBLISH)
    changed = replace(wanted, revision=branch.revision + 1, updated_at=caller.now, updated_by=caller.actor.name)
    await tx.branches.update(changed)
    await _record(tx, caller, "update", changed)
    if branch.release_id is not None and selects_others:
        await tell(tx, namespace)
    return changed


async def delete_branch(tx: ConfigWrite, caller: Caller, ref: NamespaceRef, name: str, *, seen: int) -> None:
    """Abandons a branch: its clients get the release of the namespace again. Raises StaleRevision with both sides."""
    caller.may(Right.PUBLISH)
    namespace = await lock(tx, ref)
    branch = await require_branch(tx, namespace, name)
    check_revision(caller, branch, seen, yours=None)
    await tx.branches.delete(branch.id)
    await _record(tx, caller, "delete", branch)
    if branch.release_id is not None:
        await tell(tx, namespace)


async def _rules(tx: ConfigRead, namespace: Namespace, draft: BranchDraft) -> tuple[GrayRule, ...]:
    ref = namespace.ref
    definition = await tx.definitions.get(ref.environment, ref.app, ref.namespace)
    public = definition is not None and definition.public
    return checked_rules(draft.rules, only_app=None if public else ref.app)


async def _record(tx: ConfigWrite, caller: Caller, action: str, branch: GrayBranch) -> None:
    keys = {**dict.fromkeys(branch.overlay, "set"), **dict.fromkeys(branch.removed, "removed")}
    detail: dict[str, object] = {
        "branch": branch.name,
        "title": branch.title,
        "revision": branch.revision,
        "priority": branch.priority,
        "rules": [asdict(rule) for rule in branch.rules],
        "keys": dict(list(keys.items())[:_AUDITED_KEYS]),
        "changed": len(keys),
    }
    await audit(tx.audit, caller, f"branch.{action}", ref=branch.ref, detail=detail)
