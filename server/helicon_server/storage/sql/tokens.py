"""Management tokens in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from helicon_server.domain.model import Token

from .session import Session
from .tables import tokens

_COLUMNS = (
    tokens.c.id,
    tokens.c.name,
    tokens.c.prefix,
    tokens.c.sha256,
    tokens.c.rights,
    tokens.c.created_at,
    tokens.c.created_by,
    tokens.c.expires_at,
    tokens.c.revoked_at,
)
_FIND = select(*_COLUMNS).where(tokens.c.sha256 == bindparam("sha256"))
_LIST = select(*_COLUMNS).order_by(tokens.c.id)
_ANY = select(tokens.c.id).limit(1)
_INSERT = insert(tokens).returning(tokens.c.id)
_REVOKE = (
    update(tokens)
    .where(tokens.c.name == bindparam("token"), tokens.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at", type_=tokens.c.revoked_at.type))
)


class SqlTokenReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, sha256: str) -> Token | None:
        row = await self._session.row(_FIND, {"sha256": sha256})
        return None if row is None else Token(*row)

    async def list(self) -> Sequence[Token]:
        return [Token(*row) for row in await self._session.rows(_LIST)]

    async def any(self) -> bool:
        return await self._session.row(_ANY) is not None


class SqlTokenWriter(SqlTokenReader):
    async def insert(self, token: Token) -> Token:
        id_ = await self._session.value(
            _INSERT,
            {
                "name": token.name,
                "prefix": token.prefix,
                "sha256": token.sha256,
                "rights": token.rights,
                "created_at": token.created_at,
                "created_by": token.created_by,
                "expires_at": token.expires_at,
                "revoked_at": token.revoked_at,
            },
        )
        return replace(token, id=id_)

    async def revoke(self, name: str, *, at: datetime) -> bool:
        return await self._session.change(_REVOKE, {"token": name, "at": at}) == 1
