"""Gray branches in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, tuple_, update

from helicon_server.domain.gray import GrayBranch, GrayRule, LiveBranch
from helicon_server.domain.names import NamespaceRef

from .batches import in_batches
from .session import Record, Session
from .tables import branches, releases

_COLUMNS = (
    branches.c.id,
    branches.c.environment,
    branches.c.app,
    branches.c.cluster,
    branches.c.namespace,
    branches.c.name,
    branches.c.title,
    branches.c.priority,
    branches.c.rules,
    branches.c.changes,
    branches.c.release_id,
    branches.c.revision,
    branches.c.created_at,
    branches.c.created_by,
    branches.c.updated_at,
    branches.c.updated_by,
    branches.c.live_changes,
)
_OF_NAMESPACE = select(*_COLUMNS).where(
    branches.c.environment == bindparam("environment"),
    branches.c.app == bindparam("app"),
    branches.c.cluster == bindparam("cluster"),
    branches.c.namespace_folded == bindparam("folded"),
)
_LIST = _OF_NAMESPACE.order_by(branches.c.priority, branches.c.id)
_GET = _OF_NAMESPACE.where(branches.c.name == bindparam("name"))
_LIVE = select(
    branches.c.id,
    branches.c.environment,
    branches.c.app,
    branches.c.cluster,
    branches.c.namespace,
    branches.c.name,
    branches.c.priority,
    branches.c.rules,
    releases.c.id,
    releases.c.key,
    releases.c.size,
).join_from(branches, releases, releases.c.id == branches.c.release_id)
_LIVE_OF = _LIVE.where(
    tuple_(branches.c.environment, branches.c.app, branches.c.cluster, branches.c.namespace_folded).in_(
        bindparam("refs", expanding=True)
    )
)
_INSERT = insert(branches).returning(branches.c.id)
_UPDATE = update(branches).where(branches.c.id == bindparam("branch_id"))
_DELETE = delete(branches).where(branches.c.id == bindparam("branch_id"))


class SqlBranchReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, ref: NamespaceRef, name: str) -> GrayBranch | None:
        row = await self._session.row(_GET, {**_parameters(ref), "name": name})
        return None if row is None else _branch(row)

    async def list(self, ref: NamespaceRef) -> Sequence[GrayBranch]:
        return [_branch(row) for row in await self._session.rows(_LIST, _parameters(ref))]

    async def live(self) -> Sequence[LiveBranch]:
        return [_live(row) for row in await self._session.rows(_LIVE)]

    async def live_of(self, refs: Iterable[NamespaceRef]) -> Sequence[LiveBranch]:
        found: list[LiveBranch] = []
        for batch in in_batches(list({tuple(_parameters(ref).values()) for ref in refs})):
            found += [_live(row) for row in await self._session.rows(_LIVE_OF, {"refs": batch})]
        return found


class SqlBranchWriter(SqlBranchReader):
    async def insert(self, branch: GrayBranch) -> GrayBranch:
        id_ = await self._session.value(
            _INSERT,
            {
                "environment": branch.ref.environment,
                "app": branch.ref.app,
                "cluster": branch.ref.cluster,
                "namespace": branch.ref.namespace,
                "namespace_folded": branch.ref.namespace.casefold(),
                "name": branch.name,
                "created_at": branch.created_at,
                "created_by": branch.created_by,
                **_changing(branch),
            },
        )
        return replace(branch, id=id_)

    async def update(self, branch: GrayBranch) -> None:
        await self._session.change(_UPDATE, {"branch_id": branch.id, **_changing(branch)})

    async def delete(self, id_: int) -> None:
        await self._session.change(_DELETE, {"branch_id": id_})


def _parameters(ref: NamespaceRef) -> dict[str, str]:
    return {
        "environment": ref.environment,
        "app": ref.app,
        "cluster": ref.cluster,
        "folded": ref.namespace.casefold(),
    }


def _changing(branch: GrayBranch) -> dict[str, Any]:
    return {
        "title": branch.title,
        "priority": branch.priority,
        "rules": {"rules": [asdict(rule) for rule in branch.rules]},
        "changes": {"set": dict(branch.overlay), "remove": list(branch.removed)},
        "live_changes": {"set": dict(branch.live_overlay), "remove": list(branch.live_removed)},
        "release_id": branch.release_id,
        "revision": branch.revision,
        "updated_at": branch.updated_at,
        "updated_by": branch.updated_by,
    }


def _rules(document: Mapping[str, Any]) -> tuple[GrayRule, ...]:
    return tuple(
        GrayRule(rule["client_app"], tuple(rule["ips"]), tuple(rule["labels"]), rule["percent"])
        for rule in document["rules"]
    )


def _branch(row: Record) -> GrayBranch:
    id_, environment, app, cluster, namespace, name, title, priority, rules, changes, *rest, live = row
    ref = NamespaceRef(environment, app, cluster, namespace)
    made = GrayBranch(id_, ref, name, title, priority, _rules(rules), changes["set"], tuple(changes["remove"]), *rest)
    return replace(made, live_overlay=live["set"], live_removed=tuple(live["remove"]))


def _live(row: Record) -> LiveBranch:
    id_, environment, app, cluster, namespace, name, priority, rules, *rest = row
    return LiveBranch(id_, NamespaceRef(environment, app, cluster, namespace), name, priority, _rules(rules), *rest)
