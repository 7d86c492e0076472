"""What delivery nodes note of clients and of one another, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from helicon_server.domain.actors import Right
from helicon_server.domain.instance import InstanceRelease
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.node import Node
from helicon_server.storage.contract import ConfigRead, Storage

from .context import Caller
from .history import get_release
from .namespaces import require_namespace

SILENT_S: Final = 24 * 3600.0  # a node without a heartbeat for longer is not listed


async def list_instances(
    tx: ConfigRead, caller: Caller, ref: NamespaceRef, *, release_id: int | None, limit: int
) -> Sequence[InstanceRelease]:
    """Lists the instances that were served a namespace or one of its branches, last seen first.

    With ``release_id`` those that hold this release. Raises NotFound, also ``release_not_found``.
    """
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    key = None
    if release_id is not None:
        _, release = await get_release(tx, caller, ref, release_id)
        key = release.head.key
    own = namespace.ref
    clusters = [own.cluster, *(branch.name for branch in await tx.branches.list(own))]
    return await tx.instances.list(
        own.environment,
        own.app,
        own.namespace,
        release_key=key,
        limit=limit,
        # A release says where it belongs: its branch may be gone by now.
        release_clusters=clusters if key is None else None,
    )


@dataclass(frozen=True, slots=True)
class ListedNode:
    """A node, and whether the others take it for alive, by the clock of a database that it beats in."""

    node: Node
    alive: bool


async def list_nodes(storage: Storage, caller: Caller) -> Sequence[ListedNode]:
    """Lists the nodes that gave a sign of life within a day, each once, the oldest first."""
    caller.may(Right.MANAGE)
    newest: dict[str, Node] = {}
    alive: set[str] = set()
    for database in storage.config_databases:
        async with database.read() as tx:
            for node in await tx.nodes.list(beaten_within_s=SILENT_S):
                known = newest.get(node.id)
                if known is None or known.beat_at < node.beat_at:
                    newest[node.id] = node
            alive.update([node.id for node in await tx.nodes.list(beaten_within_s=caller.limits.node_silent_s)])
    listed = sorted(newest.values(), key=lambda node: (node.started_at, node.id))
    return [ListedNode(node, node.id in alive) for node in listed]
