"""Clusters in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select

from helicon_server.domain.model import Cluster

from .session import Session
from .tables import clusters

_COLUMNS = (clusters.c.environment, clusters.c.app, clusters.c.name, clusters.c.created_at, clusters.c.created_by)
_OF_APP = select(*_COLUMNS).where(
    clusters.c.environment == bindparam("environment"), clusters.c.app == bindparam("app")
)
_GET = _OF_APP.where(clusters.c.name == bindparam("name"))
_LIST = _OF_APP.order_by(clusters.c.name)


class SqlClusterReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, app: str, name: str) -> Cluster | None:
        row = await self._session.row(_GET, {"environment": environment, "app": app, "name": name})
        return None if row is None else Cluster(*row)

    async def list(self, environment: str, app: str) -> Sequence[Cluster]:
        rows = await self._session.rows(_LIST, {"environment": environment, "app": app})
        return [Cluster(*row) for row in rows]


class SqlClusterWriter(SqlClusterReader):
    async def insert(self, cluster: Cluster) -> None:
        await self._session.change(
            insert(clusters),
            {
                "environment": cluster.environment,
                "app": cluster.app,
                "name": cluster.name,
                "name_folded": cluster.name.casefold(),
                "created_at": cluster.created_at,
                "created_by": cluster.created_by,
            },
        )
