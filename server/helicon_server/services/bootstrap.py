"""First start: environments, the first administrator, the first token. No credential is shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helicon_server.auth import passwords
from helicon_server.domain.actors import ALL_RIGHTS, SYSTEM
from helicon_server.domain.errors import Conflict
from helicon_server.storage.contract import ConfigDatabase, ControlDatabase, Storage

from .context import Caller
from .environments import create_environment
from .people import NewToken, create_token, create_user

ADMINISTRATOR = "admin"
TOKEN_NAME = "bootstrap"  # noqa: S105  # the name of a token, not a secret


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What a database is given when it holds nothing yet."""

    environments: Sequence[str]  # by position
    password: str | None  # of the administrator; None makes a random one
    token: str | None  # with all rights; None makes none


async def bootstrap(storage: Storage, first: FirstStart) -> str | None:
    """Makes what is missing and returns the administrator's password when it was generated here, else None.

    Safe to run by several nodes at once: whoever comes second finds the work done.
    """
    async with storage.main.read() as tx:
        fresh = not await tx.environments.list()
    await _require_nothing_left_behind(storage)
    for name in first.environments:
        database = storage.config(name)
        if fresh or database is not storage.main:
            await _create_environment(database, name)
    generated = await _create_administrator(storage.control, first.password)
    if first.token is not None:
        await _create_token(storage.control, first.token)
    return generated


async def _require_nothing_left_behind(storage: Storage) -> None:
    """Refuses to give an environment a database of its own while its configuration lies in the main one.

    Clients would be served from the new, empty database. Raises Conflict ``environment_in_main_database``.
    """
    if not storage.dedicated:
        return
    async with storage.main.read() as tx:
        left = {definition.environment for definition in await tx.definitions.all()} & storage.dedicated.keys()
    if left:
        names = ", ".join(sorted(left))
        raise Conflict(
            f"{names} has namespaces in the main database, which would no longer be served. "
            "Take the address out of HELICON_ENVIRONMENTS, or move the configuration first.",
            code="environment_in_main_database",
        )


async def _create_environment(database: ConfigDatabase, name: str) -> None:
    caller = Caller.local(SYSTEM)
    try:
        async with database.write() as tx:
            if await tx.environments.get(name) is None:
                await create_environment(tx, caller, name)
    except Conflict:
        return  # another node was faster


async def _create_administrator(control: ControlDatabase, password: str | None) -> str | None:
    async with control.read() as tx:
        if await tx.users.any():
            return None
    chosen = password or passwords.new_password()
    try:
        async with control.write() as tx:
            await create_user(tx, Caller.local(SYSTEM), ADMINISTRATOR, chosen)
    except Conflict:
        return None
    return None if password else chosen


async def _create_token(control: ControlDatabase, secret: str) -> None:
    async with control.read() as tx:
        if await tx.tokens.any():
            return
    try:
        async with control.write() as tx:
            await create_token(tx, Caller.local(SYSTEM), NewToken(TOKEN_NAME, ALL_RIGHTS), secret=secret)
    except Conflict:
        return
