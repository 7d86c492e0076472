"""The releases of gray branches: made when a branch is published, and anew whenever its namespace is.

A branch's release is complete: the live content of its namespace with the branch laid over it. So a namespace that is
published or rolled back gives every published branch a new release in the same transaction, unless the branch's content
stays as it is (Apollo client protocol, section 10.2; docs/decisions/0013-gray-branches.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from helicon_server.domain.gray import GrayBranch
from helicon_server.domain.model import Operation, Release, ReleaseHead
from helicon_server.domain.overlay import laid_over
from helicon_server.domain.release import content_sha256, content_size, new_release_key
from helicon_server.storage.contract import ConfigWrite

from .context import Caller, audit


async def lay_branches_over(tx: ConfigWrite, caller: Caller, bases: Sequence[Release], title: str) -> None:
    """Gives the published branches of namespaces new releases over the ``bases`` that have just been made.

    What is laid over is what was published of a branch; edits since then stay in its draft. The caller holds the
    locks of the namespaces and appends their messages, which are the branches' too.
    """
    by_ref = {base.head.ref: base for base in bases}
    for ref in {live.ref for live in await tx.branches.live_of(by_ref)}:
        for branch in await tx.branches.list(ref):
            if branch.release_id is not None:
                await _lay_over(tx, caller, branch, branch.release_id, by_ref[ref], title)


async def _lay_over(
    tx: ConfigWrite, caller: Caller, branch: GrayBranch, release_id: int, base: Release, title: str
) -> None:
    content = laid_over(base.configurations, branch.live_overlay, branch.live_removed)
    before = (await tx.releases.contents([release_id])).get(release_id)
    if before is not None and dict(before.configurations) == content:
        return
    revision = branch.revision if before is None else before.head.draft_revision
    release = await release_branch(tx, caller, branch, base, content, draft_revision=revision, title=title)
    await tx.branches.update(replace(branch, release_id=release.head.id))


async def release_branch(
    tx: ConfigWrite,
    caller: Caller,
    branch: GrayBranch,
    base: Release,
    content: Mapping[str, str],
    *,
    draft_revision: int,
    title: str,
    comment: str = "",
) -> Release:
    """Stores a release of a branch, and its audit entry. Its ``source_id`` is the release that it was laid over."""
    head = ReleaseHead(
        id=0,
        key=new_release_key(caller.now),
        ref=replace(branch.ref, cluster=branch.name),
        namespace_id=base.head.namespace_id,
        operation=Operation.GRAY,
        title=title,
        comment=comment,
        previous_id=branch.release_id,
        source_id=base.head.id,
        draft_revision=draft_revision,
        content_sha256=content_sha256(content),
        size=content_size(content),
        created_at=caller.now,
        created_by=caller.actor.name,
    )
    release = await tx.releases.insert(Release(head, content))
    detail: dict[str, object] = {
        "branch": branch.name,
        "release": release.head.id,
        "title": title,
        "source": base.head.id,
        "sha256": head.content_sha256,
    }
    await audit(tx.audit, caller, f"release.{Operation.GRAY}", ref=branch.ref, detail=detail)
    return release
