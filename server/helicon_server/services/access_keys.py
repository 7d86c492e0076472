"""Access keys of an app: create, list, switch, delete (Apollo client protocol, section 11).

Every change appends a message in its transaction, so that delivery nodes check by the new keys within milliseconds.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from helicon.protocol.names import DEFAULT_CLUSTER
from helicon_server.auth.sealing import Sealer, place_of_access_key
from helicon_server.domain.access_key import KEYS_PER_APP, AccessKey, AccessKeyMode
from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict, InvalidInput, NotFound
from helicon_server.domain.model import MessageKind
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigRead, ConfigWrite

from .context import Caller, audit
from .environments import require_environment

_SECRET_BYTES = 16  # 32 hexadecimal digits, as Apollo's portal makes them
_BROUGHT_SECRET = re.compile(r"[!-~]{16,128}")


@dataclass(frozen=True, slots=True)
class NewAccessKey:
    """What a key is to do, and the secret that clients have already, if they come from elsewhere with one."""

    mode: AccessKeyMode
    enabled: bool = True
    secret: str | None = field(default=None, repr=False)


async def create_access_key(
    tx: ConfigWrite, caller: Caller, sealer: Sealer, environment: str, app: str, new: NewAccessKey
) -> tuple[AccessKey, str]:
    """Creates a key of an app that exists and returns it with its secret, which nobody can read again.

    Raises InvalidInput ``invalid_secret``, NotFound ``environment_not_found``, and Conflict ``too_many_access_keys``.
    """
    caller.may(Right.MANAGE)
    await require_environment(tx, environment)
    if new.secret is not None and not _BROUGHT_SECRET.fullmatch(new.secret):
        raise InvalidInput("A secret must be 16 to 128 visible ASCII characters without blanks.", code="invalid_secret")
    secret = new.secret or secrets.token_hex(_SECRET_BYTES)
    # Appending is serialised, and comes before the count: two creators cannot both be the fifth.
    await _tell(tx, environment, app)
    if len(await tx.access_keys.list(environment, app)) >= KEYS_PER_APP:
        raise Conflict(
            f"App {app!r} has {KEYS_PER_APP} access keys in {environment}; delete one that is not used any more.",
            code="too_many_access_keys",
            details={"limit": KEYS_PER_APP},
        )
    uid = secrets.token_hex(16)
    key = await tx.access_keys.insert(
        AccessKey(
            id=0,
            environment=environment,
            app=app,
            uid=uid,
            sealed=sealer.seal(secret, place_of_access_key(environment, app, uid)),
            mode=new.mode,
            enabled=new.enabled,
            created_at=caller.now,
            created_by=caller.actor.name,
        )
    )
    await _record(tx, caller, "create", key)
    return key, secret


async def list_access_keys(tx: ConfigRead, caller: Caller, environment: str, app: str) -> Sequence[AccessKey]:
    """Lists an app's keys by id. Raises NotFound ``environment_not_found``."""
    caller.may(Right.MANAGE)
    await require_environment(tx, environment)
    return await tx.access_keys.list(environment, app)


async def change_access_key(
    tx: ConfigWrite,
    caller: Caller,
    environment: str,
    app: str,
    id_: int,
    *,
    enabled: bool | None,
    mode: AccessKeyMode | None,
) -> AccessKey:
    """Switches a key; what is None stays. Raises NotFound ``environment_not_found`` or ``access_key_not_found``."""
    caller.may(Right.MANAGE)
    key = await _locked(tx, environment, app, id_)
    changed = replace(key, enabled=key.enabled if enabled is None else enabled, mode=key.mode if mode is None else mode)
    await tx.access_keys.set(key.id, enabled=changed.enabled, mode=changed.mode)
    await _record(tx, caller, "update", changed)
    return changed


async def delete_access_key(tx: ConfigWrite, caller: Caller, environment: str, app: str, id_: int) -> None:
    """Deletes a key that was disabled before, so that nobody deletes the key that clients sign with by one slip.

    Raises NotFound ``environment_not_found`` or ``access_key_not_found``, and Conflict ``access_key_enabled``.
    """
    caller.may(Right.MANAGE)
    key = await _locked(tx, environment, app, id_)
    if key.enabled:
        raise Conflict("The access key is enabled; disable it first.", code="access_key_enabled")
    await tx.access_keys.delete(key.id)
    await _record(tx, caller, "delete", key)


async def _locked(tx: ConfigWrite, environment: str, app: str, id_: int) -> AccessKey:
    """A key that no other transaction changes before this one ends: the message is appended before the key is read."""
    await require_environment(tx, environment)
    await _tell(tx, environment, app)
    for key in await tx.access_keys.list(environment, app):
        if key.id == id_:
            return key
    raise NotFound(f"App {app!r} has no access key {id_} in {environment}.", code="access_key_not_found")


async def _tell(tx: ConfigWrite, environment: str, app: str) -> None:
    await tx.messages.append(MessageKind.ACCESS_KEY, [NamespaceRef(environment, app, DEFAULT_CLUSTER, "")])


async def _record(tx: ConfigWrite, caller: Caller, action: str, key: AccessKey) -> None:
    detail: dict[str, object] = {"key": key.id, "mode": key.mode.value, "enabled": key.enabled}
    await audit(tx.audit, caller, f"access_key.{action}", environment=key.environment, app=key.app, detail=detail)
