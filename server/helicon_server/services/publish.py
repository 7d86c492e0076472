"""Publish and roll back: the only two ways in which clients ever see something new.

One transaction writes the releases, their messages, the audit entry and the notice to other nodes (architecture,
section 4). A release of several namespaces is all or nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from helicon_server.domain.actors import Right
from helicon_server.domain.draft import check_length, check_text, configurations, to_text
from helicon_server.domain.errors import Conflict, InvalidInput, LimitExceeded, NotFound, StaleRevision
from helicon_server.domain.model import (
    CONTENT_KEY,
    IdempotentAnswer,
    MessageKind,
    Namespace,
    Operation,
    Release,
    ReleaseHead,
)
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.release import content_sha256, content_size, new_release_key
from helicon_server.storage.contract import ConfigWrite

from .context import Caller, audit
from .environments import require_environment
from .namespaces import found

IDEMPOTENCY_LIFETIME = timedelta(days=7)  # how long a repeated request is recognised


@dataclass(frozen=True, slots=True)
class Target:
    """A namespace to publish, and the draft revision that the publisher has reviewed."""

    ref: NamespaceRef
    seen: int
    may_empty: bool = False  # the publisher knows that nothing is left of the live release


@dataclass(frozen=True, slots=True)
class Note:
    """What a release says of itself, and the key under which a repeated request makes no second one."""

    title: str = ""
    comment: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """One release that a publish made, and its notification id."""

    release_id: int
    release_key: str
    message_id: int
    ref: NamespaceRef
    operation: Operation


async def publish(
    tx: ConfigWrite, caller: Caller, environment: str, targets: Sequence[Target], note: Note
) -> Sequence[Published]:
    """Releases the drafts of one or several namespaces, all or none.

    Raises StaleRevision when a draft moved on; Conflict ``nothing_to_publish`` when a draft equals its live release,
    ``would_empty`` when nothing would be left of one unknowingly, ``idempotency_key_reused`` when the key came with
    another request; InvalidDocument and NotFound.
    """
    caller.may(Right.PUBLISH)
    await require_environment(tx, environment)
    _check_targets(caller, targets)
    asked = _hash("publish", [[str(t.ref), t.seen, t.may_empty] for t in targets], note.title, note.comment)
    locked = await tx.namespaces.lock([target.ref for target in targets])
    # Under the lock, so that the second of two equal requests at once sees the first one's answer.
    if (earlier := await _answered(tx, caller, environment, note, asked)) is not None:
        return earlier
    namespaces = [await found(tx, target.ref, namespace) for target, namespace in zip(targets, locked, strict=True)]
    if len({namespace.id for namespace in namespaces}) < len(namespaces):
        raise InvalidInput("A namespace is named twice.", code="duplicate_namespace")
    _check_revisions(targets, namespaces)
    drafts = [
        await _draft(tx, caller, namespace, may_empty=target.may_empty)
        for target, namespace in zip(targets, namespaces, strict=True)
    ]
    changes = [
        _Change(namespace, content, Operation.PUBLISH, namespace.revision, None)
        for namespace, content in zip(namespaces, drafts, strict=True)
    ]
    return await _release(tx, caller, environment, changes, note, asked)


async def rollback(
    tx: ConfigWrite, caller: Caller, ref: NamespaceRef, *, to: int, seen_live: int, note: Note
) -> Published:
    """Releases the content of an earlier release once more, under a new id and key. The draft stays as it is.

    ``seen_live`` is the id of the live release that the caller saw. Raises StaleRevision ``stale_release`` when
    another is live, NotFound ``release_not_found``, and Conflict ``release_is_live``.
    """
    caller.may(Right.PUBLISH)
    asked = _hash("rollback", str(ref), to, seen_live, note.title, note.comment)
    (locked,) = await tx.namespaces.lock([ref])
    if (earlier := await _answered(tx, caller, ref.environment, note, asked)) is not None:
        return earlier[0]
    namespace = await found(tx, ref, locked)
    if namespace.release_id != seen_live:
        raise StaleRevision(
            f"Release {namespace.release_id} of {namespace.ref} is live, not {seen_live}: look again and repeat.",
            code="stale_release",
            details={"seen_release": seen_live, "live_release": namespace.release_id},
        )
    release = await tx.releases.get(ref.environment, to)
    if release is None or release.head.namespace_id != namespace.id:
        raise NotFound(f"{namespace.ref} has no release {to}.", code="release_not_found")
    if release.head.id == namespace.release_id:
        raise Conflict(f"Release {to} is live already.", code="release_is_live")
    change = _Change(namespace, release.configurations, Operation.ROLLBACK, release.head.draft_revision, to)
    (published,) = await _release(tx, caller, ref.environment, [change], note, asked)
    return published


@dataclass(frozen=True, slots=True)
class _Change:
    namespace: Namespace
    content: Mapping[str, str]
    operation: Operation
    draft_revision: int
    source_id: int | None


async def _release(
    tx: ConfigWrite, caller: Caller, environment: str, changes: Sequence[_Change], note: Note, asked: str
) -> Sequence[Published]:
    releases = [await tx.releases.insert(_snapshot(caller, change, note)) for change in changes]
    operation = changes[0].operation
    for release in releases:
        await audit(
            tx.audit,
            caller,
            f"release.{operation}",
            ref=release.head.ref,
            detail={
                "release": release.head.id,
                "title": note.title,
                "source": release.head.source_id,
                "sha256": release.head.content_sha256,
            },
        )
    # Appending is serialised against every other publish, so it comes after everything that needs no message id.
    message_ids = await tx.messages.append(MessageKind.RELEASE, [release.head.ref for release in releases])
    published = []
    for change, release, message_id in zip(changes, releases, message_ids, strict=True):
        await tx.namespaces.touch(
            replace(
                change.namespace,
                release_id=release.head.id,
                released_revision=change.draft_revision,
                message_id=message_id,
            )
        )
        head = release.head
        published.append(Published(head.id, head.key, message_id, head.ref, head.operation))
    if note.idempotency_key is not None:
        answer = IdempotentAnswer(asked, {"releases": [_wire(p) for p in published]})
        await tx.idempotency.put(environment, caller.actor.name, note.idempotency_key, answer, at=caller.now)
        await tx.idempotency.forget_before(caller.now - IDEMPOTENCY_LIFETIME)
    return published


def _snapshot(caller: Caller, change: _Change, note: Note) -> Release:
    head = ReleaseHead(
        id=0,
        key=new_release_key(caller.now),
        ref=change.namespace.ref,
        namespace_id=change.namespace.id,
        operation=change.operation,
        title=note.title,
        comment=note.comment,
        previous_id=change.namespace.release_id,
        source_id=change.source_id,
        draft_revision=change.draft_revision,
        content_sha256=content_sha256(change.content),
        size=content_size(change.content),
        created_at=caller.now,
        created_by=caller.actor.name,
    )
    return Release(head, change.content)


async def _draft(tx: ConfigWrite, caller: Caller, namespace: Namespace, *, may_empty: bool) -> Mapping[str, str]:
    """The content that a draft would release; saved drafts are valid, but limits and rules may have moved since."""
    items = await tx.items.list(namespace.id)
    text = to_text(namespace.format, items)
    await asyncio.to_thread(check_text, namespace.format, text, caller.limits.value_characters)
    content = configurations(items)
    for key, value in content.items():
        check_length(key, value, caller.limits.value_characters)
    if namespace.release_id is not None:
        live = await tx.releases.get(namespace.ref.environment, namespace.release_id)
        if live is not None and dict(live.configurations) == content:
            raise Conflict(
                f"The draft of {namespace.ref} equals its live release.",
                code="nothing_to_publish",
                details={"namespace": namespace.ref.namespace, "live_release": namespace.release_id},
            )
        if live is not None and _blank(content) and not _blank(live.configurations) and not may_empty:
            raise Conflict(
                f"Nothing would be left of {namespace.ref}, and its clients would run without it. "
                "If that is wanted, publish with `may_empty`.",
                code="would_empty",
                details={"namespace": namespace.ref.namespace, "live_release": namespace.release_id},
            )
    return content


def _blank(content: Mapping[str, str]) -> bool:
    """Tells whether a content has no key, or is a document without text."""
    return not content or (content.keys() == {CONTENT_KEY} and not content[CONTENT_KEY].strip())


def _check_targets(caller: Caller, targets: Sequence[Target]) -> None:
    if not targets:
        raise InvalidInput("Name at least one namespace to publish.", code="no_namespaces")
    if len(targets) > caller.limits.publish_namespaces:
        raise LimitExceeded(
            f"At most {caller.limits.publish_namespaces} namespaces can be published at once.",
            code="too_many_namespaces",
            details={"limit": caller.limits.publish_namespaces},
        )


def _check_revisions(targets: Sequence[Target], namespaces: Sequence[Namespace]) -> None:
    stale = [
        {
            "namespace": namespace.ref.namespace,
            "app": namespace.ref.app,
            "cluster": namespace.ref.cluster,
            "seen_revision": target.seen,
            "current_revision": namespace.revision,
        }
        for target, namespace in zip(targets, namespaces, strict=True)
        if target.seen != namespace.revision
    ]
    if stale:
        raise StaleRevision(
            f"{len(stale)} of the drafts changed since they were reviewed: read them again and repeat.",
            details={"stale": stale},
        )


async def _answered(
    tx: ConfigWrite, caller: Caller, environment: str, note: Note, asked: str
) -> Sequence[Published] | None:
    """What an earlier request with the same idempotency key was answered; None when there was none."""
    if note.idempotency_key is None:
        return None
    earlier = await tx.idempotency.get(environment, caller.actor.name, note.idempotency_key)
    if earlier is None:
        return None
    if earlier.request_sha256 != asked:
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    releases = earlier.answer["releases"]
    assert isinstance(releases, list)
    return [_unwire(release) for release in releases]


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _wire(published: Published) -> dict[str, object]:
    ref = published.ref
    return {
        "release_id": published.release_id,
        "release_key": published.release_key,
        "message_id": published.message_id,
        "ref": [ref.environment, ref.app, ref.cluster, ref.namespace],
        "operation": published.operation.value,
    }


def _unwire(stored: Mapping[str, object]) -> Published:
    ref, release_id, message_id = stored["ref"], stored["release_id"], stored["message_id"]
    assert isinstance(ref, list)
    assert isinstance(release_id, int)
    assert isinstance(message_id, int)
    return Published(
        release_id, str(stored["release_key"]), message_id, NamespaceRef(*ref), Operation(str(stored["operation"]))
    )
