"""Audit entries in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select

from helicon_server.domain.model import AuditEntry

from .session import Session
from .tables import audit

_COLUMNS = (
    audit.c.id,
    audit.c.at,
    audit.c.actor,
    audit.c.action,
    audit.c.environment,
    audit.c.app,
    audit.c.cluster,
    audit.c.namespace,
    audit.c.detail,
    audit.c.request_id,
    audit.c.peer,
)
_NEWEST = (
    select(*_COLUMNS)
    .where(audit.c.environment == bindparam("environment"))
    .order_by(audit.c.id.desc())
    .limit(bindparam("limit"))
)
_BEFORE = _NEWEST.where(audit.c.id < bindparam("before"))


class SqlAuditReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, environment: str, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        parameters = {"environment": environment, "limit": limit}
        if before_id is None:
            rows = await self._session.rows(_NEWEST, parameters)
        else:
            rows = await self._session.rows(_BEFORE, {**parameters, "before": before_id})
        return [AuditEntry(*row) for row in rows]


class SqlAuditWriter(SqlAuditReader):
    async def append(self, entry: AuditEntry) -> None:
        await self._session.change(
            insert(audit),
            {
                "at": entry.at,
                "actor": entry.actor,
                "action": entry.action,
                "environment": entry.environment,
                "app": entry.app,
                "cluster": entry.cluster,
                "namespace": entry.namespace,
                "detail": entry.detail,
                "request_id": entry.request_id,
                "peer": entry.peer,
            },
        )
