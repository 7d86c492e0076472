"""How a release is named and recognised."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from helicon_server.domain.release import content_sha256, content_size, new_release_key

CONTENTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5)


def test_release_key__is_utc_time_and_sixteen_hex_digits() -> None:
    """Protocol, section 2."""
    key = new_release_key(datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC))
    assert re.fullmatch(r"20250304050607-[0-9a-f]{16}", key)


def test_release_key__time_of_another_zone__is_told_in_utc() -> None:
    """Keys of one moment begin alike wherever they are made."""
    at = datetime(2025, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=8)))
    assert new_release_key(at).startswith("20250303210607-")


def test_release_key__same_moment__is_never_the_same() -> None:
    """Clients drop a copy whose key they hold already, so that a rollback needs a key of its own too."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    assert len({new_release_key(at) for _ in range(1000)}) == 1000


@given(CONTENTS, CONTENTS)
def test_content_sha256__is_equal_exactly_for_equal_contents(one: dict[str, str], other: dict[str, str]) -> None:
    """The order of the keys does not count."""
    assert (content_sha256(one) == content_sha256(other)) == (one == other)
    assert content_sha256(one) == content_sha256(dict(reversed(one.items())))


def test_content_sha256__is_that_of_the_canonical_json() -> None:
    """So that anybody can compute it: `printf '{"a":"中"}' | sha256sum`."""
    assert content_sha256({"a": "中"}) == "66ba6aa857b9d0ebb6c3b5f1a29d9c03afe6c03e1292be570c9632f3065c8331"


def test_content_size__counts_characters_of_keys_and_values() -> None:
    """Not bytes."""
    assert content_size({"ab": "中", "c": ""}) == 4
