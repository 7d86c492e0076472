"""Drafts as text: what people typed comes back byte for byte, and an edit touches only the rows that it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from helicon.protocol import properties
from helicon_server.domain.draft import LINE_LIMIT, ChangeKind, check_text, configurations, to_text
from helicon_server.domain.errors import InvalidDocument, InvalidInput, LimitExceeded
from helicon_server.domain.formats import Format, check
from helicon_server.domain.model import CONTENT_KEY, ItemType
from tests.unit.domain.drafts import FIRST, LATER, LIMIT, applied, draft, plan

# Logical lines that are sound in any order; `{}` becomes a number, so that no key stands twice.
_LINES = [
    "k{}=v", "k{} = v", " k{}:  v  ", "k{}", "k{}=", "k{} v", "键{}=值", "k\\ {}=x", "k{}=a\\\n   b", "k{}=\\u4e2d\\n",
    "# note {}", "! note {}", "", "   ", "k{}=\\\r\n  later", "k{}=\\tt", "K{}=\\:x", "\\", "k{}=end\\\\",
]  # fmt: skip
_TERMINATORS = st.sampled_from(["\n", "\n", "\r\n", "\r"])
SOUND_TEXT = st.builds(
    lambda lines, last: "".join(line.format(n) + end for n, (line, end) in enumerate(lines)) + last,
    st.lists(st.tuples(st.sampled_from(_LINES), _TERMINATORS), max_size=8),
    st.sampled_from(["", "", "last=1", "last=1\\", "# last", "  ", "last=1\\\n"]),
).filter(lambda text: not check(Format.PROPERTIES, text))
ANY_TEXT = st.text(st.sampled_from("ab=: \t\\\n\r#!ä中u0"), max_size=40)


@given(st.one_of(SOUND_TEXT, ANY_TEXT))
@example("a=1\\")
@example("\\\n# c\\\na=1\r\r\n")
def test_draft__any_sound_text__reads_back_byte_for_byte(text: str) -> None:
    """Comments, order, blanks, terminators, continuation lines and spellings of escapes all survive."""
    assume(not check(Format.PROPERTIES, text))
    assert to_text(Format.PROPERTIES, draft(text)) == text


@given(SOUND_TEXT, SOUND_TEXT)
def test_draft__replaced_by_another_text__reads_as_the_other(before: str, after: str) -> None:
    """However two texts differ, the plan between them is complete and keeps positions dense and in order."""
    rows = draft(after, draft(before), LATER)
    assert to_text(Format.PROPERTIES, rows) == after
    assert [row.position for row in rows] == list(range(len(rows)))


@given(SOUND_TEXT)
def test_draft__content_of_its_release__is_what_the_text_says(text: str) -> None:
    """Keys and values as a Java client reads them, without comment and blank lines (protocol, section 2)."""
    expected = {line.key: line.value for line in properties.parse(text) if line.key is not None}
    assert configurations(draft(text)) == expected


@given(SOUND_TEXT)
def test_plan__same_text_again__is_empty(text: str) -> None:
    """Saving what is there already makes no new revision."""
    again = plan(text, draft(text), LATER)
    assert again.empty
    assert again.keys == {}


def test_plan__one_value_changed__updates_one_row() -> None:
    """The other rows keep the revision and the author that last changed them."""
    stored = draft("# head\na=1\n\nb=2\n")
    changes = plan("# head\na=1\n\nb=3\n", stored, LATER)
    (updated,) = changes.update
    assert (updated.key, updated.value, updated.revision, updated.updated_by) == ("b", "3", 3, "user:later")
    assert (changes.insert, changes.delete, changes.keys) == ([], [], {"b": ChangeKind.MODIFIED})
    kept = {row.key: row for row in applied(changes, stored)}
    assert (kept["a"].revision, kept["a"].updated_by) == (FIRST.revision, FIRST.by)


def test_plan__line_added_in_front__moves_rows_without_touching_them() -> None:
    """A row that only moves keeps its revision: nobody changed it."""
    stored = draft("a=1\nb=2\n")
    changes = plan("new=0\na=1\nb=2\n", stored, LATER)
    assert [item.key for item in changes.insert] == ["new"]
    assert {(item.key, item.position, item.revision) for item in changes.update} == {("a", 1, 2), ("b", 2, 2)}
    assert changes.keys == {"new": ChangeKind.ADDED}


def test_plan__line_appended__inserts_one_row() -> None:
    """The common edit of a long draft writes one row."""
    stored = draft("a=1\nb=2\n")
    changes = plan("a=1\nb=2\nc=3\n", stored, LATER)
    assert [item.key for item in changes.insert] == ["c"]
    assert (changes.update, changes.delete) == ([], [])


def test_plan__key_removed__deletes_its_row() -> None:
    """What is gone is told to the audit by its key."""
    stored = draft("a=1\nb=2\n")
    changes = plan("a=1\n", stored, LATER)
    assert changes.delete == [stored[1].id]
    assert (changes.insert, changes.update, changes.keys) == ([], [], {"b": ChangeKind.DELETED})


def test_plan__only_the_case_of_a_key_changed__updates_its_row() -> None:
    """Two rows whose keys differ by case cannot stand side by side, so that an insert would be refused."""
    stored = draft("Timeout=1\n")
    changes = plan("timeout=1\n", stored, LATER)
    assert [(item.id, item.key) for item in changes.update] == [(stored[0].id, "timeout")]
    assert (changes.insert, changes.delete) == ([], [])
    assert changes.keys == {"timeout": ChangeKind.MODIFIED}


def test_plan__layout_changed_only__names_no_key() -> None:
    """Blanks around a separator are no change of configuration, but the text must still read as typed."""
    stored = draft("a=1\n")
    changes = plan("a  =  1\n", stored, LATER)
    assert changes.keys == {}
    assert to_text(Format.PROPERTIES, applied(changes, stored)) == "a  =  1\n"


def test_plan__text_edit_of_a_typed_item__keeps_type_and_comment() -> None:
    """The text form has no place for them, and must not cost them."""
    stored = draft("n=1\n")
    stored[0] = replace(stored[0], type=ItemType.NUMBER, comment="retries")
    (updated,) = plan("n=2\n", stored, LATER).update
    assert (updated.value, updated.type, updated.comment) == ("2", ItemType.NUMBER, "retries")


def test_plan__text_edit_breaks_an_items_type__is_refused() -> None:
    """A number stays a number, whichever way it is edited; the refusal names the key and not the value."""
    stored = draft("n=1\n")
    stored[0] = replace(stored[0], type=ItemType.NUMBER)
    with pytest.raises(InvalidInput) as refused:
        plan("n=hush\n", stored, LATER)
    assert (refused.value.code, refused.value.details) == ("invalid_value", {"key": "n"})
    assert "hush" not in refused.value.message


def test_plan__value_over_the_limit_in_a_text__is_refused_with_the_limit() -> None:
    """The limit is one of values; the text as a whole may be longer."""
    long_enough = "".join(f"k{n}={'x' * 90}\n" for n in range(20))
    assert len(long_enough) > LIMIT
    draft(long_enough)
    with pytest.raises(LimitExceeded) as refused:
        plan(f"a={'x' * (LIMIT + 1)}\n")
    assert refused.value.code == "value_too_long"
    assert refused.value.details == {"key": "a", "limit": LIMIT, "length": LIMIT + 1}


@pytest.mark.parametrize("format_", [f for f in Format if f is not Format.PROPERTIES])
def test_document_draft__is_one_item_called_content(format_: Format) -> None:
    """Protocol, section 2: one entry, whose value is the whole text, kept as typed."""
    text = {Format.JSON: '{"a": 1}\r\n', Format.XML: "<a>\n</a>\n"}.get(format_, "a: 1  # note\n")
    (item,) = applied(plan(text, format_=format_), [])
    assert (item.key, item.value) == (CONTENT_KEY, text)
    assert to_text(format_, [item]) == text
    assert configurations([item]) == {CONTENT_KEY: text}


def test_document_draft__emptied__keeps_its_item() -> None:
    """An empty document is a content of its own and can be released; a draft never written has none."""
    stored = applied(plan("{}", format_=Format.JSON), [])
    emptied = applied(plan("", stored, LATER, Format.JSON), stored)
    assert configurations(emptied) == {CONTENT_KEY: ""}
    assert plan("", format_=Format.JSON).empty
    assert to_text(Format.JSON, []) == ""


def test_document_draft__over_the_limit__is_refused_before_it_is_parsed() -> None:
    """The limit guards the parser too."""
    with pytest.raises(LimitExceeded) as refused:
        check_text(Format.JSON, "[" * (LIMIT + 1), LIMIT)
    assert refused.value.details == {"key": CONTENT_KEY, "limit": LIMIT, "length": LIMIT + 1}


def test_check_text__ill_formed__names_every_problem_with_its_place() -> None:
    """The first one stands in the message, for those who read no details."""
    with pytest.raises(InvalidDocument) as refused:
        check_text(Format.PROPERTIES, "a=1\nA=2\na=3\n", LIMIT)
    assert refused.value.code == "duplicate_key_case"
    assert refused.value.message.startswith("Line 2, column 1: ")
    problems = refused.value.details["problems"]
    assert isinstance(problems, list)
    assert [(p["code"], p["line"], p["column"]) for p in problems] == [
        ("duplicate_key_case", 2, 1),
        ("duplicate_key", 3, 1),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_check_text__more_lines_than_rows_are_good_for__is_refused(end: str) -> None:
    """Comment and blank lines are rows too; the text as a whole may be short."""
    check_text(Format.PROPERTIES, end * LINE_LIMIT, LIMIT)
    with pytest.raises(LimitExceeded) as refused:
        check_text(Format.PROPERTIES, end * LINE_LIMIT + "a=1", LIMIT)
    assert (refused.value.code, refused.value.details["limit"]) == ("too_many_lines", LINE_LIMIT)
