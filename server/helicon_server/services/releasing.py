"""Releases as every way of making one makes them: snapshot, message, audit entry and kept answer in one transaction.

The transaction writes the releases, their messages, the audit entries and the notice to other nodes, all or nothing
(architecture, section 4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from helicon_server.domain.errors import Conflict
from helicon_server.domain.model import (
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
from .gray_releases import lay_branches_over

IDEMPOTENCY_LIFETIME = timedelta(days=7)  # how long a repeated request is recognised


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


@dataclass(frozen=True, slots=True)
class Change:
    """What one namespace is to become."""

    namespace: Namespace
    content: Mapping[str, str]
    operation: Operation
    draft_revision: int
    source_id: int | None


async def make_releases(
    tx: ConfigWrite, caller: Caller, environment: str, changes: Sequence[Change], note: Note, asked: str
) -> Sequence[Published]:
    """Makes the changes live, and lays the published branches of their namespaces over them anew."""
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
    await lay_branches_over(tx, caller, releases, note.title)
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
    await keep_answer(tx, caller, environment, note, asked, published)
    return published


async def keep_answer(
    tx: ConfigWrite, caller: Caller, environment: str, note: Note, asked: str, published: Sequence[Published]
) -> None:
    """Keeps what a request was answered for the case that it is repeated with its key; forgets very old answers."""
    if note.idempotency_key is not None:
        answer = IdempotentAnswer(asked, {"releases": [_wire(p) for p in published]})
        await tx.idempotency.put(environment, caller.actor.name, note.idempotency_key, answer, at=caller.now)
        await tx.idempotency.forget_before(caller.now - IDEMPOTENCY_LIFETIME)


async def answered(
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


def hash_of(*parts: object) -> str:
    """What a request asked, to recognise it when it is repeated."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _snapshot(caller: Caller, change: Change, note: Note) -> Release:
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
