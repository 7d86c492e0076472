"""The access keys of an app in an environment. A secret is answered once, by the request that creates its key."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus

from pydantic import Field, SecretStr

from helicon_server.domain.access_key import AccessKey, AccessKeyMode
from helicon_server.domain.actors import Right
from helicon_server.domain.errors import InvalidInput, NotFound
from helicon_server.services import access_keys

from .endpoint import Call, Endpoint, In, Out, Reply

_ID = re.compile(r"[1-9][0-9]{0,17}")
_MODE = "`filter` refuses requests that are not signed with a key; `observer` lets them pass and notes them in the log."


class NewAccessKey(In):
    """An access key to be created."""

    mode: AccessKeyMode = Field(strict=False, description=_MODE)
    enabled: bool = Field(True, description="Whether it is used at once.")
    secret: SecretStr | None = Field(
        None,
        description="The secret that clients have already, 16 to 128 visible ASCII characters; a random one without.",
    )


class AccessKeyChange(In):
    """What is to be different; the rest stays."""

    mode: AccessKeyMode | None = Field(None, strict=False, description=_MODE)
    enabled: bool | None = None


class AccessKeyOut(Out):
    """An access key without its secret."""

    id: int
    mode: AccessKeyMode
    enabled: bool
    created_at: datetime
    created_by: str


class NewAccessKeyOut(AccessKeyOut):
    """A new access key and its secret, which cannot be read again."""

    secret: str


class AccessKeyList(Out):
    """The access keys of an app by id."""

    items: list[AccessKeyOut]


async def create_access_key(call: Call[NewAccessKey]) -> Reply:
    app = await call.require_app()
    brought = call.input.secret
    new = access_keys.NewAccessKey(
        call.input.mode, call.input.enabled, None if brought is None else brought.get_secret_value()
    )
    async with call.config.write() as tx:
        key, secret = await access_keys.create_access_key(tx, call.caller, call.sealer, call.environment, app, new)
    return Reply(NewAccessKeyOut(**_access_key(key).model_dump(), secret=secret))


async def list_access_keys(call: Call[None]) -> Reply:
    app = await call.require_app()
    async with call.config.read() as tx:
        found = await access_keys.list_access_keys(tx, call.caller, call.environment, app)
    return Reply(AccessKeyList(items=[_access_key(key) for key in found]))


async def change_access_key(call: Call[AccessKeyChange]) -> Reply:
    wanted = call.input
    if wanted.mode is None and wanted.enabled is None:
        raise InvalidInput("Say what is to be different: mode, enabled, or both.", code="nothing_to_change")
    app = await call.require_app()
    async with call.config.write() as tx:
        key = await access_keys.change_access_key(
            tx, call.caller, call.environment, app, _id(call), enabled=wanted.enabled, mode=wanted.mode
        )
    return Reply(_access_key(key))


async def delete_access_key(call: Call[None]) -> Reply:
    app = await call.require_app()
    async with call.config.write() as tx:
        await access_keys.delete_access_key(tx, call.caller, call.environment, app, _id(call))
    return Reply()


def _id(call: Call[AccessKeyChange] | Call[None]) -> int:
    if not _ID.fullmatch(call.path["access_key"]):
        raise NotFound("The id of an access key is a number.", code="access_key_not_found")
    return int(call.path["access_key"])


def _access_key(key: AccessKey) -> AccessKeyOut:
    return AccessKeyOut(
        id=key.id, mode=key.mode, enabled=key.enabled, created_at=key.created_at, created_by=key.created_by
    )


_KEYS = "/environments/{environment}/apps/{app}/access-keys"
_KEY = _KEYS + "/{access_key}"

ENDPOINTS = (
    Endpoint(
        "GET",
        _KEYS,
        list_access_keys,
        "List an app's access keys, without their secrets",
        Right.MANAGE,
        None,
        AccessKeyList,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        _KEYS,
        create_access_key,
        "Create an access key and show its secret, once",
        Right.MANAGE,
        NewAccessKey,
        NewAccessKeyOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    Endpoint(
        "PATCH",
        _KEY,
        change_access_key,
        "Enable or disable an access key, or change its mode",
        Right.MANAGE,
        AccessKeyChange,
        AccessKeyOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "DELETE",
        _KEY,
        delete_access_key,
        "Delete an access key that is disabled",
        Right.MANAGE,
        None,
        None,
        HTTPStatus.NO_CONTENT,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
)
