"""Drafts: from text to items, from items to text, and the smallest set of row changes between two states.

A properties draft keeps every line, so that the text form round-trips byte for byte; a document draft is one item.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from helicon.protocol import properties

from .errors import InvalidDocument, InvalidInput, LimitExceeded
from .formats import INVALID_KEY, Format, check, check_key, fold_key
from .model import CONTENT_KEY, Item, ItemType

LINE_LIMIT = 20_000  # of a properties draft; the largest that people keep have some thousand


@dataclass(frozen=True, slots=True)
class Stamp:
    """Marks what a write touches: the draft revision it makes, when, and by whom."""

    revision: int
    at: datetime
    by: str


class ChangeKind(StrEnum):
    """What happened to a key between two states."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """Row changes that turn a stored draft into the wanted one."""

    insert: Sequence[Item]
    update: Sequence[Item]
    delete: Sequence[int]
    keys: Mapping[str, ChangeKind]  # keys whose value, spelling, type or comment changes; for the audit

    @property
    def empty(self) -> bool:
        """Tells whether the wanted draft is the stored one."""
        return not (self.insert or self.update or self.delete)


def to_text(format_: Format, items: Sequence[Item]) -> str:
    """Renders a draft as the text that people edit."""
    if format_ is not Format.PROPERTIES:
        return items[0].value if items else ""
    return "".join(_line(item) for item in items)


def configurations(items: Sequence[Item]) -> dict[str, str]:
    """The content of a release made of a draft: key to value, without comment and blank lines (protocol, section 2)."""
    return {item.key: item.value for item in items if item.key is not None}


@dataclass(frozen=True, slots=True)
class CheckedText:
    """A text that ``check_text`` found fit to be a draft of this format."""

    format: Format
    text: str


def check_text(format_: Format, text: str, value_limit: int) -> CheckedText:
    """Vouches for ``text``, or raises InvalidDocument with line and column, or LimitExceeded.

    A hostile document of the largest size can take a second: call it in a thread and outside a transaction.
    """
    if format_ is Format.PROPERTIES:
        check_line_count(max(text.count("\n"), text.count("\r")) + (not text.endswith(("\n", "\r"))))
    else:
        check_length(CONTENT_KEY, text, value_limit)
    problems = check(format_, text)
    if problems:
        first = problems[0]
        raise InvalidDocument(
            f"Line {first.line}, column {first.column}: {first.message}",
            code=first.code,
            details={
                "problems": [
                    {"code": p.code, "message": p.message, "line": p.line, "column": p.column} for p in problems
                ]
            },
        )
    return CheckedText(format_, text)


def check_line_count(lines: int) -> None:
    """Raises LimitExceeded when a properties draft has too many lines, for each is a row."""
    if lines > LINE_LIMIT:
        raise LimitExceeded(
            f"The draft would have {lines} lines; the limit is {LINE_LIMIT}. Split it into namespaces.",
            code="too_many_lines",
            details={"limit": LINE_LIMIT, "length": lines},
        )


def check_length(key: str, value: str, limit: int) -> None:
    """Raises LimitExceeded when a value has more than ``limit`` characters."""
    if len(value) > limit:
        raise LimitExceeded(
            f"The value of {key!r} has {len(value)} characters; the limit is {limit} (HELICON_VALUE_LIMIT).",
            code="value_too_long",
            details={"key": key, "limit": limit, "length": len(value)},
        )


def check_item(format_: Format, key: str, value: str, type_: ItemType, value_limit: int) -> None:
    """Raises InvalidInput when key, value and type cannot be an item of a draft of this format."""
    check_length(key, value, value_limit)
    if format_ is not Format.PROPERTIES:
        if key != CONTENT_KEY:
            raise InvalidInput(
                f"A {format_} namespace holds one item, {CONTENT_KEY!r}; write it as a whole text.", code="invalid_key"
            )
        check_text(format_, value, value_limit)
        return
    if (problem := check_key(key)) is not None:
        raise InvalidInput(problem, code=INVALID_KEY)
    _check_value(key, value)
    _check_type(key, value, type_)


def plan_text(checked: CheckedText, stored: Sequence[Item], stamp: Stamp, value_limit: int) -> ItemPlan:
    """Plans the writes that make the draft read a text.

    Raises LimitExceeded for a value that is too long, and InvalidInput for one that its item's type does not take.
    """
    if checked.format is not Format.PROPERTIES:
        wanted = [_fresh(0, CONTENT_KEY, checked.text, None, stamp)] if checked.text or stored else []
        return _plan(wanted, stored, stamp)
    wanted = []
    for position, line in enumerate(properties.parse(checked.text)):
        if line.key is None:
            wanted.append(_fresh(position, None, "", line.raw, stamp))
            continue
        check_length(line.key, line.value, value_limit)
        canonical = properties.entry(line.key, line.value) + "\n"
        wanted.append(_fresh(position, line.key, line.value, None if line.raw == canonical else line.raw, stamp))
    plan = _plan(wanted, stored, stamp)
    for item in plan.update:
        if item.key in plan.keys:
            _check_type(item.key or "", item.value, item.type)
    return plan


def appended(last: Item | None, item: Item) -> tuple[Item, Item | None]:
    """Places ``item`` behind ``last``; the second result is ``last`` where its text must change for that.

    A last line may lack its terminator, or end in a backslash that would swallow the line behind it.
    """
    if last is None:
        return replace(item, position=0), None
    placed = replace(item, position=last.position + 1)
    if last.raw is None:
        return placed, None
    ended = last.raw if last.raw.endswith(("\n", "\r")) else last.raw + "\n"
    if last.key is not None and len(properties.parse(ended + "next")) == 1:
        return placed, replace(last, raw=None)
    return placed, None if ended == last.raw else replace(last, raw=ended)


def closed(last: Item) -> Item | None:
    """``last`` with the text that it needs to stand last in a draft; None when it has it.

    A lone backslash is no entry while another line follows, and one with an empty key at the end of the text.
    """
    if last.key is None and any(line.key is not None for line in properties.parse(last.raw or "")):
        return replace(last, raw="\n")
    return None


def new_item(key: str, value: str, type_: ItemType, comment: str, stamp: Stamp) -> Item:
    """An item as the table editor makes it: canonical text, not yet placed."""
    return replace(_fresh(0, key, value, None, stamp), type=type_, comment=comment)


def changed_item(stored: Item, key: str, value: str, type_: ItemType, comment: str, stamp: Stamp) -> Item:
    """``stored`` with new content. Its source text is kept when key and value stay, else it becomes canonical."""
    same_text = (stored.key, stored.value) == (key, value)
    return replace(
        stored,
        key=key,
        value=value,
        type=type_,
        comment=comment,
        raw=stored.raw if same_text else None,
        revision=stamp.revision,
        updated_at=stamp.at,
        updated_by=stamp.by,
    )


def _line(item: Item) -> str:
    if item.raw is not None:
        return item.raw
    return properties.entry(item.key or "", item.value) + "\n"


def _fresh(position: int, key: str | None, value: str, raw: str | None, stamp: Stamp) -> Item:
    return Item(0, position, key, value, ItemType.STRING, "", raw, stamp.revision, stamp.at, stamp.by)


def _plan(wanted: Sequence[Item], stored: Sequence[Item], stamp: Stamp) -> ItemPlan:
    """Pairs entries by folded key and other lines by order, so that an edit touches only the rows it changes."""
    by_key = {fold_key(item.key): item for item in stored if item.key is not None}
    fillers = deque(item for item in stored if item.key is None)
    insert: list[Item] = []
    update: list[Item] = []
    keys: dict[str, ChangeKind] = {}
    for item in wanted:
        old = (fillers.popleft() if fillers else None) if item.key is None else by_key.pop(fold_key(item.key), None)
        if old is None:
            insert.append(item)
            if item.key is not None:
                keys[item.key] = ChangeKind.ADDED
            continue
        text_changed = (old.key, old.value, old.raw) != (item.key, item.value, item.raw)
        if text_changed and item.key is not None and (old.key, old.value) != (item.key, item.value):
            keys[item.key] = ChangeKind.MODIFIED
        if text_changed or old.position != item.position:
            moved = replace(old, key=item.key, value=item.value, raw=item.raw, position=item.position)
            if text_changed:
                moved = replace(moved, revision=stamp.revision, updated_at=stamp.at, updated_by=stamp.by)
            update.append(moved)
    for gone in by_key.values():
        if gone.key is not None:
            keys[gone.key] = ChangeKind.DELETED
    return ItemPlan(insert, update, [gone.id for gone in (*by_key.values(), *fillers)], keys)


def _check_value(key: str, value: str) -> None:
    """Refuses what no client could be sent: NUL and lone surrogates."""
    if "\x00" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise InvalidInput(f"The value of {key!r} holds a NUL or half a surrogate pair.", code="control_character")


def _check_type(key: str, value: str, type_: ItemType) -> None:
    if type_ is ItemType.STRING:
        return
    if type_ is ItemType.BOOLEAN:
        good = value in ("true", "false")
    else:
        problems = check(Format.JSON, value)
        good = bool(value.strip()) and not problems
        if good and type_ is ItemType.NUMBER:
            good = value.strip()[0] in "-0123456789"
    if not good:
        raise InvalidInput(f"The value of {key!r} is not a {type_}.", code="invalid_value", details={"key": key})
