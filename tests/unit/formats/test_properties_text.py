"""`helicon.protocol.properties`: reading without loss, writing entries, writing whole files."""

from __future__ import annotations

import javaproperties
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helicon.protocol.properties import Line, PropertiesError, entry, parse, render

# Text that is rich in what the format gives a meaning to.
PIECES = ["\\", "\n", "\r", "\r\n", " ", "\t", "\f", "=", ":", "#", "!", "a", "key", "中", "😀", "\\u4e2d", "\\n", "u"]
PROPERTIES_TEXT = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
# What javaproperties and Java write alike: control characters differ (it escapes them, Java does not).
WRITABLE = st.text(st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("\t\n\r\f")), max_size=40)


def entries(text: str) -> list[tuple[str, str]]:
    return [(line.key, line.value) for line in parse(text) if line.key is not None]


@given(st.one_of(PROPERTIES_TEXT, STORABLE))
@example("a=1\\\r\n  2\r\r\n# c\\\n\\\nb")
def test_parse__any_text__raw_parts_joined_are_the_text(text: str) -> None:
    """Comments, blanks, terminators and continuation lines all survive; numbers are those of the first line."""
    try:
        lines = parse(text)
    except PropertiesError:
        return
    assert "".join(line.raw for line in lines) == text
    before = ""
    for line in lines:
        assert line.number == 1 + before.replace("\r\n", "\n").replace("\r", "\n").count("\n")
        before += line.raw


@given(STORABLE, STORABLE)
@example("", "")
@example("#a", " b")
@example("a b", "\t")
@example("a\\", "\\")
@example("\ufeffa", "\u2028")
def test_entry__any_key_and_value__parses_back_as_one_line(key: str, value: str) -> None:
    line = entry(key, value)
    assert "\n" not in line
    assert "\r" not in line
    assert parse(line) == [Line(1, line, key, value)]


@given(st.dictionaries(STORABLE, STORABLE, max_size=8))
def test_render__any_mapping__parses_back(configurations: dict[str, str]) -> None:
    assert dict(entries(render(configurations))) == configurations


@given(st.dictionaries(WRITABLE, WRITABLE, max_size=8))
def test_render__any_mapping__is_what_javaproperties_writes(configurations: dict[str, str]) -> None:
    assert render(configurations) == javaproperties.dumps(configurations, timestamp=False, ensure_ascii=False)


@given(PROPERTIES_TEXT)
def test_parse__any_text__agrees_with_javaproperties(text: str) -> None:
    """Apart from a line that is a backslash only, where javaproperties differs from Java (see the next test)."""
    natural = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if any(line.strip(" \t\f") == "\\" for line in natural):
        return
    try:
        ours = entries(text)
    except PropertiesError:
        with pytest.raises(javaproperties.InvalidUEscapeError):
            javaproperties.loads(text)
        return
    assert ours == javaproperties.loads(text, object_pairs_hook=list)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\\n#x", []),  # the next line starts afresh and is a comment
        ("\\\na=1", [("a", "1")]),
        ("\\", [("", "")]),
        ("\\\n", [("", "")]),
        ("\\\r\n", []),
        ("a=1\\\n#b", [("a", "1#b")]),
        ("a=1\\\n\nb=2", [("a", "1"), ("b", "2")]),
    ],
)
def test_parse__line_of_one_backslash__reads_as_java_does(text: str, expected: list[tuple[str, str]]) -> None:
    """Expected values were observed with java.util.Properties.load(Reader) of Java 17."""
    assert entries(text) == expected


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("a=b", "a", "b"),
        ("a : b ", "a", "b "),
        ("  a\t=\f b", "a", "b"),
        ("a b=c", "a", "b=c"),
        ("a==b", "a", "=b"),
        ("a", "a", ""),
        ("a\\ b\\=c\\:d=e", "a b=c:d", "e"),
        ("a=\\u4E2d\\ud83d\\uDE00", "a", "中😀"),
        ("a=\\q\\t\\n\\r\\f\\\\", "a", "q\t\n\r\f\\"),
        ("a=b\\\n   c\\\r\n\td", "a", "bcd"),
        ("a=b\\\\", "a", "b\\"),
        ("网关.地址=http://h:1/", "网关.地址", "http://h:1/"),
    ],
)
def test_parse__one_entry__has_key_and_value(text: str, key: str, value: str) -> None:
    assert entries(text) == [(key, value)]


def test_parse__comments_and_blank_lines__have_no_key() -> None:
    assert parse("# 注释\n\n  ! x\\\n \t\na=1") == [
        Line(1, "# 注释\n", None, ""),
        Line(2, "\n", None, ""),
        Line(3, "  ! x\\\n", None, ""),
        Line(4, " \t\n", None, ""),
        Line(5, "a=1", "a", "1"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a=C:\\users", 1, 5),
        ("a=1\n  中b😀 = \\u12", 2, 9),
        ("a=1\r\nb=x\\\r\n   y\\\r\n z\\u00g0", 4, 3),
        ("a=\\ud83d", 1, 3),
        ("a=\\ud83dx", 1, 3),
        ("a=\\uDE00", 1, 3),
        ("a=\\ud83d\\ud83d\\ude00", 1, 3),
        ("\n\\ud83d=\\ude00", 2, 1),
        ("a=\\u0000", 1, 3),
        ("a=1\\\n \0", 2, 2),
        ("a=\ud800", 1, 3),
    ],
)
def test_parse__malformed_or_unstorable__names_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(PropertiesError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_parse__nul_in_a_comment__is_kept() -> None:
    """Only what a client would receive is judged."""
    assert parse("#\0\ud800") == [Line(1, "#\0\ud800", None, "")]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("spring.url", "jdbc:mysql://h:3306/x?a=b", "spring.url=jdbc:mysql://h:3306/x?a=b"),
        ("说明", "你好 世界 😀", "说明=你好 世界 😀"),
        ("a b", "  x y ", "a\\ b=\\  x y "),
        ("#a#", "#b", "\\#a#=#b"),
        ("a", "1\n2\t\x01\u2028\\", "a=1\\n2\\t\\u0001\\u2028\\\\"),
    ],
)
def test_entry__ordinary_text__stays_readable(key: str, value: str, expected: str) -> None:
    assert entry(key, value) == expected


@pytest.mark.parametrize(("key", "value"), [("a\0", ""), ("a", "\0"), ("\ud800", ""), ("a", "\udfff")])
def test_entry__unstorable_character__is_refused(key: str, value: str) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        entry(key, value)


def test_render__escapes__are_those_of_the_protocol() -> None:
    """Apollo client protocol, section 6.1, with its example."""
    configurations = {
        "db.url": "jdbc:x://h:1/a?b=1",
        "a b=:#!\\\t\n\r\f\x01中": "  a =:#!\\\t\n\r\f\x01中 ",
    }
    assert render(configurations) == (
        "db.url=jdbc\\:x\\://h\\:1/a?b\\=1\n"
        "a\\ b\\=\\:\\#\\!\\\\\\t\\n\\r\\f\x01中=\\  a \\=\\:\\#\\!\\\\\\t\\n\\r\\f\x01中 \n"
    )
    assert render({}) == ""
