"""Publish: the drafts of one or several namespaces become what clients see, all or none.

Reading and checking the drafts comes first and holds no lock; under the lock only revisions are compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from helicon_server.domain.actors import Right
from helicon_server.domain.draft import check_length, check_text, configurations, to_text
from helicon_server.domain.errors import Conflict, InvalidInput, LimitExceeded, StaleRevision
from helicon_server.domain.model import Item, Namespace, Operation
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.release import content_sha256, is_blank
from helicon_server.storage.contract import ConfigDatabase, ConfigWrite

from .context import Caller
from .environments import require_environment
from .namespaces import found
from .releasing import Change, Note, Published, answered, hash_of, make_releases


@dataclass(frozen=True, slots=True)
class Target:
    """A namespace to publish, and the draft revision that the publisher has reviewed."""

    ref: NamespaceRef
    seen: int
    may_empty: bool = False  # the publisher knows that nothing is left of the live release


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Targets, and the checked contents of their drafts by the namespace's id, at the revisions that were seen.

    Drafts that are missing or have moved on are left out; ``publish`` says so under the lock.
    """

    targets: Sequence[Target]
    contents: Mapping[int, Mapping[str, str]]


async def review(database: ConfigDatabase, caller: Caller, targets: Sequence[Target]) -> Reviewed:
    """Reads the drafts of the targets and checks them once more, for limits and rules may have moved since they were
    saved. Opens a transaction of its own and checks behind it, in a thread.

    Raises InvalidInput for no target or one twice, InvalidDocument, and LimitExceeded.
    """
    caller.may(Right.PUBLISH)
    _check_targets(caller, targets)
    drafts: list[tuple[Namespace, Sequence[Item]]] = []
    # No snapshot is needed: under the lock a draft must still have the revision that was read here, before its items.
    async with database.peek() as tx:
        for target in targets:
            namespace = await tx.namespaces.get(target.ref)
            if namespace is not None and namespace.revision == target.seen:
                drafts.append((namespace, await tx.items.list(namespace.id)))
    contents = {
        namespace.id: await asyncio.to_thread(_checked, caller, namespace, items) for namespace, items in drafts
    }
    return Reviewed(targets, contents)


async def publish(
    tx: ConfigWrite, caller: Caller, environment: str, reviewed: Reviewed, note: Note
) -> Sequence[Published]:
    """Releases reviewed drafts, all or none.

    Raises StaleRevision when a draft moved on; Conflict ``nothing_to_publish`` when a draft equals its live release,
    ``would_empty`` when nothing would be left of one unknowingly, ``idempotency_key_reused`` when the key came with
    another request; InvalidInput and NotFound.
    """
    caller.may(Right.PUBLISH)
    targets = reviewed.targets
    asked = hash_of("publish", [[str(t.ref), t.seen, t.may_empty] for t in targets], note.title, note.comment)
    locked = await tx.namespaces.lock([target.ref for target in targets])
    if None in locked:  # a namespace that is there says that its environment is
        await require_environment(tx, environment)
    # Under the lock, so that the second of two equal requests at once sees the first one's answer.
    if (earlier := await answered(tx, caller, environment, note, asked)) is not None:
        return earlier
    namespaces = [await found(tx, target.ref, namespace) for target, namespace in zip(targets, locked, strict=True)]
    if len({namespace.id for namespace in namespaces}) < len(namespaces):
        raise InvalidInput("A namespace is named twice.", code="duplicate_namespace")
    _check_revisions(reviewed, namespaces)
    changes = []
    for target, namespace in zip(targets, namespaces, strict=True):
        content = reviewed.contents[namespace.id]
        await _compare_with_live(tx, namespace, content, may_empty=target.may_empty)
        changes.append(Change(namespace, content, Operation.PUBLISH, namespace.revision, None))
    return await make_releases(tx, caller, environment, changes, note, asked)


def _checked(caller: Caller, namespace: Namespace, items: Sequence[Item]) -> Mapping[str, str]:
    """The content that a draft would release."""
    check_text(namespace.format, to_text(namespace.format, items), caller.limits.value_characters)
    content = configurations(items)
    for key, value in content.items():
        check_length(key, value, caller.limits.value_characters)
    return content


async def _compare_with_live(
    tx: ConfigWrite, namespace: Namespace, content: Mapping[str, str], *, may_empty: bool
) -> None:
    """Refuses a release that says nothing new, and one that says nothing at all where that is not meant."""
    if namespace.release_id is None:
        return
    live = await tx.releases.get(namespace.ref.environment, namespace.release_id)
    if live is None:
        return
    # A damaged one may read as empty. It says nothing: publishing the same again is how it is mended.
    sound = content_sha256(live.configurations) == live.head.content_sha256
    if sound and dict(live.configurations) == content:
        raise Conflict(
            f"The draft of {namespace.ref} equals its live release.",
            code="nothing_to_publish",
            details={"namespace": namespace.ref.namespace, "live_release": namespace.release_id},
        )
    if is_blank(content) and not (sound and is_blank(live.configurations)) and not may_empty:
        raise Conflict(
            f"Nothing would be left of {namespace.ref}, and its clients would run without it. "
            "If that is wanted, publish with `may_empty`.",
            code="would_empty",
            details={"namespace": namespace.ref.namespace, "live_release": namespace.release_id},
        )


def _check_targets(caller: Caller, targets: Sequence[Target]) -> None:
    if not targets:
        raise InvalidInput("Name at least one namespace to publish.", code="no_namespaces")
    if len(targets) > caller.limits.publish_namespaces:
        raise LimitExceeded(
            f"At most {caller.limits.publish_namespaces} namespaces can be published at once.",
            code="too_many_namespaces",
            details={"limit": caller.limits.publish_namespaces},
        )


def _check_revisions(reviewed: Reviewed, namespaces: Sequence[Namespace]) -> None:
    stale = [
        {
            "namespace": namespace.ref.namespace,
            "app": namespace.ref.app,
            "cluster": namespace.ref.cluster,
            "seen_revision": target.seen,
            "current_revision": namespace.revision,
        }
        for target, namespace in zip(reviewed.targets, namespaces, strict=True)
        if target.seen != namespace.revision or namespace.id not in reviewed.contents
    ]
    if stale:
        raise StaleRevision(
            f"{len(stale)} of the drafts changed since they were reviewed: read them again and repeat.",
            details={"stale": stale},
        )
