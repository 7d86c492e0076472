"""Releases in SQL. History reads heads; the content is read only where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import bindparam, insert, select

from helicon_server.domain.model import Operation, Release, ReleaseHead
from helicon_server.domain.names import NamespaceRef

from .batches import in_batches
from .session import Record, Session
from .tables import releases

_HEAD = (
    releases.c.id,
    releases.c.key,
    releases.c.environment,
    releases.c.app,
    releases.c.cluster,
    releases.c.namespace,
    releases.c.namespace_id,
    releases.c.operation,
    releases.c.title,
    releases.c.comment,
    releases.c.previous_id,
    releases.c.source_id,
    releases.c.draft_revision,
    releases.c.content_sha256,
    releases.c.size,
    releases.c.created_at,
    releases.c.created_by,
)
_OF_NAMESPACES = [operation for operation in Operation if operation is not Operation.GRAY]
_WHOLE = select(*_HEAD, releases.c.configurations)
_GET = _WHOLE.where(releases.c.environment == bindparam("environment"), releases.c.id == bindparam("release_id"))
_BY_KEYS = _WHOLE.where(
    releases.c.environment == bindparam("environment"), releases.c.key.in_(bindparam("keys", expanding=True))
)
_CONTENTS = _WHOLE.where(releases.c.id.in_(bindparam("ids", expanding=True)))
_HISTORY = (
    select(*_HEAD)
    # A branch's releases bear the id of its namespace too, and a newer node may make releases that we have no word for.
    .where(releases.c.namespace_id == bindparam("namespace_id"), releases.c.operation.in_(_OF_NAMESPACES))
    .order_by(releases.c.id.desc())
    .limit(bindparam("limit"))
)
_HISTORY_BEFORE = _HISTORY.where(releases.c.id < bindparam("before"))
_INSERT = insert(releases).returning(releases.c.id)


class SqlReleaseReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, release_id: int) -> Release | None:
        row = await self._session.row(_GET, {"environment": environment, "release_id": release_id})
        return None if row is None else _release(row)

    async def history(self, namespace_id: int, *, before_id: int | None, limit: int) -> Sequence[ReleaseHead]:
        parameters = {"namespace_id": namespace_id, "limit": limit}
        if before_id is None:
            rows = await self._session.rows(_HISTORY, parameters)
        else:
            rows = await self._session.rows(_HISTORY_BEFORE, {**parameters, "before": before_id})
        return [_head(row) for row in rows]

    async def by_keys(self, environment: str, keys: Sequence[str]) -> Mapping[str, Release]:
        rows = await self._session.rows(_BY_KEYS, {"environment": environment, "keys": keys}) if keys else ()
        return {release.head.key: release for release in map(_release, rows)}

    async def contents(self, release_ids: Sequence[int]) -> Mapping[int, Release]:
        found: dict[int, Release] = {}
        for batch in in_batches(release_ids):
            for row in await self._session.rows(_CONTENTS, {"ids": batch}):
                found[row[0]] = _release(row)
        return found


class SqlReleaseWriter(SqlReleaseReader):
    async def insert(self, release: Release) -> Release:
        head = release.head
        id_ = await self._session.value(
            _INSERT,
            {
                "key": head.key,
                "environment": head.ref.environment,
                "app": head.ref.app,
                "cluster": head.ref.cluster,
                "namespace": head.ref.namespace,
                "namespace_id": head.namespace_id,
                "operation": head.operation,
                "title": head.title,
                "comment": head.comment,
                "previous_id": head.previous_id,
                "source_id": head.source_id,
                "draft_revision": head.draft_revision,
                "content_sha256": head.content_sha256,
                "size": head.size,
                "created_at": head.created_at,
                "created_by": head.created_by,
                "configurations": release.configurations,
            },
        )
        return replace(release, head=replace(head, id=id_))


def _head(row: Record) -> ReleaseHead:
    id_, key, environment, app, cluster, namespace, *rest = row
    return ReleaseHead(id_, key, NamespaceRef(environment, app, cluster, namespace), *rest)


def _release(row: Record) -> Release:
    id_, key, environment, app, cluster, namespace, *rest, configurations = row
    head = ReleaseHead(id_, key, NamespaceRef(environment, app, cluster, namespace), *rest)
    return Release(head, configurations)
