"""Nodes and their heartbeats in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, update

from helicon_server.domain.node import Node

from .clock import NOW, ago
from .session import Record, Session
from .tables import nodes

FORGOTTEN_AFTER_S = 24 * 3600.0  # without a heartbeat

_LIST = (
    select(nodes.c.id, nodes.c.url, nodes.c.roles, nodes.c.version, nodes.c.started_at, nodes.c.beat_at)
    .where(nodes.c.beat_at >= ago("seconds"))
    .order_by(nodes.c.started_at, nodes.c.id)
)
_RENEW = update(nodes).where(nodes.c.id == bindparam("node_id")).values(beat_at=NOW)
_INSERT = insert(nodes).values(beat_at=NOW)
_FORGET = delete(nodes).where(nodes.c.beat_at < ago("seconds"))
_REMOVE = delete(nodes).where(nodes.c.id == bindparam("node_id"))


class SqlNodeReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, beaten_within_s: float) -> Sequence[Node]:
        return [_node(row) for row in await self._session.rows(_LIST, {"seconds": beaten_within_s})]


class SqlNodeWriter(SqlNodeReader):
    async def beat(self, node: Node) -> None:
        values = {
            "url": node.url,
            "roles": " ".join(node.roles),
            "version": node.version,
            "started_at": node.started_at,
        }
        if await self._session.change(_RENEW, {"node_id": node.id, **values}):
            return
        # Rows only come with the start of a node, so that this is soon enough to let old ones go.
        await self._session.change(_FORGET, {"seconds": FORGOTTEN_AFTER_S})
        await self._session.change(_INSERT, {"id": node.id, **values})

    async def remove(self, id_: str) -> None:
        await self._session.change(_REMOVE, {"node_id": id_})


def _node(row: Record) -> Node:
    id_, url, roles, *rest = row
    return Node(id_, url, tuple(roles.split()), *rest)
