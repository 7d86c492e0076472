"""Every code of the package: one text that earns it, at exactly one place."""

from __future__ import annotations

import re

import pytest

from helicon_server.domain import formats
from helicon_server.domain.formats import MAX_PROBLEMS, Format, SyntaxProblem, check

P, J, Y, X, T = Format.PROPERTIES, Format.JSON, Format.YAML, Format.XML, Format.TXT

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

CASES = [
    # The characters that no format may hold; tab and line ends are fine.
    (T, "a\tb\r\n\0", "control_character", 2, 1),
    (T, "a\rbc\0", "control_character", 2, 3),
    (P, "a=1\nb=\x1b[0m", "control_character", 2, 3),
    (J, '{"a":\n "\x7f"}', "control_character", 2, 3),
    (Y, "a: 中\x85", "control_character", 1, 5),
    (X, "<a>\x0c</a>", "control_character", 1, 4),
    (T, "😀\ud83d", "invalid_character", 1, 2),
    (J, '\ufeff{"a":1}', "byte_order_mark", 1, 1),
    (P, "\ufeffa=1", "byte_order_mark", 1, 1),
    # JSON
    (J, '{"a":1,}', "json_syntax", 1, 8),
    (J, '{"中":"😀",\r\n "b" 1}', "json_syntax", 2, 6),
    (J, '{"a":1', "json_syntax", 1, 1),
    (J, "[\n [1, 2\n", "json_syntax", 2, 2),
    (J, "[1 2]", "json_syntax", 1, 4),
    (J, "[1}", "json_syntax", 1, 3),
    (J, "[1:2]", "json_syntax", 1, 3),
    (J, "[,]", "json_syntax", 1, 2),
    (J, '{"a":}', "json_syntax", 1, 6),
    (J, "{a:1}", "json_syntax", 1, 2),
    (J, "{1:1}", "json_syntax", 1, 2),
    (J, "{'a':1}", "json_syntax", 1, 2),
    (J, '{"a":1} {"b":2}', "json_syntax", 1, 9),
    (J, "[NaN]", "json_syntax", 1, 2),
    (J, "[-Infinity]", "json_syntax", 1, 2),
    (J, "[True]", "json_syntax", 1, 2),
    (J, "[01]", "json_syntax", 1, 2),
    (J, "[1.]", "json_syntax", 1, 2),
    (J, "[+1]", "json_syntax", 1, 2),
    (J, "[١]", "json_syntax", 1, 2),
    (J, "[truex]", "json_syntax", 1, 2),
    (J, '{"a": 1 // why\n}', "json_syntax", 1, 9),
    (J, '["a\\qb"]', "json_syntax", 1, 4),
    (J, '["a\\u12g4"]', "json_syntax", 1, 4),
    (J, '["a\tb"]', "json_syntax", 1, 4),
    (J, '["x",\n "a\nb"]', "json_syntax", 2, 2),
    (J, '{"a":1，"b":2}', "json_syntax", 1, 7),
    (J, "\u00a0{}", "json_syntax", 1, 1),
    (J, '{"a":1,\n"\\u0061":2}', "json_duplicate_key", 2, 1),
    (J, '[{"😀":"中", "x":{"y":1,"y":2}}]', "json_duplicate_key", 1, 23),
    (J, "[" * 101, "json_depth", 1, 101),
    # YAML
    (Y, "a: b: c", "yaml_syntax", 1, 5),
    (Y, "中: 😀: c", "yaml_syntax", 1, 5),
    (Y, "a: |\n  中\n  😀\nb: 'x", "yaml_syntax", 4, 4),
    (Y, "a:\r\n\t- b", "yaml_syntax", 2, 1),
    (Y, "a: @x@", "yaml_syntax", 1, 4),
    (Y, "a: [1, 2", "yaml_syntax", 1, 4),
    (Y, "a: [1, 2\nb: 3\n", "yaml_syntax", 2, 2),
    (Y, "a: 1\nfoo\nb: 2\n", "yaml_syntax", 2, 1),
    (Y, 'a: "C:\\Users\\q"', "yaml_syntax", 1, 7),
    (Y, 'a: "\\q"', "yaml_syntax", 1, 5),
    (Y, 'a: "x\\ud800"', "yaml_syntax", 1, 6),
    (Y, "a: 'b' c", "yaml_syntax", 1, 8),
    (Y, "- a\nb: 1", "yaml_syntax", 2, 1),
    (Y, "{a: b}}", "yaml_syntax", 1, 7),
    (Y, "a: x\ufeff", "yaml_syntax", 1, 5),
    (Y, "a: |x\n x", "yaml_syntax", 1, 5),
    (Y, "a: 1\nb: {c: 1}\na: 2", "yaml_duplicate_key", 3, 1),
    (Y, "\ufeffa: {b: 1, b: 2}", "yaml_duplicate_key", 1, 12),
    (Y, "a: 1\n---\nb: 1\n'b': 2", "yaml_duplicate_key", 4, 1),
    (Y, "a: 'x\r\n\r\n  😀'\r\n中: \u2028\r\n中: 2", "yaml_duplicate_key", 5, 1),
    (Y, "- &k a\n- {a: 1, *k : 2}", "yaml_duplicate_key", 2, 10),
    (Y, "a: {{ b }}", "yaml_key", 1, 5),
    (Y, "? [a]\n: b", "yaml_key", 1, 3),
    (Y, "a: {<<: 1}", "yaml_merge", 1, 9),
    (Y, "a: {<<: [{}, b]}", "yaml_merge", 1, 14),
    (Y, "a:\n  - !!python/object/apply:os.system [x]", "yaml_tag", 2, 5),
    (Y, "a: !!binary aGk=", "yaml_tag", 1, 4),
    (Y, "a: !mine b", "yaml_tag", 1, 4),
    (Y, "a: !!map b", "yaml_tag", 1, 4),
    (Y, "a: *b", "yaml_alias", 1, 4),
    (Y, "a: &a 1\n---\nb: *a", "yaml_alias", 3, 4),
    (Y, "a: &a\n  b: [*a]", "yaml_alias", 2, 7),
    (Y, LAUGHS, "yaml_bomb", 5, 29),
    (Y, "a: &a {b: {c: [" + "x," * 1000 + "]}}\nb: [\n" + "*a,\n" * 200 + "]", "yaml_bomb", 102, 1),
    (Y, "[" * 101, "yaml_depth", 1, 101),
    (Y, "".join(" " * level + "- \n" for level in range(101)), "yaml_depth", 101, 101),
    # XML
    (X, "<a>\n <b>\n</a>", "xml_syntax", 3, 1),
    (X, "<a>\n <b>", "xml_syntax", 2, 2),
    (X, "<a b='1'\r\n b='2'/>", "xml_syntax", 2, 2),
    (X, "<a/><b/>", "xml_syntax", 1, 5),
    (X, "\n<?xml version='1.0'?><a/>", "xml_syntax", 2, 1),
    (X, "<中 文='😀'>😀 & </中>", "xml_syntax", 1, 12),
    (X, "<a><![CDATA[ x </a>", "xml_syntax", 1, 4),
    (X, "<!-- only -->", "xml_syntax", 1, 14),
    (X, "text", "xml_syntax", 1, 1),
    (X, "<a>\ufffe</a>", "xml_syntax", 1, 4),
    (X, "<!DOCTYPE a [\n <!ENTITY x 'y'>]><a>&x;</a>", "xml_entity", 2, 2),
    (X, "<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]><a/>", "xml_entity", 1, 14),
    (X, "<a>&nbsp;</a>", "xml_entity", 1, 4),
    (X, "<a x='&lt;😀&nbsp;'/>", "xml_entity", 1, 12),
    (X, "<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'><a>&x;</a>", "xml_entity", 1, 50),
    (X, "<a>" * 101, "xml_depth", 1, 301),
    # Properties
    (P, "a=1\r\nb=x\\\r\n  C:\\users", "properties_syntax", 3, 5),
    (P, "=1", "invalid_key", 1, 1),
    (P, "a=1\n  \\u200bb=1", "invalid_key", 2, 3),
    (P, "#中\n\n a=1\n\ta : 2", "duplicate_key", 4, 2),
    (P, "a=x\\\n y\nb=1\na=2", "duplicate_key", 4, 1),
    (P, "Größe=1\nGRÖSSE=2", "duplicate_key_case", 2, 1),
]


@pytest.mark.parametrize(("format_", "text", "code", "line", "column"), CASES)
def test_check__bad_text__is_found_where_it_is(format_: Format, text: str, code: str, line: int, column: int) -> None:
    first = check(format_, text)[0]
    assert (first.code, first.line, first.column) == (code, line, column)
    assert first.message.strip()


def test_codes__table_of_the_package__has_a_case_for_each() -> None:
    """The table in the docstring is the list of stable codes: none missing here, none undocumented."""
    documented = re.findall(r"^\| `(\w+)`", formats.__doc__ or "", re.MULTILINE)
    assert sorted(set(documented)) == sorted(documented)
    assert {case[2] for case in CASES} == set(documented)


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        (P, "s3cr3t=1\npassword=s3cr3t\\u00"),
        (P, "a=s3cr3t\nA=s3cr3t\na=s3cr3t"),
        (J, '{"a": s3cr3t}'),
        (J, '{"a": "s3cr3t\\q"}'),
        (J, '{"a": "s3cr3t"'),
        (J, '{"a": "s3cr3t", "a": "s3cr3t"}'),
        (J, '["s3cr3t" s3cr3t]'),
        (Y, "a: *s3cr3t"),
        (Y, "a: !s3cr3t x"),
        (Y, "a: !s3cr3t!s3cr3t x"),
        (Y, "a: @s3cr3t"),
        (Y, "a: s3cr3t: s3cr3t"),
        (Y, "a: 's3cr3t"),
        (Y, "a: [s3cr3t"),
        (Y, "a: s3cr3t\na: s3cr3t"),
        (Y, "a: |s3cr3t\n x"),
        (X, "<a>p<s3cr3t></a>"),
        (X, "<a>&s3cr3t;</a>"),
        (X, "<a>s3cr3t<</a>"),
        (X, "<a><s3cr3t>"),
    ],
)
def test_check__text_with_a_secret__message_does_not_repeat_it(format_: Format, text: str) -> None:
    problems = check(format_, text)
    assert problems
    assert "s3cr3t" not in " ".join(problem.message for problem in problems)


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        (T, "\0" * 1000),
        (P, "a=1\n" * 1000),
        (J, "{" + ",".join(['"a":1'] * 1000) + "}"),
        (Y, "a: 1\n" * 1000),
    ],
)
def test_check__very_many_problems__stops_at_the_bound(format_: Format, text: str) -> None:
    problems = check(format_, text)
    assert len(problems) == MAX_PROBLEMS
    assert problems == sorted(problems, key=lambda problem: (problem.line, problem.column))


def test_check__duplicates__name_the_line_of_the_first() -> None:
    """The person must be able to jump to the other one."""
    assert "line 2" in check(P, "\na=1\na=2")[0].message
    assert '"a" on line 1' in check(P, "a=1\nA=2")[0].message
    assert "line 2" in check(J, '{\n"a":1,\n"a":2}')[0].message
    assert "line 2" in check(Y, "b: 1\na: 1\na: 2")[0].message


def test_check__long_or_invisible_key__is_shortened_and_made_visible() -> None:
    long = "k" * 1000
    assert len(check(J, f'{{"{long}":1,"{long}":2}}')[0].message) < 200
    message = check(J, '{"\\ud800":1,"\\ud800":2}')[0].message
    assert message.encode("utf-8")
    assert "\\u{D800}" in message


def test_check__several_problems__are_all_reported_in_order() -> None:
    text = "a=1\n=2\nA=3\na=4\nb=\\u1"
    assert [(problem.code, problem.line) for problem in check(P, text)] == [("properties_syntax", 5)]
    text = "a=1\n=2\nA=3\na=4"
    assert [(problem.code, problem.line) for problem in check(P, text)] == [
        ("invalid_key", 2),
        ("duplicate_key_case", 3),
        ("duplicate_key", 4),
    ]


@pytest.mark.parametrize(
    ("format_", "text", "expected"),
    [
        (Y, "a: {x: 1,\n x: 2", [("yaml_syntax", 1, 4), ("yaml_duplicate_key", 2, 2)]),
        (J, '\ufeff{"a":1}', [("byte_order_mark", 1, 1)]),
        (P, "\ufeff a=\\u1", [("byte_order_mark", 1, 1), ("properties_syntax", 1, 5)]),
        (P, "\ufeff =1\n =2", [("byte_order_mark", 1, 1), ("invalid_key", 1, 3), ("invalid_key", 2, 2)]),
        (
            J,
            '{"a":1,"a":2,"a":3]',
            [("json_duplicate_key", 1, 8), ("json_duplicate_key", 1, 14), ("json_syntax", 1, 19)],
        ),
    ],
)
def test_check__problems_found_out_of_order__are_reported_by_place(
    format_: Format, text: str, expected: list[tuple[str, int, int]]
) -> None:
    assert [(problem.code, problem.line, problem.column) for problem in check(format_, text)] == expected


def test_problem__is_a_value() -> None:
    """Problems travel into answers and logs: equal by content, and unchangeable."""
    assert check(J, "[")[0] == SyntaxProblem("json_syntax", "This bracket is never closed; add the closing one.", 1, 1)
