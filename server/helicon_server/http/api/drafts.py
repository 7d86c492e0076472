"""The draft of a namespace: items and whole text. Writes need ``If-Match`` with the revision that was read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from pydantic import Field

from helicon_server.domain.actors import Right
from helicon_server.domain.model import Item, ItemType
from helicon_server.services import drafts
from helicon_server.services.drafts import ItemEdit

from .endpoint import TEXT, Call, Comment, Endpoint, In, Out, Reply
from .namespaces import NAMESPACE, NamespaceOut, namespace_out


class NewItem(In):
    """An item to be added behind the last."""

    key: str
    value: str
    type: ItemType = Field(ItemType.STRING, strict=False)
    comment: Comment = ""


class ItemValue(In):
    """What the item of the path is to become."""

    value: str
    type: ItemType = Field(ItemType.STRING, strict=False)
    comment: Comment = ""


class ItemOut(Out):
    """One line of a draft."""

    key: str | None = Field(description="Null for a comment or blank line, whose value is the line.")
    value: str
    type: ItemType
    comment: str
    position: int
    revision: int = Field(description="Draft revision that last changed it.")
    updated_at: datetime
    updated_by: str


class DraftOut(Out):
    """A draft in its order."""

    revision: int
    items: list[ItemOut]


async def list_items(call: Call[None]) -> Reply:
    async with call.config.read() as tx:
        namespace, items = await drafts.read_items(tx, call.caller, call.namespace)
    return Reply(await asyncio.to_thread(_draft, namespace.revision, items), revision=namespace.revision)


async def get_item(call: Call[None]) -> Reply:
    async with call.config.read() as tx:
        namespace, item = await drafts.read_item(tx, call.caller, call.namespace, call.path["key"])
    return Reply(_item(item), revision=namespace.revision)


async def create_item(call: Call[NewItem]) -> Reply:
    new = call.input
    edit = ItemEdit(new.key, new.value, new.type, new.comment)
    checked = await drafts.checked_edit(call.caller, call.namespace, edit)
    async with call.config.write() as tx:
        namespace, item = await drafts.create_item(tx, call.caller, call.namespace, checked, seen=call.revision)
    return Reply(_item(item), revision=namespace.revision)


async def put_item(call: Call[ItemValue]) -> Reply:
    edit = ItemEdit(call.path["key"], call.input.value, call.input.type, call.input.comment)
    checked = await drafts.checked_edit(call.caller, call.namespace, edit)
    async with call.config.write() as tx:
        namespace, item, new = await drafts.put_item(tx, call.caller, call.namespace, checked, seen=call.revision)
    status = HTTPStatus.CREATED if new else HTTPStatus.OK
    return Reply(_item(item), status, revision=namespace.revision)


async def delete_item(call: Call[None]) -> Reply:
    async with call.config.write() as tx:
        namespace = await drafts.delete_item(tx, call.caller, call.namespace, call.path["key"], seen=call.revision)
    return Reply(revision=namespace.revision)


async def read_text(call: Call[None]) -> Reply:
    async with call.config.read() as tx:
        namespace, text = await drafts.read_text(tx, call.caller, call.namespace)
    return Reply(text, revision=namespace.revision)


async def write_text(call: Call[str]) -> Reply:
    checked = await drafts.checked_text(call.caller, call.namespace, call.input)
    async with call.config.write() as tx:
        namespace = await drafts.write_text(tx, call.caller, call.namespace, checked, seen=call.revision)
    return Reply(namespace_out(namespace), revision=namespace.revision)


def _draft(revision: int, items: Sequence[Item]) -> DraftOut:
    return DraftOut(revision=revision, items=[_item(item) for item in items])


def _item(item: Item) -> ItemOut:
    return ItemOut(
        key=item.key,
        value=item.value if item.key is not None else (item.raw or "").rstrip("\r\n"),
        type=item.type,
        comment=item.comment,
        position=item.position,
        revision=item.revision,
        updated_at=item.updated_at,
        updated_by=item.updated_by,
    )


_ITEMS = NAMESPACE + "/items"
_ITEM = _ITEMS + "/{key:path}"
_TEXT = NAMESPACE + "/text"
_STALE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

ENDPOINTS = (
    Endpoint(
        "GET",
        _ITEMS,
        list_items,
        "Read a draft as items",
        Right.VIEW,
        None,
        DraftOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        _ITEMS,
        create_item,
        "Add an item",
        Right.EDIT,
        NewItem,
        ItemOut,
        HTTPStatus.CREATED,
        needs_revision=True,
        refusals=_STALE,
    ),
    Endpoint(
        "GET",
        _ITEM,
        get_item,
        "Read an item",
        Right.VIEW,
        None,
        ItemOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        _ITEM,
        put_item,
        "Create or replace an item",
        Right.EDIT,
        ItemValue,
        ItemOut,
        also=(HTTPStatus.CREATED,),
        needs_revision=True,
        refusals=_STALE,
    ),
    Endpoint(
        "DELETE",
        _ITEM,
        delete_item,
        "Delete an item",
        Right.EDIT,
        None,
        None,
        HTTPStatus.NO_CONTENT,
        needs_revision=True,
        refusals=_STALE,
    ),
    Endpoint(
        "GET",
        _TEXT,
        read_text,
        "Read a draft as text",
        Right.VIEW,
        None,
        TEXT,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        _TEXT,
        write_text,
        "Replace a draft by a text",
        Right.EDIT,
        TEXT,
        NamespaceOut,
        needs_revision=True,
        refusals=_STALE,
    ),
)
