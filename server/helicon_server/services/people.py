"""Users and management tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from helicon_server.auth import passwords, tokens
from helicon_server.domain.actors import ALL_RIGHTS, Right
from helicon_server.domain.errors import InvalidInput, NotFound
from helicon_server.domain.model import Token, User
from helicon_server.domain.names import parse_token_name, parse_user_name
from helicon_server.storage.contract import ControlRead, ControlWrite

from .context import Caller, audit


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token is to be called, may do, and how long it lives."""

    name: str
    rights: frozenset[Right]
    expires_at: datetime | None = None


async def create_token(
    tx: ControlWrite, caller: Caller, new: NewToken, *, secret: str | None = None
) -> tuple[Token, str]:
    """Creates a token and returns it with its secret, which nobody can read again.

    A caller may give only rights that it holds itself. Raises InvalidInput, and Conflict ``token_exists``.
    """
    caller.may(Right.MANAGE)
    if not new.rights:
        raise InvalidInput("A token needs at least one right.", code="no_rights")
    for right in new.rights:
        caller.may(right)
    if new.expires_at is not None and new.expires_at <= caller.now:
        raise InvalidInput("The token would be expired from the start.", code="expires_in_the_past")
    secret = secret or tokens.new_secret()
    token = await tx.tokens.insert(new_token(caller, parse_token_name(new.name), secret, new.rights, new.expires_at))
    detail: dict[str, object] = {"token": token.name, "rights": sorted(token.rights)}
    await audit(tx.audit, caller, "token.create", detail=detail)
    return token, secret


async def revoke_token(tx: ControlWrite, caller: Caller, name: str) -> None:
    """Ends a token at once. Raises NotFound ``token_not_found``."""
    caller.may(Right.MANAGE)
    if not await tx.tokens.revoke(name, at=caller.now):
        raise NotFound(f"There is no live token {name!r}.", code="token_not_found")
    await audit(tx.audit, caller, "token.revoke", detail={"token": name})


async def list_tokens(tx: ControlRead, caller: Caller) -> Sequence[Token]:
    """Lists all tokens, revoked ones included."""
    caller.may(Right.MANAGE)
    return await tx.tokens.list()


async def create_user(tx: ControlWrite, caller: Caller, name: str, password: str) -> User:
    """Creates a user with all rights. Raises InvalidInput, and Conflict ``user_exists``."""
    caller.may(Right.MANAGE)
    passwords.check_strength(password)
    user = User(parse_user_name(name), passwords.hash_password(password), ALL_RIGHTS, caller.now)
    await tx.users.insert(user)
    await audit(tx.audit, caller, "user.create", detail={"user": user.name})
    return user


async def set_password(tx: ControlWrite, caller: Caller, name: str, password: str) -> None:
    """Replaces a user's password. Raises InvalidInput, and NotFound ``user_not_found``."""
    caller.may(Right.MANAGE)
    passwords.check_strength(password)
    if not await tx.users.set_password(name, passwords.hash_password(password)):
        raise NotFound(f"There is no user {name!r}.", code="user_not_found")
    await audit(tx.audit, caller, "user.set_password", detail={"user": name})


async def list_users(tx: ControlRead, caller: Caller) -> Sequence[User]:
    """Lists all users."""
    caller.may(Right.MANAGE)
    return await tx.users.list()


def new_token(caller: Caller, name: str, secret: str, rights: frozenset[Right], expires_at: datetime | None) -> Token:
    """A token to be stored, of which only the hash of ``secret`` is kept."""
    return Token(
        id=0,
        name=name,
        prefix=tokens.shown_prefix(secret),
        sha256=tokens.sha256_of(secret),
        rights=rights,
        created_at=caller.now,
        created_by=caller.actor.name,
        expires_at=expires_at,
        revoked_at=None,
    )
