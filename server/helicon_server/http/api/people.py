"""Sign-in, tokens, and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

from pydantic import Field

from helicon_server.domain.actors import Right
from helicon_server.domain.model import AuditEntry, Token
from helicon_server.services import audit_log, people
from helicon_server.services import sign_in as sign_in_service

from .endpoint import Call, Endpoint, In, Out, PageQuery, Reply, UserName
from .paging import cursor_of, id_of


class SignIn(In):
    """Who wants to sign in."""

    user: UserName
    password: str = Field(max_length=256)


class NewToken(In):
    """A token to be created."""

    name: str
    rights: set[Right] = Field(strict=False)
    lifetime_days: int | None = Field(None, ge=1, le=3650, description="Lives until revoked when left out.")


class TokenOut(Out):
    """A management token without its secret."""

    name: str
    prefix: str
    rights: list[Right]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenOut(Out):
    """A new token and its secret, which cannot be read again."""

    token: TokenOut
    secret: str


class TokenList(Out):
    """Tokens, revoked ones included."""

    items: list[TokenOut]


class AuditOut(Out):
    """Who did what to what, from where."""

    id: int
    at: datetime
    actor: str
    action: str
    environment: str
    app: str
    cluster: str
    namespace: str
    detail: dict[str, object]
    request_id: str
    peer: str


class AuditPage(Out):
    """Audit entries, newest first."""

    items: list[AuditOut]
    next_cursor: str | None


async def sign_in(call: Call[SignIn]) -> Reply:
    token, secret = await sign_in_service.sign_in(
        call.storage.control, call.throttle, call.caller, call.input.user, call.input.password
    )
    return Reply(NewTokenOut(token=_token(token), secret=secret))


async def create_token(call: Call[NewToken]) -> Reply:
    days = call.input.lifetime_days
    expires_at = call.caller.now + timedelta(days=days) if days is not None else None
    new = people.NewToken(call.input.name, frozenset(call.input.rights), expires_at)
    async with call.storage.control.write() as tx:
        token, secret = await people.create_token(tx, call.caller, new)
    return Reply(NewTokenOut(token=_token(token), secret=secret))


async def list_tokens(call: Call[None]) -> Reply:
    async with call.storage.control.read() as tx:
        found = await people.list_tokens(tx, call.caller)
    return Reply(TokenList(items=[_token(token) for token in found]))


async def revoke_token(call: Call[None]) -> Reply:
    async with call.storage.control.write() as tx:
        await people.revoke_token(tx, call.caller, call.path["name"])
    return Reply()


async def list_control_audit(call: Call[PageQuery]) -> Reply:
    page = call.input
    async with call.storage.control.read() as tx:
        found = await audit_log.entries(tx, call.caller, before_id=id_of(page.cursor), limit=page.limit + 1)
    return _page(found, page.limit)


async def list_environment_audit(call: Call[PageQuery]) -> Reply:
    page = call.input
    async with call.config.read() as tx:
        found = await audit_log.entries_of_environment(
            tx, call.caller, call.environment, before_id=id_of(page.cursor), limit=page.limit + 1
        )
    return _page(found, page.limit)


def _page(found: Sequence[AuditEntry], limit: int) -> Reply:
    shown = found[:limit]
    next_cursor = cursor_of(shown[-1].id) if len(found) > limit else None
    return Reply(AuditPage(items=[_entry(entry) for entry in shown], next_cursor=next_cursor))


def _entry(entry: AuditEntry) -> AuditOut:
    return AuditOut(
        id=entry.id,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        environment=entry.environment,
        app=entry.app,
        cluster=entry.cluster,
        namespace=entry.namespace,
        detail=dict(entry.detail),
        request_id=entry.request_id,
        peer=entry.peer,
    )


def _token(token: Token) -> TokenOut:
    return TokenOut(
        name=token.name,
        prefix=token.prefix,
        rights=sorted(token.rights),
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/sign-in",
        sign_in,
        "Exchange a password for a token of some hours",
        None,
        SignIn,
        NewTokenOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS),
    ),
    Endpoint("GET", "/tokens", list_tokens, "List tokens", Right.MANAGE, None, TokenList),
    Endpoint(
        "POST",
        "/tokens",
        create_token,
        "Create a token",
        Right.MANAGE,
        NewToken,
        NewTokenOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.CONFLICT,),
    ),
    Endpoint(
        "DELETE",
        "/tokens/{name}",
        revoke_token,
        "Revoke a token",
        Right.MANAGE,
        None,
        None,
        HTTPStatus.NO_CONTENT,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        "/audit",
        list_control_audit,
        "Audit of apps, people and tokens, newest first",
        Right.MANAGE,
        PageQuery,
        AuditPage,
    ),
    Endpoint(
        "GET",
        "/environments/{environment}/audit",
        list_environment_audit,
        "Audit of an environment, newest first",
        Right.MANAGE,
        PageQuery,
        AuditPage,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
)
