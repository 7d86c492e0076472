"""The audit as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from helicon_server.domain.actors import Right
from helicon_server.domain.model import AuditEntry
from helicon_server.storage.contract import ConfigRead, ControlRead

from .context import Caller
from .environments import require_environment


async def entries(tx: ControlRead, caller: Caller, *, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
    """What was done to apps, people and tokens, newest first."""
    caller.may(Right.MANAGE)
    return await tx.audit.list(environment="", before_id=before_id, limit=limit)


async def entries_of_environment(
    tx: ConfigRead, caller: Caller, environment: str, *, before_id: int | None, limit: int
) -> Sequence[AuditEntry]:
    """What was done in an environment, newest first. Raises NotFound ``environment_not_found``."""
    caller.may(Right.MANAGE)
    await require_environment(tx, environment)
    return await tx.audit.list(environment=environment, before_id=before_id, limit=limit)
