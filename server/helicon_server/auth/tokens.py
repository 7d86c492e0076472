"""Management tokens: random secrets of which only a hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from helicon_server.domain.actors import Actor
from helicon_server.domain.errors import Unauthenticated
from helicon_server.domain.model import Token

PREFIX = "hlc_"
_SHOWN = len(PREFIX) + 4  # characters kept in clear, to recognise a token in a list


def new_secret() -> str:
    """A fresh token: ``hlc_`` and 256 random bits in URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(32)


def shown_prefix(secret: str) -> str:
    """The part of a token that may be shown. A secret chosen by the operator shows nothing but its length's worth."""
    return secret[:_SHOWN] if secret.startswith(PREFIX) else ""


def sha256_of(secret: str) -> str:
    """Hex SHA-256 of a token. Tokens are random, so a plain hash is enough; look-ups by hash leak no timing of the
    secret itself."""
    return hashlib.sha256(secret.encode()).hexdigest()


def actor_of(token: Token | None, *, now: datetime) -> Actor:
    """The actor behind a stored token; raises Unauthenticated when there is none, or it is revoked or expired."""
    if token is None or token.revoked_at is not None:
        raise Unauthenticated("The token is unknown or revoked.", code="token_invalid")
    if token.expires_at is not None and token.expires_at <= now:
        raise Unauthenticated("The token has expired.", code="token_expired")
    return Actor(f"token:{token.name}", token.rights)
