"""Passwords: argon2id, bounded, and silent about who exists."""

from __future__ import annotations

import asyncio
import time

import pytest

from helicon_server.auth import passwords
from helicon_server.domain.errors import InvalidInput

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def stored() -> str:
    """The hash of PASSWORD."""
    return passwords.hash_password(PASSWORD)


async def test_verify__right_and_wrong__are_told_apart(stored: str) -> None:
    """Case and blanks count."""
    assert await passwords.verify_password(stored, PASSWORD)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), stored):
        assert not await passwords.verify_password(stored, wrong)


async def test_verify__unknown_user__is_wrong_after_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever measures the answer learns nothing about the user: a hash is verified either way."""
    verified: list[str] = []
    real = passwords._verify

    def counted(stored_hash: str | None, password: str) -> bool:
        verified.append(password)
        return real(stored_hash, password)

    monkeypatch.setattr(passwords, "_verify", counted)
    assert not await passwords.verify_password(None, PASSWORD)
    assert verified == [PASSWORD]
    assert passwords._nobody.startswith("$argon2id$")


async def test_verify__damaged_hash__is_wrong_not_an_error() -> None:
    """A row that somebody edited by hand lets nobody in and breaks nothing."""
    assert not await passwords.verify_password("no hash", PASSWORD)


async def test_verify__text_that_no_encoding_carries__is_wrong_not_an_error(stored: str) -> None:
    """Half a surrogate pair can be no part of any password."""
    assert not await passwords.verify_password(stored, "\ud800" * 12)


async def test_verify__many_at_once__one_computation_at_a_time(monkeypatch: pytest.MonkeyPatch, stored: str) -> None:
    """64 MiB each: a crowd of guesses must not become a crowd of allocations."""
    running = most = 0

    def slow(_: str | None, __: str) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.005)  # long enough for the others to come in, were they let
        running -= 1
        return True

    monkeypatch.setattr(passwords, "_verify", slow)
    await asyncio.gather(*(passwords.verify_password(stored, PASSWORD) for _ in range(20)))
    assert most == 1


def test_hash__same_password__differs_by_salt_and_is_argon2id(stored: str) -> None:
    """Equal passwords of two users do not look equal."""
    again = passwords.hash_password(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert stored != again
    assert PASSWORD not in stored


@pytest.mark.parametrize("length", [0, 11, 257])
def test_check_strength__too_short_or_too_long__is_refused_without_the_password(length: int) -> None:
    """The upper bound keeps a request from buying unbounded work."""
    with pytest.raises(InvalidInput) as refused:
        passwords.check_strength("p" * length)
    assert refused.value.code == "password_length"
    assert "pp" not in refused.value.message


@pytest.mark.parametrize("password", ["p" * 12, "p" * 256, "密" * 12])
def test_check_strength__within_the_bounds__passes(password: str) -> None:
    """Characters count, of any script."""
    passwords.check_strength(password)


def test_new_password__is_strong_and_never_the_same() -> None:
    """What a first start prints passes our own rule."""
    made = {passwords.new_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        passwords.check_strength(password)
