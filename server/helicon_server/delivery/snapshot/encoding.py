"""A state as JSON and back. Never pickle: whoever can write the file must not be able to run code by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from helicon_server.delivery.restore import State

FORMAT: Final = 1
"""Grows with every change after which an older state would be read wrongly. New fields with a default need none."""

_AT_ONCE: Final = 500  # rows encoded in one piece: between two of them other threads get their turn


class StateUnreadableError(ValueError):
    """The bytes are not a state of this format; the message holds no part of them."""


def encode(state: State) -> bytes:
    """The state as one JSON object with a member for each field. For a thread: it takes its time for large ones."""
    members = (orjson.dumps(f.name) + b":" + b"".join(_pieces(getattr(state, f.name))) for f in fields(State))
    return b"{" + b",".join(members) + b"}"


def decode(body: bytes) -> State:
    """The state that was encoded. Raises StateUnreadableError."""
    try:
        return _adapter().validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"][:3])
        raise StateUnreadableError(f"{first['type']} at {place or 'the top'}") from None


@cache
def _adapter() -> TypeAdapter[State]:
    return TypeAdapter(State)


def _pieces(value: object) -> Iterator[bytes]:
    """The JSON of a value; mappings are gone through, long lists cut, so that no single call is long."""
    if isinstance(value, Mapping):
        yield b"{"
        for number, (key, each) in enumerate(value.items()):
            yield (b"," if number else b"") + orjson.dumps(key) + b":"
            yield from _pieces(each)
        yield b"}"
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) > _AT_ONCE:
        yield b"["
        for start in range(0, len(value), _AT_ONCE):
            yield (b"," if start else b"") + orjson.dumps(list(value[start : start + _AT_ONCE]))[1:-1]
        yield b"]"
    else:
        yield orjson.dumps(value)
