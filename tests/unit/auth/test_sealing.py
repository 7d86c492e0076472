"""Sealed secrets: readable with the master key that sealed them, in their own place, and in no other way."""

from __future__ import annotations

import base64
import traceback

import pytest

from helicon_server.auth import master_key
from helicon_server.auth.master_key import MasterKey
from helicon_server.auth.sealing import Place, Sealer, key_id_of, place_of_access_key
from helicon_server.domain.access_key import SecretUnreadable

SECRET = "9f2c4e6a8b0d4c1e9a7b5d3f1e2c4a6b"
PLACE = place_of_access_key("PRO", "shop", "u1")


def key_of(seed: bytes) -> MasterKey:
    return master_key.parse(base64.b64encode(seed).decode())


KEY = key_of(bytes(range(32)))
SEALER = Sealer(KEY)


def refused(sealed: str, place: Place = PLACE, sealer: Sealer = SEALER) -> SecretUnreadable:
    with pytest.raises(SecretUnreadable) as error:
        sealer.open(sealed, place)
    return error.value


@pytest.mark.parametrize("secret", [SECRET, "x", "", "s e c r e t ✓", "y" * 128])
def test_seal__opened_in_its_place__gives_the_secret(secret: str) -> None:
    sealed = SEALER.seal(secret, PLACE)
    assert Sealer(key_of(bytes(range(32)))).open(sealed, PLACE) == secret


def test_open__text_of_an_earlier_version__gives_the_secret() -> None:
    """Stored texts outlive the program that wrote them; this one is of the first version."""
    sealed = (
        "s1.25dff6837ff2f7e3.7iiqz_ctcvg6VUjM7AR_em3GExCxpPtW75gVGcv59UtpMWbzvBGHfpgHGHQ2SQzccdxucLIg95XMIsFE."
        "wRha4acxUkmo2CiG9LrzZlO7XNIaPnh5sTzgRLqoajk1aapbhTV0ADBrQFZHyg27CvWdFahpgzxP9l3c"
    )
    assert SEALER.open(sealed, PLACE) == SECRET


def test_seal__twice__has_nothing_in_common_but_version_and_key() -> None:
    """Fresh data keys and nonces: equal secrets cannot be told from their sealed texts."""
    one, other = (SEALER.seal(SECRET, PLACE).split(".") for _ in range(2))
    assert one[:2] == other[:2] == ["s1", KEY.id]
    assert one[2] != other[2]
    assert one[3] != other[3]
    assert SECRET not in ".".join(one)


@pytest.mark.parametrize(
    "place",
    [
        place_of_access_key("DEV", "shop", "u1"),
        place_of_access_key("PRO", "shop2", "u1"),
        place_of_access_key("PRO", "shop", "u2"),
        place_of_access_key("PRO", "sho", "pu1"),
        ("token", "PRO", "shop", "u1"),
        ("access-key", "PRO", "shop"),
        (),
    ],
)
def test_open__in_another_place__is_refused(place: Place) -> None:
    """Whoever can write to the database cannot give one app the secret of another."""
    refused(SEALER.seal(SECRET, PLACE), place)


def test_open__halves_of_two_records__are_refused() -> None:
    """A data key opens its own secret only, and its wrapping is bound to the place as well."""
    here, there = SEALER.seal(SECRET, PLACE), SEALER.seal(SECRET, place_of_access_key("PRO", "shop", "u2"))
    again = SEALER.seal(SECRET, PLACE)
    for wrapped, secret in ((there, here), (here, there), (again, here)):
        refused(".".join([*wrapped.split(".")[:3], secret.split(".")[3]]))


def test_open__with_another_master_key__is_refused() -> None:
    """Also when somebody writes the other key's id into the text."""
    other = key_of(bytes(range(1, 33)))
    sealed = SEALER.seal(SECRET, PLACE)
    refused(sealed, sealer=Sealer(other))
    refused(sealed.replace(KEY.id, other.id), sealer=Sealer(other))


def test_open__any_character_changed__is_refused() -> None:
    sealed = SEALER.seal(SECRET, PLACE)
    for index, character in enumerate(sealed):
        for changed in {"A", "B", "-", "é", "\0", ""} - {character}:
            refused(sealed[:index] + changed + sealed[index + 1 :])


def test_open__truncated_or_extended__is_refused() -> None:
    sealed = SEALER.seal(SECRET, PLACE)
    for end in range(len(sealed)):
        refused(sealed[:end])
    for more in ("=", "A", ".", ".A", "\n", " "):
        refused(sealed + more)


@pytest.mark.parametrize(
    "sealed", ["", "...", "s1", f"s1.{KEY.id}..", f"s1.{KEY.id}.AA.AA", f"s2.{KEY.id}.AA.AA", SECRET]
)
def test_open__no_sealed_text__is_refused(sealed: str) -> None:
    """A secret that stands in the database in clear is no secret of ours."""
    refused(sealed)


def test_open__refused__tells_nothing() -> None:
    """One error, no text, no cause: nothing for a log to show, and no oracle."""
    sealed = SEALER.seal(SECRET, PLACE)
    for broken in (sealed[:-1], sealed.replace("s1", "s2"), SEALER.seal(SECRET, ()), SECRET):
        error = refused(broken)
        shown = "".join(traceback.format_exception(error))
        assert (error.args, error.__cause__, error.__context__) == ((), None, None)
        assert broken not in shown
        assert SECRET not in shown


def test_key_id__of_a_sealed_text__is_the_master_keys() -> None:
    """So that a start with a wrong key is noticed without opening anything."""
    assert key_id_of(SEALER.seal(SECRET, PLACE)) == KEY.id
    for text in ("", SECRET, f"s2.{KEY.id}.a.b", "s1"):
        assert key_id_of(text) == ""
