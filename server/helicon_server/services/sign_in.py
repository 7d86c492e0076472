"""Sign-in with a password. Opens its own transactions: checking a password is slow on purpose and holds none up."""

from __future__ import annotations

import secrets
from datetime import timedelta

from helicon_server.auth import passwords, tokens
from helicon_server.auth.throttle import Throttle
from helicon_server.domain.actors import Actor
from helicon_server.domain.errors import HeliconError, Unauthenticated
from helicon_server.domain.model import Token
from helicon_server.storage.contract import ControlDatabase

from .context import Caller, audit
from .people import new_token

LIFETIME = timedelta(hours=12)
FREE_FAILURES_OF_A_PEER = 50  # many people may share an address; one person at one address has fewer


async def sign_in(
    control: ControlDatabase, throttle: Throttle, caller: Caller, name: str, password: str
) -> tuple[Token, str]:
    """Gives a person a token for some hours and returns it with its secret.

    Raises Unauthenticated ``sign_in_failed``, which does not tell whether the user exists, and TooManyRequests.
    """
    peer = caller.origin.peer
    person = f"{peer} {name.casefold()}"
    throttle.check(person)
    throttle.check(peer, free=FREE_FAILURES_OF_A_PEER)
    # A try counts as failed until it succeeds, so that a thousand at once are not a thousand free ones.
    throttle.failed(person)
    throttle.failed(peer)
    try:
        async with control.read() as reading:
            user = await reading.users.get(name)
        good = await passwords.verify_password(user.password_hash if user else None, password)
    except HeliconError:  # no try at all: the database is away, or too many wait
        throttle.forgive(person)
        throttle.forgive(peer)
        raise
    if user is None or not good:
        raise Unauthenticated("User or password is wrong.", code="sign_in_failed")
    throttle.succeeded(person)
    throttle.forgive(peer)  # only its own try, lest a guesser who has an account wipes the slate with it
    secret = tokens.new_secret()
    person_caller = Caller(Actor(f"user:{user.name}", user.rights), caller.origin, caller.limits, caller.now)
    token = new_token(person_caller, f"{user.name}@{secrets.token_hex(4)}", secret, user.rights, caller.now + LIFETIME)
    async with control.write() as tx:
        stored = await tx.tokens.insert(token)
        await audit(tx.audit, person_caller, "user.sign_in", detail={"token": stored.name})
    return stored, secret
