"""What a branch changes of its namespace, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from helicon_server.domain.errors import HeliconError
from helicon_server.domain.formats import Format
from helicon_server.domain.overlay import check_overlay, laid_over

BASE = {"b": "1", "a": "2", "Timeout": "3"}


@pytest.mark.parametrize(
    ("overlay", "removed", "expected"),
    [
        ({}, (), BASE),
        ({"a": "9"}, (), {"b": "1", "a": "9", "Timeout": "3"}),
        ({"z": "9", "c": "8"}, (), {**BASE, "z": "9", "c": "8"}),
        ({}, ("a", "absent"), {"b": "1", "Timeout": "3"}),
        ({"timeout": "9"}, (), {"b": "1", "a": "2", "timeout": "9"}),
        ({}, ("TIMEOUT",), {"b": "1", "a": "2"}),
        ({"x": ""}, ("b", "a", "Timeout"), {"x": ""}),
    ],
)
def test_laid_over__keeps_the_order_of_the_base_and_changes_what_it_names(
    overlay: Mapping[str, str], removed: Sequence[str], expected: Mapping[str, str]
) -> None:
    assert list(laid_over(BASE, overlay, removed).items()) == list(expected.items())


def test_laid_over__changes_neither_side() -> None:
    base, overlay = dict(BASE), {"a": "9"}
    laid_over(base, overlay, ["b"])
    assert (base, overlay) == (BASE, {"a": "9"})


@pytest.mark.parametrize(
    ("format_", "overlay", "removed", "code"),
    [
        (Format.PROPERTIES, {"": "1"}, (), "invalid_key"),
        (Format.PROPERTIES, {"a": "\0"}, (), "control_character"),
        (Format.PROPERTIES, {"a": "12345678901"}, (), "value_too_long"),
        (Format.PROPERTIES, {"a": "1", "A": "2"}, (), "duplicate_key_case"),
        (Format.PROPERTIES, {"a": "1"}, ("A",), "key_set_and_removed"),
        (Format.PROPERTIES, {}, (" a",), "invalid_key"),
        (Format.PROPERTIES, {}, [f"k{n}" for n in range(20_001)], "too_many_lines"),
        (Format.JSON, {"content": "{"}, (), "json_syntax"),
        (Format.JSON, {"content": "[1,2,3,4,5,6]"}, (), "value_too_long"),
        (Format.JSON, {"other": "{}"}, (), "invalid_key"),
        (Format.JSON, {}, ("content",), "document_removed"),
    ],
)
def test_check__changes_that_no_release_could_hold__are_refused(
    format_: Format, overlay: Mapping[str, str], removed: Sequence[str], code: str
) -> None:
    with pytest.raises(HeliconError) as refused:
        check_overlay(format_, overlay, removed, value_limit=10)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("format_", "overlay", "removed"),
    [
        (Format.PROPERTIES, {"a": "1", "键": ""}, ("b", "B")),
        (Format.JSON, {"content": "[1]"}, ()),
        (Format.TXT, {"content": ""}, ()),
        (Format.YAML, {}, ()),
    ],
)
def test_check__changes_that_a_draft_could_make__pass(
    format_: Format, overlay: Mapping[str, str], removed: Sequence[str]
) -> None:
    check_overlay(format_, overlay, removed, value_limit=10)
