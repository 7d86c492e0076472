"""Roll back: an earlier content becomes live again, as a new release."""

from __future__ import annotations

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict, NotFound, StaleRevision
from helicon_server.domain.model import Operation
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.release import content_sha256
from helicon_server.storage.contract import ConfigWrite

from .context import Caller
from .namespaces import found
from .releasing import Change, Note, Published, answered, hash_of, make_releases


async def rollback(
    tx: ConfigWrite, caller: Caller, ref: NamespaceRef, *, to: int, seen_live: int, note: Note
) -> Published:
    """Releases the content of an earlier release once more, under a new id and key. The draft stays as it is.

    ``seen_live`` is the id of the live release that the caller saw. Raises StaleRevision ``stale_release`` when
    another is live, NotFound ``release_not_found``, and Conflict ``release_is_live`` or
    ``release_corrupt``.
    """
    caller.may(Right.PUBLISH)
    asked = hash_of("rollback", str(ref), to, seen_live, note.title, note.comment)
    (locked,) = await tx.namespaces.lock([ref])
    if (earlier := await answered(tx, caller, ref.environment, note, asked)) is not None:
        return earlier[0]
    namespace = await found(tx, ref, locked)
    if namespace.release_id != seen_live:
        raise StaleRevision(
            f"Release {namespace.release_id} of {namespace.ref} is live, not {seen_live}: look again and repeat.",
            code="stale_release",
            details={"seen_release": seen_live, "live_release": namespace.release_id},
        )
    release = await tx.releases.get(ref.environment, to)
    # A branch's release bears the namespace's id too; merging a branch back is not a rollback.
    gray = release is not None and release.head.operation is Operation.GRAY
    if release is None or gray or release.head.namespace_id != namespace.id:
        raise NotFound(f"{namespace.ref} has no release {to}.", code="release_not_found")
    if release.head.id == namespace.release_id:
        raise Conflict(f"Release {to} is live already.", code="release_is_live")
    if content_sha256(release.configurations) != release.head.content_sha256:
        message = f"What the database holds of release {to} is damaged, and would be released anew."
        raise Conflict(message, code="release_corrupt")
    change = Change(namespace, release.configurations, Operation.ROLLBACK, release.head.draft_revision, to)
    (published,) = await make_releases(tx, caller, ref.environment, [change], note, asked)
    return published
