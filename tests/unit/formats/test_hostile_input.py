"""Input made to exhaust a parser, and input made of noise. `check` answers; it never raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helicon_server.domain.formats import MAX_PROBLEMS, Format, check

XML_LAUGHS = "<!DOCTYPE l [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("format_", "text", "code"),
    [
        (Format.JSON, "[" * 100_000, "json_depth"),
        (Format.JSON, '{"a":' * 100_000, "json_depth"),
        (Format.YAML, "[" * 100_000, "yaml_depth"),
        (Format.YAML, "- " * 100_000, "yaml_depth"),
        (Format.YAML, "".join(f"{' ' * level}a:\n" for level in range(1000)), "yaml_depth"),
        (Format.YAML, "a: &a [x]\n" + "b: [" + "[*a]," * 100_001 + "]", "yaml_bomb"),
        (Format.XML, "<a>" * 100_000, "xml_depth"),
        (Format.XML, XML_LAUGHS + "]><l>&i;</l>", "xml_entity"),
        (Format.XML, "<!DOCTYPE a [<!ELEMENT a " + "(" * 100_000, "xml_syntax"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_check__bomb__is_refused_without_exploding(format_: Format, text: str, code: str) -> None:
    assert [problem.code for problem in check(format_, text)] == [code]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("format_", "text"),
    [
        (Format.JSON, '"' + "\\n" * 200_000),
        (Format.JSON, "1" * 200_000 + "x"),
        (Format.JSON, "[" + " " * 200_000),
        (Format.YAML, "a: '" + "x\n" * 100_000),
        (Format.YAML, "[" * 99 + "a," * 20_000),
        (Format.PROPERTIES, "a\\\n" * 100_000),
        (Format.PROPERTIES, "\\" * 200_001),
        (Format.XML, "<a " + "b" * 200_000),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_check__long_broken_text__is_judged_in_linear_time(format_: Format, text: str) -> None:
    """Twice the text may cost twice the time; a square would run into the time limit."""
    assert check(format_, text)


ANYTHING = st.text(st.characters(), max_size=60)  # halves of surrogate pairs and control characters included
PIECES = ["{", "}", "[", "]", ":", ",", '"', "'", "a", "1", "-", " ", "\n", "\r\n", "\t", "&a", "*a", "<<", "? ", "- "]
PIECES += [
    "!!str",
    "|",
    ">",
    "#",
    "%",
    "<a>",
    "</a>",
    "<!--",
    "&lt;",
    "<!DOCTYPE a [",
    "]>",
    "=",
    "\\",
    "\\u",
    "😀",
    "中",
]
PIECES += ["---\n", "...\n", "\ufeff", "\u2028", "<<: ", "a: ", "b: ", "\ufffe", "true", "null", "\\ud83d"]
STRUCTURED = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(st.sampled_from(Format), st.one_of(ANYTHING, STRUCTURED))
def test_check__noise__answers_with_places_inside_the_text(format_: Format, text: str) -> None:
    problems = check(format_, text)
    assert len(problems) <= MAX_PROBLEMS
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.message.encode("utf-8")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
# YAML 1.1 as PyYAML reads it: no control characters, and no line ends of its own in plain JSON strings.
TAME = st.text(st.characters(categories=["L", "N", "P", "S"], max_codepoint=0xFFFD))


@given(JSON_VALUES, st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_json__whatever_json_dumps_writes__is_sound(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if any("\x7f" <= character <= "\x9f" for character in text):
        return  # refused in every format, also where JSON would allow it
    assert check(Format.JSON, text) == []


@given(st.text(st.sampled_from('[]{},:"0123456789.eE+-truefalsn \\\n'), max_size=30))
def test_json__small_texts__are_judged_as_the_standard_library_does(text: str) -> None:
    """Apart from NaN and Infinity, which cannot be spelled here, and duplicate keys."""
    try:
        json.loads(text)
        sound = True
    except ValueError:
        sound = False
    codes = {problem.code for problem in check(Format.JSON, text)}
    assert ("json_syntax" not in codes) == (sound or not text.strip(" \n"))


@given(st.dictionaries(TAME, TAME))
def test_yaml__flow_mapping_with_quoted_strings__is_sound(value: dict[str, str]) -> None:
    assert check(Format.YAML, "a: " + json.dumps(value, ensure_ascii=False)) == []
