"""Publish a branch: the clients that its rules select get its release, laid over the live one of its namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict
from helicon_server.domain.gray import GrayBranch
from helicon_server.domain.model import Namespace, Operation, Release
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.overlay import laid_over
from helicon_server.domain.release import content_sha256, is_blank
from helicon_server.storage.contract import ConfigDatabase, ConfigWrite

from .context import Caller
from .gray_common import check_changes, check_revision, lock, require_branch, tell
from .gray_releases import release_branch
from .releasing import Note, Published, answered, hash_of, keep_answer


@dataclass(frozen=True, slots=True)
class ReviewedBranch:
    """A branch whose changes were checked at the revision that the publisher saw."""

    name: str
    seen: int
    may_empty: bool = False  # the publisher knows that nothing is left for the branch's clients


async def review_branch(
    database: ConfigDatabase, caller: Caller, ref: NamespaceRef, name: str, *, seen: int, may_empty: bool = False
) -> ReviewedBranch:
    """Reads a branch and checks its changes once more, for limits and rules may have moved since they were saved.

    Opens a transaction of its own and checks behind it. Raises what ``check_changes`` raises.
    """
    caller.may(Right.PUBLISH)
    async with database.read() as tx:
        branch = await tx.branches.get(ref, name)
    # Of one that is missing or has moved on ``publish_branch`` says so, unless it is a repeated request.
    if branch is not None and branch.revision == seen:
        await check_changes(caller, ref, branch.overlay, branch.removed)
    return ReviewedBranch(name, seen, may_empty)


async def publish_branch(
    tx: ConfigWrite, caller: Caller, ref: NamespaceRef, reviewed: ReviewedBranch, note: Note
) -> Published:
    """Releases a reviewed branch to the clients that its rules select.

    Raises StaleRevision when the branch moved on; Conflict ``not_released`` when its namespace has no live release,
    ``nothing_to_publish`` when it is published as it is, ``would_empty`` when nothing would be left for its clients
    unknowingly, ``release_corrupt`` when the live release does not fit its hash, ``idempotency_key_reused`` when the
    key came with another request; and NotFound.
    """
    caller.may(Right.PUBLISH)
    asked = hash_of(
        "publish_branch", str(ref), reviewed.name, reviewed.seen, reviewed.may_empty, note.title, note.comment
    )
    namespace = await lock(tx, ref)
    if (earlier := await answered(tx, caller, ref.environment, note, asked)) is not None:
        return earlier[0]
    branch = await require_branch(tx, namespace, reviewed.name)
    check_revision(caller, branch, reviewed.seen, yours=None)
    base = await _live(tx, namespace)
    content = laid_over(base.configurations, branch.overlay, branch.removed)
    await _require_news(tx, branch, content)
    if is_blank(content) and not is_blank(base.configurations) and not reviewed.may_empty:
        raise Conflict(
            f"Nothing would be left of {namespace.ref} for the clients of the branch, and they would run without it. "
            "If that is wanted, publish with `may_empty`.",
            code="would_empty",
            details={"namespace": namespace.ref.namespace, "live_release": namespace.release_id},
        )
    release = await release_branch(
        tx,
        caller,
        branch,
        base,
        content,
        draft_revision=branch.revision,
        title=note.title,
        comment=note.comment,
    )
    head = release.head
    await tx.branches.update(
        replace(branch, release_id=head.id, live_overlay=branch.overlay, live_removed=branch.removed)
    )
    published = Published(head.id, head.key, await tell(tx, namespace), head.ref, Operation.GRAY)
    await keep_answer(tx, caller, ref.environment, note, asked, [published])
    return published


async def _live(tx: ConfigWrite, namespace: Namespace) -> Release:
    release_id = namespace.release_id
    release = None if release_id is None else await tx.releases.get(namespace.ref.environment, release_id)
    if release is None:
        raise Conflict(
            f"{namespace.ref} has no live release that a branch could be laid over: publish it first.",
            code="not_released",
        )
    if content_sha256(release.configurations) != release.head.content_sha256:
        message = f"What the database holds of release {release_id} is damaged, and would be released anew."
        raise Conflict(message, code="release_corrupt")
    return release


async def _require_news(tx: ConfigWrite, branch: GrayBranch, content: Mapping[str, str]) -> None:
    """Refuses a release that says nothing new. A branch that was never published makes its rules count."""
    if branch.release_id is None:
        return
    same_changes = (branch.overlay, branch.removed) == (branch.live_overlay, branch.live_removed)
    live = await tx.releases.get(branch.ref.environment, branch.release_id)
    if same_changes and live is not None and dict(live.configurations) == content:
        raise Conflict(
            f"Branch {branch.name} of {branch.ref} is published as it is.",
            code="nothing_to_publish",
            details={"namespace": branch.ref.namespace, "live_release": branch.release_id},
        )
