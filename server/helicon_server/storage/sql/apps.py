"""Apps in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select

from helicon_server.domain.model import App

from .session import Record, Session
from .tables import apps

_COLUMNS = (apps.c.app_id, apps.c.name, apps.c.department, apps.c.owner, apps.c.created_at, apps.c.created_by)
_GET = select(*_COLUMNS).where(apps.c.app_id == bindparam("app_id"))
_LIST = select(*_COLUMNS).where(apps.c.app_id > bindparam("after")).order_by(apps.c.app_id).limit(bindparam("limit"))


class SqlAppReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, app_id: str) -> App | None:
        row = await self._session.row(_GET, {"app_id": app_id})
        return None if row is None else _app(row)

    async def list(self, *, after: str | None, limit: int) -> Sequence[App]:
        rows = await self._session.rows(_LIST, {"after": after or "", "limit": limit})
        return [_app(row) for row in rows]


class SqlAppWriter(SqlAppReader):
    async def insert(self, app: App) -> None:
        await self._session.change(
            insert(apps),
            {
                "app_id": app.app_id,
                "app_id_folded": app.app_id.casefold(),
                "name": app.name,
                "department": app.department,
                "owner": app.owner,
                "created_at": app.created_at,
                "created_by": app.created_by,
            },
        )


def _app(row: Record) -> App:
    return App(*row)
