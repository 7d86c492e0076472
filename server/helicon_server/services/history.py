"""Releases as people look at them: history, one release, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from helicon_server.domain.actors import Right
from helicon_server.domain.diff import Change, diff
from helicon_server.domain.draft import configurations
from helicon_server.domain.errors import NotFound
from helicon_server.domain.model import Namespace, Release, ReleaseHead
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigRead

from .context import Caller
from .namespaces import require_namespace


@dataclass(frozen=True, slots=True)
class OfRelease:
    """One side of a comparison: the content of a release."""

    release_id: int


class Moving(Enum):
    """One side of a comparison that is not fixed."""

    DRAFT = "draft"
    LIVE = "live"  # the live release; nothing when there is none


Side = OfRelease | Moving
DRAFT, LIVE = Moving.DRAFT, Moving.LIVE


async def list_releases(
    tx: ConfigRead, caller: Caller, ref: NamespaceRef, *, before_id: int | None, limit: int
) -> tuple[Namespace, Sequence[ReleaseHead]]:
    """A namespace and its releases, newest first, those with an id below ``before_id`` only."""
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    return namespace, await tx.releases.history(namespace.id, before_id=before_id, limit=limit)


async def get_release(tx: ConfigRead, caller: Caller, ref: NamespaceRef, release_id: int) -> tuple[Namespace, Release]:
    """A namespace and one of its releases with its content.

    Raises NotFound ``release_not_found``, also when the release belongs to another namespace: authority is decided by
    the object, not by its number.
    """
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    return namespace, await _release_of(tx, namespace, release_id)


async def compare(tx: ConfigRead, caller: Caller, ref: NamespaceRef, old: Side, new: Side) -> Sequence[Change]:
    """What changes from ``old`` to ``new``. Raises NotFound ``release_not_found``."""
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    return diff(await _content(tx, namespace, old), await _content(tx, namespace, new))


async def _content(tx: ConfigRead, namespace: Namespace, side: Side) -> Mapping[str, str]:
    if side is DRAFT:
        return configurations(await tx.items.list(namespace.id))
    release_id = namespace.release_id if isinstance(side, Moving) else side.release_id
    return (await _release_of(tx, namespace, release_id)).configurations if release_id is not None else {}


async def _release_of(tx: ConfigRead, namespace: Namespace, release_id: int) -> Release:
    release = await tx.releases.get(namespace.ref.environment, release_id)
    if release is None or release.head.namespace_id != namespace.id:
        raise NotFound(f"{namespace.ref} has no release {release_id}.", code="release_not_found")
    return release
