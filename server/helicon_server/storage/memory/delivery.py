"""What the delivery plane keeps beside releases, in memory: branches, access keys, nodes, instances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from helicon_server.domain.access_key import AccessKey, AccessKeyMode
from helicon_server.domain.gray import GrayBranch, LiveBranch
from helicon_server.domain.instance import InstanceRelease
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.node import Node

from .config import folded
from .session import Session

_FORGOTTEN = timedelta(days=1)  # after the last heartbeat of a node


class MemoryBranches:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, ref: NamespaceRef, name: str) -> GrayBranch | None:
        return next((branch for branch in await self.list(ref) if branch.name == name), None)

    async def list(self, ref: NamespaceRef) -> Sequence[GrayBranch]:
        wanted = folded(ref)
        found = [branch for branch in self._session.state.branches.values() if folded(branch.ref) == wanted]
        return sorted(found, key=lambda branch: (branch.priority, branch.id))

    async def live(self) -> Sequence[LiveBranch]:
        releases = self._session.state.releases
        found = []
        for b in self._session.state.branches.values():
            release = None if b.release_id is None else releases.get(b.release_id)
            if release is not None:
                head = release.head
                found.append(LiveBranch(b.id, b.ref, b.name, b.priority, b.rules, head.id, head.key, head.size))
        return found

    async def live_of(self, refs: Iterable[NamespaceRef]) -> Sequence[LiveBranch]:
        wanted = {folded(ref) for ref in refs}
        return [live for live in await self.live() if folded(live.ref) in wanted]

    async def insert(self, branch: GrayBranch) -> GrayBranch:
        if await self.get(branch.ref, branch.name) is not None:
            self._session.refuse("branch_exists", "The namespace has a branch of this name already.")
        state = self._session.state
        stored = replace(branch, id=state.next_id())
        state.branches[stored.id] = stored
        return stored

    async def update(self, branch: GrayBranch) -> None:
        stored = self._session.state.branches
        if branch.id in stored:
            old = stored[branch.id]
            stored[branch.id] = replace(
                branch, ref=old.ref, name=old.name, created_at=old.created_at, created_by=old.created_by
            )

    async def delete(self, id_: int) -> None:
        self._session.state.branches.pop(id_, None)


class MemoryAccessKeys:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, environment: str, app: str) -> Sequence[AccessKey]:
        wanted = (environment, app.casefold())
        return [key for key in await self.all() if (key.environment, key.app.casefold()) == wanted]

    async def all(self) -> Sequence[AccessKey]:
        return sorted(self._session.state.access_keys.values(), key=lambda key: key.id)

    async def insert(self, key: AccessKey) -> AccessKey:
        state = self._session.state
        stored = replace(key, id=state.next_id())
        state.access_keys[stored.id] = stored
        return stored

    async def set(self, id_: int, *, enabled: bool, mode: AccessKeyMode) -> None:
        stored = self._session.state.access_keys
        if id_ in stored:
            stored[id_] = replace(stored[id_], enabled=enabled, mode=mode)

    async def delete(self, id_: int) -> None:
        self._session.state.access_keys.pop(id_, None)


class MemoryNodes:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, beaten_within_s: float) -> Sequence[Node]:
        since = datetime.now(UTC) - timedelta(seconds=beaten_within_s)
        found = [node for node in self._session.state.nodes.values() if node.beat_at >= since]
        return sorted(found, key=lambda node: (node.started_at, node.id))

    async def beat(self, node: Node) -> None:
        now = datetime.now(UTC)
        nodes = self._session.state.nodes
        nodes[node.id] = replace(node, beat_at=now)
        for id_ in [other.id for other in nodes.values() if other.beat_at < now - _FORGOTTEN]:
            del nodes[id_]

    async def remove(self, id_: str) -> None:
        self._session.state.nodes.pop(id_, None)


class MemoryInstances:
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
        wanted = (environment, owner, namespace)
        found = [
            seen
            for seen in self._session.state.instances.values()
            if (seen.environment, seen.owner, seen.namespace) == wanted
            and release_key in (None, seen.release_key)
            and (release_clusters is None or seen.release_cluster in release_clusters)
        ]
        found.sort(key=lambda seen: (seen.app, seen.cluster, seen.data_center, seen.ip))
        found.sort(key=lambda seen: seen.seen_at, reverse=True)
        return found[:limit]

    async def record(self, seen: Sequence[InstanceRelease]) -> None:
        stored = self._session.state.instances
        for new in seen:
            key = (new.environment, new.app, new.cluster, new.data_center, new.ip, new.owner, new.namespace)
            old = stored.get(key)
            if old is None or (old.seen_at <= new.seen_at and old.release_key != new.release_key):
                stored[key] = new
            elif old.seen_at <= new.seen_at:
                stored[key] = replace(new, delivered_at=old.delivered_at)

    async def forget_before(self, at: datetime, *, limit: int) -> int:
        stored = self._session.state.instances
        gone = [key for key, seen in stored.items() if seen.seen_at < at][:limit]
        for key in gone:
            del stored[key]
        return len(gone)
