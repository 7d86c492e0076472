"""Releases, messages and kept answers, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from helicon_server.domain.model import IdempotentAnswer, Message, MessageKind, Operation, Release, ReleaseHead
from helicon_server.domain.names import NamespaceRef

from .session import Session


class MemoryReleases:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, release_id: int) -> Release | None:
        found = self._session.state.releases.get(release_id)
        return found if found is not None and found.head.ref.environment == environment else None

    async def history(self, namespace_id: int, *, before_id: int | None, limit: int) -> Sequence[ReleaseHead]:
        releases = self._session.state.releases
        newest_first = (releases[id_].head for id_ in sorted(releases, reverse=True))
        found = [
            head
            for head in newest_first
            if head.namespace_id == namespace_id
            and head.operation is not Operation.GRAY
            and (before_id is None or head.id < before_id)
        ]
        return found[:limit]

    async def by_keys(self, environment: str, keys: Sequence[str]) -> Mapping[str, Release]:
        releases = self._session.state.releases.values()
        return {r.head.key: r for r in releases if r.head.key in keys and r.head.ref.environment == environment}

    async def contents(self, release_ids: Sequence[int]) -> Mapping[int, Release]:
        releases = self._session.state.releases
        return {id_: releases[id_] for id_ in release_ids if id_ in releases}

    async def insert(self, release: Release) -> Release:
        state = self._session.state
        head = replace(release.head, id=state.next_id())
        stored = Release(head, MappingProxyType(dict(release.configurations)))
        state.releases[head.id] = stored
        return stored


class MemoryMessages:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def newest_id(self) -> int:
        return max(self._session.state.messages, default=0)

    async def after(self, message_id: int, *, limit: int) -> Sequence[Message]:
        messages = self._session.state.messages
        return [messages[id_] for id_ in sorted(messages) if id_ > message_id][:limit]

    async def append(self, kind: MessageKind, refs: Sequence[NamespaceRef]) -> Sequence[int]:
        state = self._session.state
        ids = []
        for ref in refs:
            id_ = state.next_id()
            state.messages[id_] = Message(
                id_, kind, ref.environment, ref.app, ref.cluster, ref.namespace, datetime.now(UTC)
            )
            ids.append(id_)
        self._session.appended = self._session.appended or bool(ids)
        return ids

    async def raise_to(self, message_id: int) -> None:
        state = self._session.state
        state.last_id = max(state.last_id, message_id)


class MemoryIdempotency:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, actor: str, key: str) -> IdempotentAnswer | None:
        return self._session.state.idempotency.get((environment, actor, key))

    async def put(self, environment: str, actor: str, key: str, answer: IdempotentAnswer, *, at: datetime) -> None:
        answers = self._session.state.idempotency
        if (environment, actor, key) in answers:
            self._session.refuse("idempotency_key_in_use", "This idempotency key was used meanwhile.")
        answers[environment, actor, key] = answer
        self._session.state.answered_at[environment, actor, key] = at

    async def forget_before(self, at: datetime) -> None:
        state = self._session.state
        for key in [key for key, stored_at in state.answered_at.items() if stored_at < at]:
            del state.idempotency[key], state.answered_at[key]
