"""Drafts as items: what the table editor may write, and that the text form always agrees with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helicon_server.domain.draft import (
    appended,
    changed_item,
    check_item,
    closed,
    configurations,
    new_item,
    to_text,
)
from helicon_server.domain.errors import InvalidInput, LimitExceeded
from helicon_server.domain.formats import Format
from helicon_server.domain.model import CONTENT_KEY, Item, ItemType
from tests.unit.domain.drafts import FIRST, LATER, LIMIT, draft
from tests.unit.domain.test_draft_text import SOUND_TEXT

NEW = new_item("added.key", " spaced \\ value", ItemType.STRING, "", LATER)


def add(rows: list[Item], item: Item) -> list[Item]:
    """``rows`` with ``item`` behind the last, as the service adds it."""
    placed, mended = appended(rows[-1] if rows else None, item)
    if mended is not None:
        rows = [*rows[:-1], mended]
    return [*rows, replace(placed, id=max((row.id for row in rows), default=0) + 1)]


def reread(rows: list[Item]) -> dict[str, str]:
    """The configurations of a draft that is made of the text of ``rows``."""
    return configurations(draft(to_text(Format.PROPERTIES, rows)))


@pytest.mark.parametrize("before", ["", "a=1\n", "a=1", "a=1\r\n", "# note", "\n\n", "  "])
def test_append__whatever_the_last_line_ends_with__begins_a_line_of_its_own(before: str) -> None:
    """A last line without terminator gets one, and keeps the rest of its text."""
    rows = add(draft(before), NEW)
    text = to_text(Format.PROPERTIES, rows)
    assert text.startswith(before)
    assert text.splitlines()[-1] == r"added.key=\ spaced \\ value"
    assert reread(rows) == configurations(draft(before)) | {"added.key": " spaced \\ value"}


@given(SOUND_TEXT)
@example("a=1\\")
@example("a=1\\\n")
@example("# c\n\\\r\n")
def test_append__behind_any_sound_text__text_and_items_agree(before: str) -> None:
    """A line that ends in a lone backslash must not swallow the item behind it."""
    rows = add(draft(before), NEW)
    assert reread(rows) == configurations(rows) == configurations(draft(before)) | {"added.key": NEW.value}


@given(SOUND_TEXT, st.data())
@example("\\\na=1\n", None)
def test_delete__any_item_of_any_sound_text__text_and_items_agree(before: str, data: st.DataObject | None) -> None:
    """What stands last after a deletion must still be a whole line."""
    rows = draft(before)
    entries = [row for row in rows if row.key is not None]
    if not entries:
        return
    gone = entries[-1] if data is None else data.draw(st.sampled_from(entries))
    rows = [row for row in rows if row is not gone]
    mended = closed(rows[-1]) if rows else None
    if mended is not None:
        rows = [*rows[:-1], mended]
    assert reread(rows) == configurations(rows)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
@example("\\")
@example("# no comment\n\\")
def test_change__any_value__text_and_items_agree(value: str) -> None:
    """A changed item is written canonically, whatever its value holds."""
    rows = draft("# head\na : 1\nb=2")
    rows[1] = changed_item(rows[1], "a", value, ItemType.STRING, "", LATER)
    assert reread(rows) == {"a": value, "b": "2"}


def test_change__comment_only__keeps_the_spelling_of_the_line() -> None:
    """The source text belongs to key and value; a new comment is no reason to rewrite the line."""
    row = draft("a  :  1\n")[0]
    changed = changed_item(row, "a", "1", ItemType.NUMBER, "retries", LATER)
    assert (changed.raw, changed.type, changed.comment, changed.revision) == (
        "a  :  1\n",
        ItemType.NUMBER,
        "retries",
        LATER.revision,
    )
    assert changed_item(row, "a", "2", ItemType.STRING, "", LATER).raw is None


def test_closed__whole_lines__are_left_alone() -> None:
    """Only a line that would change its meaning at the end of the text is mended."""
    for text in ("a=1\n", "a=1", "# c", "", "a=1\\\\\n", "k\n"):
        assert all(closed(row) is None for row in draft(text))


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (ItemType.NUMBER, "0"),
        (ItemType.NUMBER, "-1.5e10"),
        (ItemType.NUMBER, " 7 "),
        (ItemType.BOOLEAN, "true"),
        (ItemType.BOOLEAN, "false"),
        (ItemType.JSON, '{"a": [1, null]}'),
        (ItemType.JSON, '"text"'),
        (ItemType.STRING, ""),
        (ItemType.STRING, "anything, 你好 😀\n\t"),
    ],
)
def test_check_item__value_of_its_type__passes(type_: ItemType, value: str) -> None:
    """Every type takes its own values."""
    check_item(Format.PROPERTIES, "k", value, type_, LIMIT)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (ItemType.NUMBER, ""),
        (ItemType.NUMBER, "1.2.3"),
        (ItemType.NUMBER, "0x10"),
        (ItemType.NUMBER, "NaN"),
        (ItemType.NUMBER, "true"),
        (ItemType.NUMBER, "１"),
        (ItemType.BOOLEAN, "True"),
        (ItemType.BOOLEAN, "yes"),
        (ItemType.BOOLEAN, ""),
        (ItemType.JSON, "{'a': 1}"),
        (ItemType.JSON, ""),
        (ItemType.JSON, '{"a": 1, "a": 2}'),
    ],
)
def test_check_item__value_of_another_type__is_refused_without_the_value(type_: ItemType, value: str) -> None:
    """The refusal names the key and the type."""
    with pytest.raises(InvalidInput) as refused:
        check_item(Format.PROPERTIES, "some.key", value, type_, LIMIT)
    assert refused.value.code == "invalid_value"
    assert refused.value.message == f"The value of 'some.key' is not a {type_}."


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("", "v", "invalid_key"),
        ("k" * 129, "v", "invalid_key"),
        (" k", "v", "invalid_key"),
        ("a\nb", "v", "invalid_key"),
        ("a\0", "v", "invalid_key"),
        ("e\u0301", "v", "invalid_key"),  # decomposed é
        ("k\u202e", "v", "invalid_key"),  # right-to-left override
        ("k", "a\0b", "control_character"),
        ("k", "\ud800", "control_character"),
    ],
)
def test_check_item__what_no_client_can_be_sent__is_refused(key: str, value: str, code: str) -> None:
    """One rule for keys everywhere; values may hold all that UTF-8 and a Java string can carry."""
    with pytest.raises(InvalidInput) as refused:
        check_item(Format.PROPERTIES, key, value, ItemType.STRING, LIMIT)
    assert refused.value.code == code


@pytest.mark.parametrize("key", ["a/b", "../x", "%2e%2e", "a=b", "键", "😀", "k" * 128, "content"])
def test_check_item__unusual_but_harmless_key__passes(key: str) -> None:
    """Keys are never file names here, so that nothing but the unseen is refused."""
    check_item(Format.PROPERTIES, key, "v", ItemType.STRING, LIMIT)


def test_check_item__value_at_the_limit__passes_and_one_more_is_refused() -> None:
    """Characters are counted, not bytes."""
    check_item(Format.PROPERTIES, "k", "中" * LIMIT, ItemType.STRING, LIMIT)
    with pytest.raises(LimitExceeded) as refused:
        check_item(Format.PROPERTIES, "k", "中" * (LIMIT + 1), ItemType.STRING, LIMIT)
    assert refused.value.details == {"key": "k", "limit": LIMIT, "length": LIMIT + 1}


def test_check_item__of_a_document__takes_only_content_in_its_format() -> None:
    """The item face of a document is checked like its text face."""
    check_item(Format.JSON, CONTENT_KEY, "{}", ItemType.STRING, LIMIT)
    for key, value, code in (("other", "{}", "invalid_key"), (CONTENT_KEY, "{", "json_syntax")):
        with pytest.raises(InvalidInput) as refused:
            check_item(Format.JSON, key, value, ItemType.STRING, LIMIT)
        assert refused.value.code == code


def test_new_item__is_canonical_and_stamped() -> None:
    """The table editor has no layout to keep."""
    item = new_item("k", "v", ItemType.JSON, "why", FIRST)
    assert (item.id, item.raw, item.type, item.comment) == (0, None, ItemType.JSON, "why")
    assert (item.revision, item.updated_at, item.updated_by) == (FIRST.revision, FIRST.at, FIRST.by)
