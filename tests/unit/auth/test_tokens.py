"""Management tokens: only hashes are kept, and only live ones are anybody."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from helicon_server.auth import tokens
from helicon_server.domain.actors import Actor, Right
from helicon_server.domain.errors import Unauthenticated
from helicon_server.domain.model import Token

NOW = datetime(2025, 1, 1, tzinfo=UTC)
LIVE = Token(1, "ci", "hlc_abcd", "0" * 64, frozenset({Right.EDIT}), NOW, "user:admin", None, None)


def test_new_secret__is_long_and_never_the_same() -> None:
    """256 bits; the prefix lets secret scanners find a leaked one."""
    secrets = {tokens.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(secret.startswith("hlc_") and len(secret) == 47 for secret in secrets)


def test_shown_prefix__shows_four_characters_of_ours_and_nothing_of_others() -> None:
    """A token that the operator chose may be short, so nothing of it is shown."""
    assert tokens.shown_prefix("hlc_abcdefghijkl") == "hlc_abcd"
    assert tokens.shown_prefix("operator-chosen") == ""


def test_sha256_of__is_the_plain_hash() -> None:
    """What the database holds can be computed by anybody who has the token, and not the other way round."""
    assert tokens.sha256_of("hlc_x") == hashlib.sha256(b"hlc_x").hexdigest()


def test_actor_of__live_token__has_its_name_and_rights() -> None:
    """Nothing beyond what was granted."""
    assert tokens.actor_of(LIVE, now=NOW) == Actor("token:ci", frozenset({Right.EDIT}))


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "token_invalid"),
        (replace(LIVE, revoked_at=NOW - timedelta(days=1)), "token_invalid"),
        (replace(LIVE, expires_at=NOW), "token_expired"),
        (replace(LIVE, expires_at=NOW - timedelta(seconds=1)), "token_expired"),
        (replace(LIVE, expires_at=NOW - timedelta(days=1), revoked_at=NOW), "token_invalid"),
    ],
)
def test_actor_of__unknown_revoked_or_expired__is_nobody(token: Token | None, code: str) -> None:
    """A token is dead from the moment it expires; unknown and revoked look alike."""
    with pytest.raises(Unauthenticated) as refused:
        tokens.actor_of(token, now=NOW)
    assert refused.value.code == code


def test_actor_of__not_yet_expired__is_accepted() -> None:
    """To the last moment."""
    assert tokens.actor_of(replace(LIVE, expires_at=NOW + timedelta(microseconds=1)), now=NOW).name == "token:ci"
