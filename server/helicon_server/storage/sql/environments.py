"""Environments in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update

from helicon_server.domain.model import Environment

from .session import Session
from .tables import environments

_COLUMNS = (environments.c.name, environments.c.position, environments.c.created_at, environments.c.incremental)
_GET = select(*_COLUMNS).where(environments.c.name == bindparam("name"))
_SET_INCREMENTAL = update(environments).where(environments.c.name == bindparam("environment"))
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
            {
                "name": environment.name,
                "position": environment.position,
                "created_at": environment.created_at,
                "incremental": environment.incremental,
            },
        )

    async def set_incremental(self, name: str, enabled: bool) -> bool:
        return await self._session.change(_SET_INCREMENTAL, {"environment": name, "incremental": enabled}) > 0
