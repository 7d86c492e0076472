"""Environments in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select

from helicon_server.domain.model import Environment

from .session import Session
from .tables import environments

_COLUMNS = (environments.c.name, environments.c.position, environments.c.created_at)
_GET = select(*_COLUMNS).where(environments.c.name == bindparam("name"))
_LIST = select(*_COLUMNS).order_by(environments.c.position, environments.c.name)


class SqlEnvironmentReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, name: str) -> Environment | None:
        row = await self._session.row(_GET, {"name": name})
        return None if row is None else Environment(*row)

    async def list(self) -> Sequence[Environment]:
        return [Environment(*row) for row in await self._session.rows(_LIST)]


class SqlEnvironmentWriter(SqlEnvironmentReader):
    async def insert(self, environment: Environment) -> None:
        await self._session.change(
            insert(environments),
            {"name": environment.name, "position": environment.position, "created_at": environment.created_at},
        )
