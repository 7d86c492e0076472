"""Drafts: read and edit, as single items or as a whole text. Every write names the revision that it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from helicon_server.domain.actors import Right
from helicon_server.domain.draft import (
    LINE_LIMIT,
    ChangeKind,
    CheckedText,
    ItemPlan,
    Stamp,
    appended,
    changed_item,
    check_item,
    check_line_count,
    check_text,
    closed,
    new_item,
    plan_text,
    to_text,
)
from helicon_server.domain.errors import Conflict, NotFound, StaleRevision
from helicon_server.domain.formats import Format
from helicon_server.domain.model import Item, ItemType, Namespace
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigRead, ConfigWrite

from .context import Caller, audit
from .namespaces import found, require_namespace

T = TypeVar("T")
_BATCH = 500  # rows
_AUDITED_KEYS = 200  # of one write; more are counted


@dataclass(frozen=True, slots=True)
class ItemEdit:
    """What an item is to become."""

    key: str
    value: str
    type: ItemType = ItemType.STRING
    comment: str = ""


async def read_items(tx: ConfigRead, caller: Caller, ref: NamespaceRef) -> tuple[Namespace, Sequence[Item]]:
    """The draft of a namespace in its order, comment and blank lines included."""
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    return namespace, await tx.items.list(namespace.id)


async def read_item(tx: ConfigRead, caller: Caller, ref: NamespaceRef, key: str) -> tuple[Namespace, Item]:
    """One item of a draft. Raises NotFound ``item_not_found``."""
    caller.may(Right.VIEW)
    namespace = await require_namespace(tx, ref)
    item = await tx.items.get(namespace.id, key)
    if item is None:
        raise _no_item(key)
    return namespace, item


async def read_text(tx: ConfigRead, caller: Caller, ref: NamespaceRef) -> tuple[Namespace, str]:
    """The draft of a namespace as text."""
    namespace, items = await read_items(tx, caller, ref)
    return namespace, to_text(namespace.format, items)


async def checked_text(caller: Caller, ref: NamespaceRef, text: str) -> CheckedText:
    """Vouches for a text as the draft of ``ref``, whose name says the format. Needs no transaction and holds none up.

    Raises InvalidDocument with line and column, and LimitExceeded.
    """
    caller.may(Right.EDIT)
    format_ = Format.of_namespace(ref.namespace)
    return await asyncio.to_thread(check_text, format_, text, caller.limits.value_characters)


@dataclass(frozen=True, slots=True)
class CheckedEdit:
    """An edit that ``checked_edit`` found fit for the draft it is meant for."""

    edit: ItemEdit


async def checked_edit(caller: Caller, ref: NamespaceRef, edit: ItemEdit) -> CheckedEdit:
    """Vouches for an edit of the draft of ``ref``; like ``checked_text``, before a transaction.

    Raises InvalidInput, InvalidDocument with line and column, and LimitExceeded.
    """
    caller.may(Right.EDIT)
    format_ = Format.of_namespace(ref.namespace)
    limit = caller.limits.value_characters
    await asyncio.to_thread(check_item, format_, edit.key, edit.value, edit.type, limit)
    return CheckedEdit(edit)


async def write_text(
    tx: ConfigWrite, caller: Caller, ref: NamespaceRef, checked: CheckedText, *, seen: int
) -> Namespace:
    """Makes a draft read a checked text. A text that changes nothing makes no new revision.

    Raises LimitExceeded for a value that is too long, and StaleRevision with both sides.
    """
    caller.may(Right.EDIT)
    namespace = await _lock(tx, ref)
    stored = await tx.items.list(namespace.id)
    if namespace.revision != seen:
        raise _stale(caller, namespace, seen, theirs=to_text(namespace.format, stored), yours=checked.text)
    stamp = _next(namespace, caller)
    plan = await asyncio.to_thread(plan_text, checked, stored, stamp, caller.limits.value_characters)
    if plan.empty:
        return namespace
    await _apply(tx, namespace, plan)
    return await _touched(tx, caller, namespace, stamp, "draft.write_text", plan.keys)


async def create_item(
    tx: ConfigWrite, caller: Caller, ref: NamespaceRef, checked: CheckedEdit, *, seen: int
) -> tuple[Namespace, Item]:
    """Adds an item behind the last. Raises Conflict ``item_exists``, also when only the case of the key differs."""
    caller.may(Right.EDIT)
    edit = checked.edit
    namespace = await _lock(tx, ref)
    present = await tx.items.get(namespace.id, edit.key)
    if namespace.revision != seen:
        raise _stale(caller, namespace, seen, theirs=_sides(present), yours=_sides(edit))
    if present is not None:
        raise _item_exists(edit.key, present)
    return await _append(tx, caller, namespace, edit)


async def put_item(
    tx: ConfigWrite, caller: Caller, ref: NamespaceRef, checked: CheckedEdit, *, seen: int
) -> tuple[Namespace, Item, bool]:
    """Creates or replaces an item; the last result tells whether it is new.

    Raises StaleRevision with both sides, and Conflict ``item_exists`` when a key that differs only by case is there.
    """
    caller.may(Right.EDIT)
    edit = checked.edit
    namespace = await _lock(tx, ref)
    present = await tx.items.get(namespace.id, edit.key)
    if namespace.revision != seen:
        raise _stale(caller, namespace, seen, theirs=_sides(present), yours=_sides(edit))
    if present is None:
        return (*await _append(tx, caller, namespace, edit), True)
    if present.key != edit.key:
        raise _item_exists(edit.key, present)
    if (present.value, present.type, present.comment) == (edit.value, edit.type, edit.comment):
        return namespace, present, False
    stamp = _next(namespace, caller)
    item = changed_item(present, edit.key, edit.value, edit.type, edit.comment, stamp)
    await tx.items.update([item])
    keys = {edit.key: ChangeKind.MODIFIED}
    return await _touched(tx, caller, namespace, stamp, "item.update", keys), item, False


async def delete_item(tx: ConfigWrite, caller: Caller, ref: NamespaceRef, key: str, *, seen: int) -> Namespace:
    """Removes an item. Raises NotFound ``item_not_found`` and StaleRevision with both sides."""
    caller.may(Right.EDIT)
    namespace = await _lock(tx, ref)
    present = await tx.items.get(namespace.id, key)
    if namespace.revision != seen:
        raise _stale(caller, namespace, seen, theirs=_sides(present), yours=None)
    if present is None or present.key != key:
        raise _no_item(key)
    stamp = _next(namespace, caller)
    await tx.items.delete([present.id])
    last = await tx.items.last(namespace.id)
    if last is not None and (mended := closed(last)) is not None:
        await tx.items.update([mended])
    return await _touched(tx, caller, namespace, stamp, "item.delete", {key: ChangeKind.DELETED})


async def _append(tx: ConfigWrite, caller: Caller, namespace: Namespace, edit: ItemEdit) -> tuple[Namespace, Item]:
    stamp = _next(namespace, caller)
    item, mended = appended(
        await tx.items.last(namespace.id), new_item(edit.key, edit.value, edit.type, edit.comment, stamp)
    )
    if item.position >= LINE_LIMIT:  # positions have gaps, so only then the lines are counted
        check_line_count(len(await tx.items.list(namespace.id)) + 1)
    if mended is not None:
        await tx.items.update([mended])
    await tx.items.insert(namespace.id, [item])
    keys = {edit.key: ChangeKind.ADDED}
    return await _touched(tx, caller, namespace, stamp, "item.create", keys), item


async def _lock(tx: ConfigWrite, ref: NamespaceRef) -> Namespace:
    (namespace,) = await tx.namespaces.lock([ref])
    return await found(tx, ref, namespace)


async def _apply(tx: ConfigWrite, namespace: Namespace, plan: ItemPlan) -> None:
    """Writes in batches, because the rows of one batch are prepared in the event loop without a pause."""
    for ids in _batches(plan.delete):
        await tx.items.delete(ids)
    for changed in _batches(plan.update):
        await tx.items.update(changed)
    for new in _batches(plan.insert):
        await tx.items.insert(namespace.id, new)


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for begin in range(0, len(rows), _BATCH):
        yield rows[begin : begin + _BATCH]


async def _touched(
    tx: ConfigWrite,
    caller: Caller,
    namespace: Namespace,
    stamp: Stamp,
    action: str,
    keys: Mapping[str, ChangeKind],
) -> Namespace:
    touched = replace(namespace, revision=stamp.revision, updated_at=stamp.at, updated_by=stamp.by)
    await tx.namespaces.touch(touched)
    shown = dict(list(keys.items())[:_AUDITED_KEYS])
    detail: dict[str, object] = {"revision": stamp.revision, "keys": shown, "changed": len(keys)}
    await audit(tx.audit, caller, action, ref=namespace.ref, detail=detail)
    return touched


def _next(namespace: Namespace, caller: Caller) -> Stamp:
    return Stamp(namespace.revision + 1, caller.now, caller.actor.name)


def _sides(item: Item | ItemEdit | None) -> dict[str, object] | None:
    if item is None:
        return None
    return {"key": item.key, "value": item.value, "type": item.type.value, "comment": item.comment}


def _stale(caller: Caller, namespace: Namespace, seen: int, *, theirs: object, yours: object) -> StaleRevision:
    """The refusal of a write that saw an older draft. Theirs is shown only to those who may view it."""
    details: dict[str, object] = {"seen_revision": seen, "current_revision": namespace.revision, "yours": yours}
    if Right.VIEW in caller.actor.rights:
        details |= {"theirs": theirs, "changed_by": namespace.updated_by, "changed_at": namespace.updated_at}
    return StaleRevision(
        f"The draft of {namespace.ref} is at revision {namespace.revision}, not {seen}: read it again and repeat.",
        details=details,
    )


def _no_item(key: str) -> NotFound:
    return NotFound(f"There is no item {key!r} in this draft.", code="item_not_found")


def _item_exists(key: str, present: Item) -> Conflict:
    twin = "" if present.key == key else f" as {present.key!r}; keys that differ only by case are one"
    return Conflict(f"The item {key!r} exists already{twin}.", code="item_exists")
