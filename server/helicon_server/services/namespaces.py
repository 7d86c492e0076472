"""Namespaces: define, find, list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helicon.protocol.names import DEFAULT_CLUSTER
from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict, NotFound
from helicon_server.domain.formats import Format
from helicon_server.domain.model import MessageKind, Namespace, NamespaceDefinition, new_namespace
from helicon_server.domain.names import ClusterRef, NamespaceRef, new_namespace_name, parse_namespace
from helicon_server.storage.contract import ConfigRead, ConfigWrite

from .clusters import require_cluster
from .context import Caller, audit
from .environments import require_environment


@dataclass(frozen=True, slots=True)
class NewNamespace:
    """What a namespace to be created is to be called, and who may read it."""

    name: str  # full name, or the base name when ``format`` is given
    format: Format | None = None
    public: bool = False
    comment: str = ""


async def create_namespace(
    tx: ConfigWrite, caller: Caller, environment: str, app: str, new: NewNamespace
) -> NamespaceDefinition:
    """Defines a namespace of an app and makes an empty draft of it in each of the app's clusters.

    Raises InvalidName, and Conflict ``namespace_exists`` or ``public_namespace_exists``.
    """
    caller.may(Right.MANAGE)
    await require_environment(tx, environment)
    name, format_ = new_namespace_name(new.name, new.format)
    definition = NamespaceDefinition(
        environment, app, name, format_, new.public, new.comment, caller.now, caller.actor.name
    )
    await tx.definitions.insert(definition)
    # Before the clusters are read, and create_cluster does the same: whoever comes second sees the first, so that no
    # cluster misses a namespace.
    await tx.messages.append(MessageKind.DEFINITION, [NamespaceRef(environment, app, DEFAULT_CLUSTER, name)])
    clusters = [DEFAULT_CLUSTER, *(cluster.name for cluster in await tx.clusters.list(environment, app))]
    for cluster in clusters:
        ref = NamespaceRef(environment, app, cluster, name)
        await tx.namespaces.insert(new_namespace(ref, format_, caller.now, caller.actor.name))
    first = NamespaceRef(environment, app, clusters[0], name)
    await audit(tx.audit, caller, "namespace.create", ref=first, detail={"public": new.public, "clusters": clusters})
    return definition


async def associate_namespace(tx: ConfigWrite, caller: Caller, ref: NamespaceRef) -> Namespace:
    """Gives an app its own overlay on another app's public namespace, in one cluster.

    Raises NotFound when there is no such public namespace, and Conflict ``namespace_exists``.
    """
    caller.may(Right.MANAGE)
    await require_environment(tx, ref.environment)
    await require_cluster(tx, ClusterRef(ref.environment, ref.app, ref.cluster))
    public = await tx.definitions.get_public(ref.environment, parse_namespace(ref.namespace))
    if public is None:
        raise NotFound(f"There is no public namespace {ref.namespace!r}.", code="public_namespace_not_found")
    if public.app == ref.app:
        raise Conflict(f"App {ref.app!r} owns {public.name!r} itself.", code="namespace_exists")
    own = NamespaceRef(ref.environment, ref.app, ref.cluster, public.name)
    namespace = await tx.namespaces.insert(new_namespace(own, public.format, caller.now, caller.actor.name))
    await audit(tx.audit, caller, "namespace.associate", ref=own, detail={"owner": public.app})
    return namespace


async def get_namespace(tx: ConfigRead, caller: Caller, ref: NamespaceRef) -> Namespace:
    """Finds a namespace, ignoring the case of its name. Raises NotFound ``namespace_not_found``."""
    caller.may(Right.VIEW)
    return await require_namespace(tx, ref)


async def list_namespaces(tx: ConfigRead, caller: Caller, ref: ClusterRef) -> Sequence[Namespace]:
    """Lists the namespaces of a cluster by name."""
    caller.may(Right.VIEW)
    await require_environment(tx, ref.environment)
    await require_cluster(tx, ref)
    return await tx.namespaces.list(ref.environment, ref.app, ref.cluster)


async def require_namespace(tx: ConfigRead, ref: NamespaceRef) -> Namespace:
    """Finds a namespace whoever asks; raises NotFound ``namespace_not_found``."""
    return await found(tx, ref, await tx.namespaces.get(ref))


async def found(tx: ConfigRead, ref: NamespaceRef, namespace: Namespace | None) -> Namespace:
    """``namespace``; when it is None, NotFound with the first part of ``ref`` that is missing.

    That is ``environment_not_found``, ``cluster_not_found`` or ``namespace_not_found``.
    """
    if namespace is None:
        await require_environment(tx, ref.environment)
        await require_cluster(tx, ClusterRef(ref.environment, ref.app, ref.cluster))
        raise NotFound(
            f"App {ref.app!r} has no namespace {ref.namespace!r} in cluster {ref.cluster!r} of {ref.environment}.",
            code="namespace_not_found",
        )
    return namespace
