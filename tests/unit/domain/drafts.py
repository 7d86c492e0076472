"""Drafts for tests of the pure rules: a stamp, and the row changes of a plan applied as storage applies them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from helicon_server.domain.draft import ItemPlan, Stamp, check_text, plan_text
from helicon_server.domain.formats import Format
from helicon_server.domain.model import Item

LIMIT = 1_000
FIRST = Stamp(2, datetime(2025, 1, 1, tzinfo=UTC), "user:first")
LATER = Stamp(3, datetime(2025, 1, 2, tzinfo=UTC), "user:later")


def plan(text: str, stored: Sequence[Item] = (), stamp: Stamp = FIRST, format_: Format = Format.PROPERTIES) -> ItemPlan:
    """The plan that makes ``stored`` read ``text``."""
    return plan_text(check_text(format_, text, LIMIT), stored, stamp, LIMIT)


def draft(text: str, stored: Sequence[Item] = (), stamp: Stamp = FIRST) -> list[Item]:
    """The stored rows of a properties draft that reads ``text``."""
    return applied(plan(text, stored, stamp), stored)


def applied(changes: ItemPlan, stored: Sequence[Item]) -> list[Item]:
    """``stored`` after the changes of a plan, in the draft's order; new rows get the next ids."""
    rows = {item.id: item for item in stored if item.id not in set(changes.delete)}
    for item in changes.update:
        assert item.id in rows, "a plan updates only rows that it keeps"
        rows[item.id] = item
    next_id = max((item.id for item in stored), default=0) + 1
    for offset, item in enumerate(changes.insert):
        assert item.id == 0, "a plan inserts only new rows"
        rows[next_id + offset] = replace(item, id=next_id + offset)
    return sorted(rows.values(), key=lambda item: (item.position, item.id))
