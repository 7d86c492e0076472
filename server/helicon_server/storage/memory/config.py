"""The nouns of the config group that drafts are made of, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from helicon_server.domain.formats.keys import fold_key
from helicon_server.domain.model import Cluster, Environment, Item, LiveRelease, Namespace, NamespaceDefinition
from helicon_server.domain.names import NamespaceRef

from .session import Session


class MemoryEnvironments:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, name: str) -> Environment | None:
        return self._session.state.environments.get(name)

    async def list(self) -> Sequence[Environment]:
        return sorted(self._session.state.environments.values(), key=lambda e: (e.position, e.name))

    async def insert(self, environment: Environment) -> None:
        environments = self._session.state.environments
        if environment.name in environments:
            self._session.refuse("environment_exists", "An environment of this name exists already.")
        environments[environment.name] = environment

    async def set_incremental(self, name: str, enabled: bool) -> bool:
        environments = self._session.state.environments
        if name not in environments:
            return False
        environments[name] = replace(environments[name], incremental=enabled)
        return True


class MemoryClusters:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, app: str, name: str) -> Cluster | None:
        found = self._session.state.clusters.get((environment, app, name.casefold()))
        return found if found is not None and found.name == name else None

    async def list(self, environment: str, app: str) -> Sequence[Cluster]:
        clusters = self._session.state.clusters.values()
        return sorted((c for c in clusters if (c.environment, c.app) == (environment, app)), key=lambda c: c.name)

    async def insert(self, cluster: Cluster) -> None:
        clusters = self._session.state.clusters
        key = (cluster.environment, cluster.app, cluster.name.casefold())
        if key in clusters:
            self._session.refuse("cluster_exists", "The app has a cluster of this name already.")
        clusters[key] = cluster


class MemoryDefinitions:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, app: str, name: str) -> NamespaceDefinition | None:
        return self._session.state.definitions.get((environment, app, name.casefold()))

    async def get_public(self, environment: str, name: str) -> NamespaceDefinition | None:
        definitions = self._session.state.definitions.values()
        wanted = (environment, name.casefold())
        return next((d for d in definitions if d.public and (d.environment, d.name.casefold()) == wanted), None)

    async def list(self, environment: str, app: str) -> Sequence[NamespaceDefinition]:
        definitions = self._session.state.definitions.values()
        return sorted((d for d in definitions if (d.environment, d.app) == (environment, app)), key=lambda d: d.name)

    async def all(self) -> Sequence[NamespaceDefinition]:
        return list(self._session.state.definitions.values())

    async def insert(self, definition: NamespaceDefinition) -> None:
        definitions = self._session.state.definitions
        key = (definition.environment, definition.app, definition.name.casefold())
        if key in definitions:
            self._session.refuse("namespace_exists", "The app has defined a namespace of this name already.")
        if definition.public and await self.get_public(definition.environment, definition.name) is not None:
            self._session.refuse("public_namespace_exists", "An app has a public namespace of this name already.")
        definitions[key] = definition


class MemoryNamespaces:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, ref: NamespaceRef) -> Namespace | None:
        wanted = folded(ref)
        return next((n for n in self._session.state.namespaces.values() if folded(n.ref) == wanted), None)

    async def list(self, environment: str, app: str, cluster: str | None = None) -> Sequence[Namespace]:
        found = [
            n
            for n in self._session.state.namespaces.values()
            if (n.ref.environment, n.ref.app) == (environment, app) and cluster in (None, n.ref.cluster)
        ]
        return sorted(found, key=lambda n: (n.ref.cluster, n.ref.namespace))

    async def live(self) -> Sequence[LiveRelease]:
        releases = self._session.state.releases
        return [
            LiveRelease(
                n.ref,
                n.release_id,
                releases[n.release_id].head.key,
                n.message_id,
                releases[n.release_id].head.size,
                n.inherits,
            )
            for n in self._session.state.namespaces.values()
            if n.release_id is not None and n.message_id is not None and n.release_id in releases
        ]

    async def live_of(self, refs: Iterable[NamespaceRef]) -> Sequence[LiveRelease]:
        wanted = {folded(ref) for ref in refs}
        return [live for live in await self.live() if folded(live.ref) in wanted]

    async def insert(self, namespace: Namespace) -> Namespace:
        if await self.get(namespace.ref) is not None:
            self._session.refuse("namespace_exists", "The cluster has a namespace of this name already.")
        state = self._session.state
        stored = replace(namespace, id=state.next_id())
        state.namespaces[stored.id] = stored
        return stored

    async def lock(self, refs: Sequence[NamespaceRef]) -> Sequence[Namespace | None]:
        return [await self.get(ref) for ref in refs]

    async def touch(self, namespace: Namespace) -> None:
        stored = self._session.state.namespaces
        if namespace.id in stored:
            stored[namespace.id] = replace(namespace, ref=stored[namespace.id].ref, format=stored[namespace.id].format)


class MemoryItems:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, namespace_id: int) -> Sequence[Item]:
        found = [item for owner, item in self._session.state.items.values() if owner == namespace_id]
        return sorted(found, key=lambda item: (item.position, item.id))

    async def get(self, namespace_id: int, key: str) -> Item | None:
        wanted = fold_key(key)
        items = await self.list(namespace_id)
        return next((item for item in items if item.key is not None and fold_key(item.key) == wanted), None)

    async def last(self, namespace_id: int) -> Item | None:
        items = await self.list(namespace_id)
        return items[-1] if items else None

    async def insert(self, namespace_id: int, items: Sequence[Item]) -> None:
        state = self._session.state
        taken = {fold_key(item.key) for item in await self.list(namespace_id) if item.key is not None}
        for item in items:
            if item.key is not None:
                if fold_key(item.key) in taken:
                    self._refuse_key()
                taken.add(fold_key(item.key))
            id_ = state.next_id()
            state.items[id_] = (namespace_id, replace(item, id=id_))

    async def update(self, items: Sequence[Item]) -> None:
        stored = self._session.state.items
        for item in items:
            if item.id not in stored:
                continue
            owner = stored[item.id][0]
            other = None if item.key is None else await self.get(owner, item.key)
            if other is not None and other.id != item.id:
                self._refuse_key()
            stored[item.id] = (owner, item)

    async def delete(self, ids: Sequence[int]) -> None:
        for id_ in ids:
            self._session.state.items.pop(id_, None)

    def _refuse_key(self) -> None:
        self._session.refuse("item_exists", "The namespace has an item of this key already.")


def folded(ref: NamespaceRef) -> tuple[str, str, str, str]:
    """The form under which two references are the same."""
    return ref.environment, ref.app, ref.cluster, ref.namespace.casefold()
