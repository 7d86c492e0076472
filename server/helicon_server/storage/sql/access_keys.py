"""Access keys in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, delete, insert, select, update

from helicon_server.domain.access_key import AccessKey, AccessKeyMode

from .session import Session
from .tables import access_keys

_ALL = select(
    access_keys.c.id,
    access_keys.c.environment,
    access_keys.c.app,
    access_keys.c.uid,
    access_keys.c.sealed,
    access_keys.c.mode,
    access_keys.c.enabled,
    access_keys.c.created_at,
    access_keys.c.created_by,
).order_by(access_keys.c.id)
_LIST = _ALL.where(
    access_keys.c.environment == bindparam("environment"), access_keys.c.app_folded == bindparam("folded")
)
_INSERT = insert(access_keys).returning(access_keys.c.id)
_SET = update(access_keys).where(access_keys.c.id == bindparam("key_id"))
_DELETE = delete(access_keys).where(access_keys.c.id == bindparam("key_id"))


class SqlAccessKeyReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, environment: str, app: str) -> Sequence[AccessKey]:
        rows = await self._session.rows(_LIST, {"environment": environment, "folded": app.casefold()})
        return [AccessKey(*row) for row in rows]

    async def all(self) -> Sequence[AccessKey]:
        return [AccessKey(*row) for row in await self._session.rows(_ALL)]


class SqlAccessKeyWriter(SqlAccessKeyReader):
    async def insert(self, key: AccessKey) -> AccessKey:
        id_ = await self._session.value(
            _INSERT,
            {
                "environment": key.environment,
                "app": key.app,
                "app_folded": key.app.casefold(),
                "uid": key.uid,
                "sealed": key.sealed,
                "mode": key.mode,
                "enabled": key.enabled,
                "created_at": key.created_at,
                "created_by": key.created_by,
            },
        )
        return replace(key, id=id_)

    async def set(self, id_: int, *, enabled: bool, mode: AccessKeyMode) -> None:
        await self._session.change(_SET, {"key_id": id_, "enabled": enabled, "mode": mode})

    async def delete(self, id_: int) -> None:
        await self._session.change(_DELETE, {"key_id": id_})
