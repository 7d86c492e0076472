"""The message feed in SQL."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import bindparam, func, insert, select

from helicon_server.domain.model import Message, MessageKind
from helicon_server.domain.names import NamespaceRef

from .session import Session
from .tables import messages

_COLUMNS = (
    messages.c.id,
    messages.c.kind,
    messages.c.environment,
    messages.c.app,
    messages.c.cluster,
    messages.c.namespace,
    messages.c.created_at,
)
_NEWEST = select(func.coalesce(func.max(messages.c.id), 0))
_AFTER = (
    select(*_COLUMNS)
    # A newer node of the same cluster may write kinds that this one does not know; they are not for it.
    .where(messages.c.id > bindparam("after"), messages.c.kind.in_(list(MessageKind)))
    .order_by(messages.c.id)
    .limit(bindparam("limit"))
)
_INSERT = insert(messages)
_RETURNED = (messages.c.id, messages.c.environment, messages.c.app, messages.c.cluster, messages.c.namespace)


class SqlMessageReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def newest_id(self) -> int:
        newest: int = await self._session.value(_NEWEST)
        return newest

    async def after(self, message_id: int, *, limit: int) -> Sequence[Message]:
        rows = await self._session.rows(_AFTER, {"after": message_id, "limit": limit})
        return [Message(*row) for row in rows]


class SqlMessageWriter(SqlMessageReader):
    async def append(self, kind: MessageKind, refs: Sequence[NamespaceRef]) -> Sequence[int]:
        if not refs:
            return []
        dialect = self._session.dialect
        for statement in dialect.before_messages:
            await self._session.rows(statement)
        now = datetime.now(UTC)
        rows = await self._session.returned(
            _INSERT.returning(*_RETURNED, *dialect.notice),
            [
                {
                    "kind": kind,
                    "environment": ref.environment,
                    "app": ref.app,
                    "cluster": ref.cluster,
                    "namespace": ref.namespace,
                    "created_at": now,
                }
                for ref in refs
            ],
        )
        # Neither database promises to return rows in the order given, and asking for it makes one statement a row.
        ids: defaultdict[NamespaceRef, deque[int]] = defaultdict(deque)
        for id_, *names in sorted(row[: len(_RETURNED)] for row in rows):
            ids[NamespaceRef(*names)].append(id_)
        self._session.appended = True
        return [ids[ref].popleft() for ref in refs]

    async def raise_to(self, message_id: int) -> None:
        dialect = self._session.dialect
        for statement in (*dialect.before_messages, *dialect.raise_messages):
            await self._session.rows(statement, {"id": message_id})
