"""Records of running clients in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, delete, select, tuple_

from helicon_server.domain.instance import InstanceRelease

from .session import Session
from .tables import instances
from .upserts import New, upsert

_LIST = (
    select(
        instances.c.environment,
        instances.c.app,
        instances.c.cluster,
        instances.c.data_center,
        instances.c.ip,
        instances.c.label,
        instances.c.owner,
        instances.c.release_cluster,
        instances.c.namespace,
        instances.c.release_key,
        instances.c.delivered_at,
        instances.c.seen_at,
    )
    .where(
        instances.c.environment == bindparam("environment"),
        instances.c.owner == bindparam("owner"),
        instances.c.namespace == bindparam("namespace"),
    )
    .order_by(instances.c.seen_at.desc(), instances.c.app, instances.c.cluster, instances.c.data_center, instances.c.ip)
    .limit(bindparam("limit"))
)
_OF_RELEASE = instances.c.release_key == bindparam("release_key")
_OF_CLUSTERS = instances.c.release_cluster.in_(bindparam("release_clusters", expanding=True))
_KEY = instances.primary_key.columns
_OLD = (
    select(*_KEY).where(instances.c.seen_at < bindparam("at")).order_by(instances.c.seen_at).limit(bindparam("limit"))
)
# Whoever forgets waits for no lock, so it cannot deadlock with those who record. What is locked is worked out once, as
# a part of its own, so that it is also what is deleted. SQLite has one writer and no locks of rows.
_LOCKED = _OLD.with_for_update(skip_locked=True).cte("old")
_FORGET = {
    "sqlite": delete(instances).where(tuple_(*_KEY).in_(_OLD)),
    "postgresql": delete(instances).where(tuple_(*_KEY).in_(select(_LOCKED))),
}


def _renewed(new: New) -> Mapping[str, ColumnElement[Any]]:
    same = instances.c.release_key == new.release_key
    return {
        "label": new.label,
        "release_cluster": new.release_cluster,
        "release_key": new.release_key,
        "delivered_at": case((same, instances.c.delivered_at), else_=new.delivered_at),
        "seen_at": new.seen_at,
    }


_RECORD = upsert(instances, _renewed, where=lambda new: new.seen_at >= instances.c.seen_at)


class SqlInstanceReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self,
        environment: str,
        owner: str,
        namespace: str,
        *,
        release_key: str | None,
        limit: int,
        release_clusters: Sequence[str] | None = None,
    ) -> Sequence[InstanceRelease]:
        statement = _LIST
        asked: dict[str, Any] = {"environment": environment, "owner": owner, "namespace": namespace, "limit": limit}
        if release_key is not None:
            statement = statement.where(_OF_RELEASE)
            asked["release_key"] = release_key
        if release_clusters is not None:
            statement = statement.where(_OF_CLUSTERS)
            asked["release_clusters"] = release_clusters
        return [InstanceRelease(*row) for row in await self._session.rows(statement, asked)]


class SqlInstanceWriter(SqlInstanceReader):
    async def record(self, seen: Sequence[InstanceRelease]) -> None:
        if not seen:
            return
        rows = [
            {
                "environment": one.environment,
                "app": one.app,
                "cluster": one.cluster,
                "data_center": one.data_center,
                "ip": one.ip,
                "owner": one.owner,
                "namespace": one.namespace,
                "label": one.label,
                "release_cluster": one.release_cluster,
                "release_key": one.release_key,
                "delivered_at": one.delivered_at,
                "seen_at": one.seen_at,
            }
            for one in seen
        ]
        # Every node locks rows in the same order, so that two that note the same instances cannot deadlock.
        rows.sort(key=lambda row: tuple(row[column.name] for column in instances.primary_key.columns))
        await self._session.change(_RECORD[self._session.connection.dialect.name], rows)

    async def forget_before(self, at: datetime, *, limit: int) -> int:
        return await self._session.change(_FORGET[self._session.connection.dialect.name], {"at": at, "limit": limit})
