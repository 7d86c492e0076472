"""Users in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update

from helicon_server.domain.model import User

from .session import Session
from .tables import users

_COLUMNS = (users.c.name, users.c.password_hash, users.c.rights, users.c.created_at)
_GET = select(*_COLUMNS).where(users.c.name == bindparam("name"))
_LIST = select(*_COLUMNS).order_by(users.c.name)
_ANY = select(users.c.name).limit(1)
_SET_PASSWORD = (
    update(users)
    .where(users.c.name == bindparam("user"))
    .values(password_hash=bindparam("hash", type_=users.c.name.type))
)


class SqlUserReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, name: str) -> User | None:
        row = await self._session.row(_GET, {"name": name})
        return None if row is None else User(*row)

    async def list(self) -> Sequence[User]:
        return [User(*row) for row in await self._session.rows(_LIST)]

    async def any(self) -> bool:
        return await self._session.row(_ANY) is not None


class SqlUserWriter(SqlUserReader):
    async def insert(self, user: User) -> None:
        await self._session.change(
            insert(users),
            {
                "name": user.name,
                "name_folded": user.name.casefold(),
                "password_hash": user.password_hash,
                "rights": user.rights,
                "created_at": user.created_at,
            },
        )

    async def set_password(self, name: str, password_hash: str) -> bool:
        return await self._session.change(_SET_PASSWORD, {"user": name, "hash": password_hash}) == 1
