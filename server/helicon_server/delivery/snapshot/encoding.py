"""Parts of a state as JSON and back. Never pickle: whoever can write the file must not be able to run code by it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from helicon_server.delivery.parts import AppPart, Head, NamespacePart, Part, PartName, state_of
from helicon_server.delivery.restore import State

FORMAT: Final = 2
"""Grows with every change after which an older state would be read wrongly. New fields with a default need none."""

_AT_ONCE: Final = 500  # parts decoded in one piece: between two of them other threads get their turn
_NAMESPACES: Final = "namespace/"
_APPS: Final = "app/"

_T = TypeVar("_T")


class StateUnreadableError(ValueError):
    """The bytes are not a state of this format; the message holds no part of them."""


def name_of(part: PartName) -> str:
    """The name of a part as text. Unambiguous: no stored name holds ``/``."""
    return f"{part.kind}/{part.environment}/{part.key}"


def encode(value: Part | Head) -> bytes:
    """One part, or the head, as one JSON object."""
    return orjson.dumps(value)


def decode(head: bytes, parts: Sequence[tuple[str, bytes]]) -> State:
    """The state whose encoded head and parts, by name, these are. Raises StateUnreadableError."""
    namespaces = [body for name, body in parts if name.startswith(_NAMESPACES)]
    apps = [body for name, body in parts if name.startswith(_APPS)]
    return state_of(_read(head, Head), _read_all(namespaces, NamespacePart), _read_all(apps, AppPart))


def _read_all(bodies: Sequence[bytes], kind: type[_T]) -> list[_T]:
    found: list[_T] = []
    for start in range(0, len(bodies), _AT_ONCE):
        found += _read(b"[" + b",".join(bodies[start : start + _AT_ONCE]) + b"]", list[kind])  # type: ignore[valid-type]  # a type made at run time
    return found


def _read(body: bytes, kind: Any) -> Any:
    try:
        return _adapter(kind).validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"][:3])
        raise StateUnreadableError(f"{first['type']} at {place or 'the top'}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
