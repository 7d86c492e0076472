"""What every use case is told about its caller and its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from helicon_server.auth.policy import authorize
from helicon_server.domain.actors import Actor, Origin, Right
from helicon_server.domain.model import AuditEntry
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import AuditWriter


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the management plane."""

    value_characters: int = 1_048_576  # of one value or document (HELICON_VALUE_LIMIT)
    publish_namespaces: int = 200  # in one publish
    node_silent_s: float = 45.0  # a node without a heartbeat for longer is gone (three HELICON_HEARTBEAT_S)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from where, at what time and within which bounds."""

    actor: Actor
    origin: Origin
    limits: Limits
    now: datetime

    @staticmethod
    def local(actor: Actor, limits: Limits | None = None) -> Caller:
        """A caller on the server's own command line."""
        return Caller(actor, Origin("-", "local"), limits or Limits(), datetime.now(UTC))

    def may(self, right: Right) -> None:
        """Raises Forbidden unless the caller holds ``right``."""
        authorize(self.actor, right)


async def audit(
    writer: AuditWriter,
    caller: Caller,
    action: str,
    *,
    ref: NamespaceRef | None = None,
    environment: str = "",
    app: str = "",
    cluster: str = "",
    detail: dict[str, object] | None = None,
) -> None:
    """Appends the audit entry of one write. ``detail`` holds names, numbers and hashes, never values."""
    await writer.append(
        AuditEntry(
            id=0,
            at=caller.now,
            actor=caller.actor.name,
            action=action,
            environment=ref.environment if ref else environment,
            app=ref.app if ref else app,
            cluster=ref.cluster if ref else cluster,
            namespace=ref.namespace if ref else "",
            detail=detail or {},
            request_id=caller.origin.request_id,
            peer=caller.origin.peer,
        )
    )
