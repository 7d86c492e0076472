"""Inheritance: whether the release of a cluster's namespace is laid over that of cluster ``default``, key by key."""

from __future__ import annotations

from dataclasses import replace

from helicon.protocol.names import DEFAULT_CLUSTER
from helicon_server.domain.actors import Right
from helicon_server.domain.errors import InvalidInput
from helicon_server.domain.formats import Format
from helicon_server.domain.model import MessageKind, Namespace
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigWrite

from .context import Caller, audit
from .namespaces import found


async def set_inheritance(tx: ConfigWrite, caller: Caller, ref: NamespaceRef, *, inherits: bool) -> Namespace:
    """Switches inheritance; what is so already stays as it is. It counts at once, without a publish.

    Raises InvalidInput ``default_inherits`` for cluster ``default``, ``document_inherits`` for a namespace that is one
    text; and NotFound.
    """
    caller.may(Right.PUBLISH)
    (locked,) = await tx.namespaces.lock([ref])
    namespace = await found(tx, ref, locked)
    if inherits and namespace.ref.cluster == DEFAULT_CLUSTER:
        raise InvalidInput(
            f"Cluster {DEFAULT_CLUSTER!r} is what others inherit from; it has nothing to inherit.",
            code="default_inherits",
        )
    if inherits and namespace.format is not Format.PROPERTIES:
        raise InvalidInput(
            f"{namespace.ref} is one text in {namespace.format}; only properties are inherited key by key.",
            code="document_inherits",
        )
    if namespace.inherits is inherits:
        return namespace
    await audit(tx.audit, caller, "namespace.inheritance", ref=namespace.ref, detail={"inherits": inherits})
    changed = replace(namespace, inherits=inherits)
    if namespace.release_id is not None:  # clients read something else from now on
        (message_id,) = await tx.messages.append(MessageKind.RELEASE, [namespace.ref])
        changed = replace(changed, message_id=message_id)
    await tx.namespaces.touch(changed)
    return changed
