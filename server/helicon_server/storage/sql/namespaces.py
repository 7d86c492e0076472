"""Namespaces in SQL, and the delivery index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from sys import intern
from typing import Any

from sqlalchemy import bindparam, insert, select, tuple_, update

from helicon_server.domain.model import LiveRelease, Namespace
from helicon_server.domain.names import NamespaceRef

from .batches import in_batches
from .session import Record, Session
from .tables import namespaces, releases

_COLUMNS = (
    namespaces.c.id,
    namespaces.c.environment,
    namespaces.c.app,
    namespaces.c.cluster,
    namespaces.c.name,
    namespaces.c.format,
    namespaces.c.revision,
    namespaces.c.release_id,
    namespaces.c.released_revision,
    namespaces.c.message_id,
    namespaces.c.updated_at,
    namespaces.c.updated_by,
    namespaces.c.inherits,
)
_OF_APP = select(*_COLUMNS).where(
    namespaces.c.environment == bindparam("environment"), namespaces.c.app == bindparam("app")
)
_LIST = _OF_APP.order_by(namespaces.c.cluster, namespaces.c.name)
_OF_CLUSTER = _OF_APP.where(namespaces.c.cluster == bindparam("cluster"))
_LIST_OF_CLUSTER = _OF_CLUSTER.order_by(namespaces.c.name)
_GET = _OF_CLUSTER.where(namespaces.c.name_folded == bindparam("folded"))
_AMONG = tuple_(namespaces.c.environment, namespaces.c.app, namespaces.c.cluster, namespaces.c.name_folded).in_(
    bindparam("refs", expanding=True)
)
_LOCK_ONE = _GET.with_for_update()
# FOR UPDATE says nothing on SQLite, where a write transaction has the file to itself from its beginning.
_LOCK = select(*_COLUMNS).where(_AMONG).order_by(namespaces.c.id).with_for_update()
_LIVE = select(
    namespaces.c.environment,
    namespaces.c.app,
    namespaces.c.cluster,
    namespaces.c.name,
    releases.c.id,
    releases.c.key,
    namespaces.c.message_id,
    releases.c.size,
    namespaces.c.inherits,
).join_from(namespaces, releases, releases.c.id == namespaces.c.release_id)
_LIVE_OF = _LIVE.where(_AMONG)
_INSERT = insert(namespaces).returning(namespaces.c.id)
_TOUCH = update(namespaces).where(namespaces.c.id == bindparam("namespace_id"))

_Key = tuple[str, str, str, str]


class SqlNamespaceReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, ref: NamespaceRef) -> Namespace | None:
        row = await self._session.row(_GET, _parameters(ref))
        return None if row is None else _namespace(row)

    async def list(self, environment: str, app: str, cluster: str | None = None) -> Sequence[Namespace]:
        parameters = {"environment": environment, "app": app}
        if cluster is None:
            rows = await self._session.rows(_LIST, parameters)
        else:
            rows = await self._session.rows(_LIST_OF_CLUSTER, {**parameters, "cluster": cluster})
        return [_namespace(row) for row in rows]

    async def live(self) -> Sequence[LiveRelease]:
        return [_live(row) for row in await self._session.rows(_LIVE)]

    async def live_of(self, refs: Iterable[NamespaceRef]) -> Sequence[LiveRelease]:
        found: list[LiveRelease] = []
        for batch in in_batches(list({_key(ref) for ref in refs})):
            found += [_live(row) for row in await self._session.rows(_LIVE_OF, {"refs": batch})]
        return found


class SqlNamespaceWriter(SqlNamespaceReader):
    async def insert(self, namespace: Namespace) -> Namespace:
        id_ = await self._session.value(
            _INSERT,
            {
                "environment": namespace.ref.environment,
                "app": namespace.ref.app,
                "cluster": namespace.ref.cluster,
                "name": namespace.ref.namespace,
                "name_folded": namespace.ref.namespace.casefold(),
                "format": namespace.format,
                **_changing(namespace),
            },
        )
        return replace(namespace, id=id_)

    async def lock(self, refs: Sequence[NamespaceRef]) -> Sequence[Namespace | None]:
        if len(refs) == 1:  # the common case, with one plan for ever
            row = await self._session.row(_LOCK_ONE, _parameters(refs[0]))
            return [None if row is None else _namespace(row)]
        if not refs:
            return []
        rows = await self._session.rows(_LOCK, {"refs": list(dict.fromkeys(_key(ref) for ref in refs))})
        found = {_key(namespace.ref): namespace for namespace in map(_namespace, rows)}
        return [found.get(_key(ref)) for ref in refs]

    async def touch(self, namespace: Namespace) -> None:
        await self._session.change(_TOUCH, {"namespace_id": namespace.id, **_changing(namespace)})


def _key(ref: NamespaceRef) -> _Key:
    return ref.environment, ref.app, ref.cluster, ref.namespace.casefold()


def _parameters(ref: NamespaceRef) -> dict[str, str]:
    environment, app, cluster, folded = _key(ref)
    return {"environment": environment, "app": app, "cluster": cluster, "folded": folded}


def _changing(namespace: Namespace) -> dict[str, Any]:
    return {
        "revision": namespace.revision,
        "release_id": namespace.release_id,
        "released_revision": namespace.released_revision,
        "message_id": namespace.message_id,
        "updated_at": namespace.updated_at,
        "updated_by": namespace.updated_by,
        "inherits": namespace.inherits,
    }


def _namespace(row: Record) -> Namespace:
    id_, environment, app, cluster, name, *rest = row
    return Namespace(id_, NamespaceRef(environment, app, cluster, name), *rest)


def _live(row: Record) -> LiveRelease:
    environment, app, cluster, name, *rest = row
    # The index holds these for as long as the node lives, thousands of times the same few names.
    return LiveRelease(NamespaceRef(intern(environment), intern(app), intern(cluster), intern(name)), *rest)
