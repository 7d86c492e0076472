"""Answers kept under idempotency keys, in SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from helicon_server.domain.model import IdempotentAnswer

from .session import Session
from .tables import idempotency

_GET = select(idempotency.c.request_sha256, idempotency.c.answer).where(
    idempotency.c.environment == bindparam("environment"),
    idempotency.c.actor == bindparam("actor"),
    idempotency.c.key == bindparam("key"),
)
_FORGET = delete(idempotency).where(idempotency.c.created_at < bindparam("at"))


class SqlIdempotencyReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, actor: str, key: str) -> IdempotentAnswer | None:
        row = await self._session.row(_GET, {"environment": environment, "actor": actor, "key": key})
        return None if row is None else IdempotentAnswer(*row)


class SqlIdempotencyWriter(SqlIdempotencyReader):
    async def put(self, environment: str, actor: str, key: str, answer: IdempotentAnswer, *, at: datetime) -> None:
        await self._session.change(
            insert(idempotency),
            {
                "environment": environment,
                "actor": actor,
                "key": key,
                "request_sha256": answer.request_sha256,
                "created_at": at,
                "answer": answer.answer,
            },
        )

    async def forget_before(self, at: datetime) -> None:
        await self._session.change(_FORGET, {"at": at})
