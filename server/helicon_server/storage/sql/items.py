"""Items of drafts in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from helicon_server.domain.formats.keys import fold_key
from helicon_server.domain.model import Item

from .batches import in_batches
from .session import Session
from .tables import items as table

_COLUMNS = (
    table.c.id,
    table.c.position,
    table.c.key,
    table.c.value,
    table.c.type,
    table.c.comment,
    table.c.raw,
    table.c.revision,
    table.c.updated_at,
    table.c.updated_by,
)
_OF_NAMESPACE = select(*_COLUMNS).where(table.c.namespace_id == bindparam("namespace_id"))
_LIST = _OF_NAMESPACE.order_by(table.c.position, table.c.id)
_GET = _OF_NAMESPACE.where(table.c.key_folded == bindparam("folded"))
_LAST = _OF_NAMESPACE.order_by(table.c.position.desc(), table.c.id.desc()).limit(1)
_UPDATE = update(table).where(table.c.id == bindparam("item_id"))
_DELETE = delete(table).where(table.c.id.in_(bindparam("ids", expanding=True)))


class SqlItemReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, namespace_id: int) -> Sequence[Item]:
        return [Item(*row) for row in await self._session.rows(_LIST, {"namespace_id": namespace_id})]

    async def get(self, namespace_id: int, key: str) -> Item | None:
        row = await self._session.row(_GET, {"namespace_id": namespace_id, "folded": fold_key(key)})
        return None if row is None else Item(*row)

    async def last(self, namespace_id: int) -> Item | None:
        row = await self._session.row(_LAST, {"namespace_id": namespace_id})
        return None if row is None else Item(*row)


class SqlItemWriter(SqlItemReader):
    async def insert(self, namespace_id: int, items: Sequence[Item]) -> None:
        if items:
            rows = [{"namespace_id": namespace_id, **_columns(item)} for item in items]
            await self._session.change(insert(table), rows)

    async def update(self, items: Sequence[Item]) -> None:
        if items:
            await self._session.change(_UPDATE, [{"item_id": item.id, **_columns(item)} for item in items])

    async def delete(self, ids: Sequence[int]) -> None:
        for batch in in_batches(ids):
            await self._session.change(_DELETE, {"ids": batch})


def _columns(item: Item) -> dict[str, Any]:
    return {
        "position": item.position,
        "key": item.key,
        "key_folded": None if item.key is None else fold_key(item.key),
        "value": item.value,
        "type": item.type,
        "comment": item.comment,
        "raw": item.raw,
        "revision": item.revision,
        "updated_at": item.updated_at,
        "updated_by": item.updated_by,
    }
