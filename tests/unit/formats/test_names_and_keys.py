"""Formats of namespace names, and the rule for item keys."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helicon_server.domain.formats import MAX_KEY_LENGTH, Format, check_key, fold_key


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("application", Format.PROPERTIES),
        ("application.properties", Format.PROPERTIES),
        ("routes.json", Format.JSON),
        ("routes.JSON", Format.JSON),
        ("a.b.yaml", Format.YAML),
        ("a.yml", Format.YML),
        ("log4j2.xml", Format.XML),
        ("notes.txt", Format.TXT),
        ("team.redis", Format.PROPERTIES),
        ("json", Format.PROPERTIES),
        ("a.json.", Format.PROPERTIES),
    ],
)
def test_format__of_a_namespace_name__follows_its_suffix(name: str, expected: Format) -> None:
    assert Format.of_namespace(name) is expected


def test_format__suffix__is_what_the_name_ends_in() -> None:
    assert [format_.suffix for format_ in Format] == ["", ".json", ".yaml", ".yml", ".xml", ".txt"]
    for format_ in Format:
        assert Format.of_namespace("application" + format_.suffix) is format_


@pytest.mark.parametrize(
    "key", ["a", "spring.datasource.url", "a b", "网关.地址", "é", "😀", "k" * MAX_KEY_LENGTH, "a/b"]
)
def test_check_key__good_key__has_no_problem(key: str) -> None:
    assert check_key(key) is None


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("", "empty"),
        ("k" * (MAX_KEY_LENGTH + 1), "129 characters"),
        (" a", "white space"),
        ("a ", "white space"),
        ("中\u3000", "white space"),
        ("a\tb", "U+0009"),
        ("a\0", "U+0000"),
        ("a\u200bb", "U+200B"),
        ("\u202ea", "U+202E"),
        ("\ufeffa", "U+FEFF"),
        ("a\u2028b", "U+2028"),
        ("a\u2029b", "U+2029"),
        ("a\ud800", "U+D800"),
        ("e\u0301", "composed"),
    ],
)
def test_check_key__bad_key__says_what_to_do(key: str, part: str) -> None:
    assert part in (check_key(key) or "")


@given(st.text(st.characters()))
def test_check_key__any_text__accepts_only_what_the_rule_allows(key: str) -> None:
    """The rule once more, written the slow way."""
    allowed = (
        1 <= len(key) <= 128
        and key == key.strip()
        and not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in key)
        and unicodedata.normalize("NFC", key) == key
    )
    assert (check_key(key) is None) == allowed


@given(st.text())
@example("\u03b1\u0345\u0301")  # composing after folding only would order these marks differently
def test_fold_key__any_key__is_stable(key: str) -> None:
    folded = fold_key(key)
    assert fold_key(folded) == folded
    assert fold_key(unicodedata.normalize("NFD", key)) == folded


def test_fold_key__letter_case__makes_no_difference() -> None:
    assert fold_key("Spring.URL") == fold_key("spring.url")
    assert fold_key("ÉCOLE") == fold_key("école")
    assert fold_key("a") != fold_key("b")
