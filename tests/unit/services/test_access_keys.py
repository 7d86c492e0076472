"""Access keys: sealed for their own place, told to the nodes with the change itself, and nothing half-done."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from helicon_server.auth import master_key
from helicon_server.auth.sealing import Sealer
from helicon_server.domain.access_key import AccessKey, AccessKeyMode, SecretUnreadable
from helicon_server.domain.actors import Right
from helicon_server.domain.errors import Conflict, Forbidden, HeliconError, InvalidInput, NotFound
from helicon_server.domain.model import Message, MessageKind
from helicon_server.services import access_keys
from helicon_server.services.access_keys import NewAccessKey
from helicon_server.services.context import Caller
from helicon_server.storage.contract import ConfigWrite
from tests.unit.services.world import APP, ENVIRONMENT, World

SEALER = Sealer(master_key.parse(base64.b64encode(bytes(range(32))).decode()))
BROUGHT = "brought-secret-1"
FILTER = NewAccessKey(AccessKeyMode.FILTER)

Attempt = Callable[[ConfigWrite, Caller, int], Awaitable[object]]
"""Tries something with the app's first key, which it is told the id of."""


async def create(world: World, new: NewAccessKey = FILTER, *, app: str = APP) -> tuple[AccessKey, str]:
    async with world.database.write() as tx:
        return await access_keys.create_access_key(tx, world.caller(), SEALER, ENVIRONMENT, app, new)


async def keys(world: World) -> list[AccessKey]:
    async with world.database.read() as tx:
        return list(await access_keys.list_access_keys(tx, world.caller(), ENVIRONMENT, APP))


async def told(world: World) -> list[Message]:
    """The messages that access keys made, oldest first."""
    async with world.database.read() as tx:
        return [m for m in await tx.messages.after(0, limit=1000) if m.kind is MessageKind.ACCESS_KEY]


async def test_create__secret__opens_in_its_own_place_only(world: World) -> None:
    """The row of another app, of another environment, or another row of the same app is another place."""
    key, secret = await create(world, NewAccessKey(AccessKeyMode.OBSERVER, secret=BROUGHT))
    other, made = await create(world)
    assert (SEALER.open_access_key(key), secret) == (BROUGHT, BROUGHT)
    assert SEALER.open_access_key(other) == made != BROUGHT
    assert await keys(world) == [key, other]
    for moved in (
        replace(key, app="other"),
        replace(key, environment="PRO"),
        replace(other, sealed=key.sealed),
    ):
        with pytest.raises(SecretUnreadable):
            SEALER.open_access_key(moved)


async def test_changes__each__are_one_message_of_the_app(world: World) -> None:
    """In the same transaction: a node that reads the message finds the change."""
    key, _ = await create(world)
    async with world.database.write() as tx:
        await access_keys.change_access_key(tx, world.caller(), ENVIRONMENT, APP, key.id, enabled=False, mode=None)
    async with world.database.write() as tx:
        await access_keys.delete_access_key(tx, world.caller(), ENVIRONMENT, APP, key.id)
    messages = await told(world)
    assert [(m.environment, m.app, m.namespace) for m in messages] == [(ENVIRONMENT, APP, "")] * 3
    assert await keys(world) == []


def creation(new: NewAccessKey = FILTER, environment: str = ENVIRONMENT) -> Attempt:
    return lambda tx, caller, _: access_keys.create_access_key(tx, caller, SEALER, environment, APP, new)


def change(environment: str = ENVIRONMENT, *, beyond: int = 0) -> Attempt:
    return lambda tx, caller, first: access_keys.change_access_key(
        tx, caller, environment, APP, first + beyond, enabled=False, mode=None
    )


def deletion(*, beyond: int = 0) -> Attempt:
    return lambda tx, caller, first: access_keys.delete_access_key(tx, caller, ENVIRONMENT, APP, first + beyond)


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (creation(NewAccessKey(AccessKeyMode.FILTER, secret="too short")), (InvalidInput, "invalid_secret")),
        (creation(environment="NOPE"), (NotFound, "environment_not_found")),
        (creation(), (Conflict, "too_many_access_keys")),
        (change(beyond=99), (NotFound, "access_key_not_found")),
        (change("NOPE"), (NotFound, "environment_not_found")),
        (deletion(beyond=99), (NotFound, "access_key_not_found")),
        (deletion(), (Conflict, "access_key_enabled")),
    ],
)
async def test_refused__leaves_neither_key_nor_message_nor_audit(
    world: World, attempt: Attempt, expected: tuple[type[HeliconError], str]
) -> None:
    first, *_ = [(await create(world))[0] for _ in range(5)]
    before = world.committed
    with pytest.raises(HeliconError) as refused:
        async with world.database.write() as tx:
            await attempt(tx, world.caller(), first.id)
    assert (type(refused.value), refused.value.code) == expected
    assert world.committed is before


@pytest.mark.parametrize("right", [Right.VIEW, Right.EDIT, Right.PUBLISH])
async def test_keys__without_the_right_to_manage__are_neither_seen_nor_changed(world: World, right: Right) -> None:
    """Who may publish must not be able to open an app to everybody."""
    key, _ = await create(world)
    for attempt in (creation(), change(), deletion()):
        with pytest.raises(Forbidden):
            async with world.database.write() as tx:
                await attempt(tx, world.caller(right), key.id)
    async with world.database.read() as tx:
        with pytest.raises(Forbidden):
            await access_keys.list_access_keys(tx, world.caller(right), ENVIRONMENT, APP)


async def test_limit__is_of_the_app_and_not_of_its_spelling(world: World) -> None:
    """Keys of `Shop` would guard the clients of `shop` as well."""
    for _ in range(5):
        await create(world)
    with pytest.raises(Conflict):
        await create(world, app=APP.upper())
    await create(world, app="another")


def test_new_key__printed__shows_no_secret() -> None:
    """A traceback prints what it finds."""
    assert BROUGHT not in repr(NewAccessKey(AccessKeyMode.FILTER, secret=BROUGHT))
