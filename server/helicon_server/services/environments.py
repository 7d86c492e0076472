"""Environments: create, find, list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import NotFound
from helicon_server.domain.model import Environment, MessageKind
from helicon_server.domain.names import NamespaceRef, parse_environment
from helicon_server.storage.contract import ConfigRead, ConfigWrite, Storage

from .context import Caller, audit


async def create_environment(tx: ConfigWrite, caller: Caller, name: str) -> Environment:
    """Creates an environment in the database of ``tx``; nodes serve it as soon as they follow the message.

    Raises InvalidName, and Conflict ``environment_exists``.
    """
    caller.may(Right.MANAGE)
    others = await tx.environments.list()
    environment = Environment(parse_environment(name), max((e.position for e in others), default=-1) + 1, caller.now)
    await tx.environments.insert(environment)
    await audit(tx.audit, caller, "environment.create", environment=environment.name)
    await tx.messages.append(MessageKind.ENVIRONMENT, [NamespaceRef(environment.name, "", "", "")])
    return environment


async def set_incremental(tx: ConfigWrite, caller: Caller, name: str, *, enabled: bool) -> Environment:
    """Switches incremental sync for the clients of an environment (Apollo client protocol, section 5).

    Raises NotFound ``environment_not_found``.
    """
    caller.may(Right.MANAGE)
    environment = await require_environment(tx, name)
    if environment.incremental is enabled:
        return environment
    await tx.environments.set_incremental(name, enabled)
    await audit(tx.audit, caller, "environment.incremental_sync", environment=name, detail={"enabled": enabled})
    await tx.messages.append(MessageKind.ENVIRONMENT, [NamespaceRef(name, "", "", "")])
    return replace(environment, incremental=enabled)


async def list_environments(storage: Storage, caller: Caller) -> Sequence[Environment]:
    """Lists the environments of all databases, by position and name."""
    caller.may(Right.VIEW)
    found: list[Environment] = []
    for database in storage.config_databases:
        async with database.read() as tx:
            # A name may have stayed behind in the main database when the environment got one of its own.
            found.extend(e for e in await tx.environments.list() if storage.config(e.name) is database)
    return sorted(found, key=lambda e: (e.position, e.name))


async def require_environment(tx: ConfigRead, name: str) -> Environment:
    """Finds an environment; raises NotFound ``environment_not_found``."""
    environment = await tx.environments.get(name)
    if environment is None:
        raise NotFound(f"There is no environment {name!r}.", code="environment_not_found")
    return environment
