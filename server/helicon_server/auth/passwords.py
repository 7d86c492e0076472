"""Passwords: argon2id through argon2-cffi, one slow computation at a time per worker."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from helicon_server.domain.errors import InvalidInput, TooManyRequests

MINIMUM_LENGTH = 12  # characters
MAXIMUM_LENGTH = 256

_hasher = PasswordHasher()  # RFC 9106's low-memory profile: 64 MiB, 3 passes
_one_at_a_time = asyncio.Semaphore(1)  # bounds memory and CPU however many sign in at once
_MOST_WAITING = 32
_waiting = 0
_nobody = ""  # a hash to verify against when the user is unknown, so that the answer takes as long


def new_password() -> str:
    """A random password of 144 bits, for the first administrator."""
    return secrets.token_urlsafe(18)


def check_strength(password: str) -> None:
    """Raises InvalidInput when a password is too short or too long to be stored."""
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise InvalidInput(
            f"The password must have {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters.", code="password_length"
        )


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its parameters and salt."""
    return _hasher.hash(password)


async def verify_password(stored_hash: str | None, password: str) -> bool:
    """Tells whether ``password`` belongs to ``stored_hash``; takes as long when there is none. Runs in a thread.

    Raises TooManyRequests when too many wait already.
    """
    global _waiting
    if _waiting >= _MOST_WAITING:
        raise TooManyRequests("Too many people sign in at this moment.", details={"retry_after_s": 2})
    _waiting += 1
    try:
        async with _one_at_a_time:
            return await asyncio.to_thread(_verify, stored_hash, password)
    finally:
        _waiting -= 1


def _verify(stored_hash: str | None, password: str) -> bool:
    global _nobody  # computed once, at first need, because it costs as much as a sign-in
    if stored_hash is None and not _nobody:
        _nobody = _hasher.hash(new_password())
    try:
        _hasher.verify(stored_hash or _nobody, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):  # half a surrogate pair is in no password
        return False
    return stored_hash is not None
