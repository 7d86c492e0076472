"""Clusters of an app: create, find, list."""

from __future__ import annotations

from collections.abc import Sequence

from helicon.protocol.names import DEFAULT_CLUSTER
from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict, NotFound
from helicon_server.domain.model import Cluster, MessageKind, new_namespace
from helicon_server.domain.names import ClusterRef, NamespaceRef, parse_cluster
from helicon_server.storage.contract import ConfigRead, ConfigWrite

from .context import Caller, audit
from .environments import require_environment


async def create_cluster(tx: ConfigWrite, caller: Caller, ref: ClusterRef) -> Cluster:
    """Creates a cluster of an app, with a draft of every namespace that the app defines.

    Overlays on public namespaces belong to the cluster that they were made in and are not copied.

    Raises InvalidName, NotFound, and Conflict ``cluster_exists``.
    """
    caller.may(Right.MANAGE)
    await require_environment(tx, ref.environment)
    if parse_cluster(ref.cluster).casefold() == DEFAULT_CLUSTER:
        raise Conflict("The cluster 'default' always exists.", code="cluster_exists")
    cluster = Cluster(ref.environment, ref.app, ref.cluster, caller.now, caller.actor.name)
    await tx.clusters.insert(cluster)
    # Before the definitions are read: see create_namespace.
    await tx.messages.append(MessageKind.DEFINITION, [NamespaceRef(ref.environment, ref.app, ref.cluster, "")])
    for definition in await tx.definitions.list(ref.environment, ref.app):
        of_cluster = NamespaceRef(ref.environment, ref.app, ref.cluster, definition.name)
        await tx.namespaces.insert(new_namespace(of_cluster, definition.format, caller.now, caller.actor.name))
    await audit(tx.audit, caller, "cluster.create", environment=ref.environment, app=ref.app, cluster=ref.cluster)
    return cluster


async def list_clusters(tx: ConfigRead, caller: Caller, environment: str, app: str) -> Sequence[str]:
    """Lists the names of an app's clusters, ``default`` first."""
    caller.may(Right.VIEW)
    await require_environment(tx, environment)
    return [DEFAULT_CLUSTER, *(cluster.name for cluster in await tx.clusters.list(environment, app))]


async def require_cluster(tx: ConfigRead, ref: ClusterRef) -> None:
    """Returns when the cluster exists; raises NotFound ``cluster_not_found``."""
    if ref.cluster != DEFAULT_CLUSTER and await tx.clusters.get(ref.environment, ref.app, ref.cluster) is None:
        raise NotFound(f"App {ref.app!r} has no cluster {ref.cluster!r}.", code="cluster_not_found")
