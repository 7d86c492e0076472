"""Turns the text of a value into the type that the caller asks for. Pure; a bad value is a `ValueError`.

Supported: `str`, `int`, `float`, `bool`, `datetime.timedelta`, `list` and `dict` also with element types,
`tuple[T, ...]`, `X | None`, enumerations by value or name, and any callable that takes the text.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_UNITS = {
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d)\s*", re.IGNORECASE | re.ASCII)


def convert(text: str, wanted: Any) -> Any:
    """Converts the text of a value. Raises `ValueError`, or whatever a caller's own callable raises."""
    simple = _SIMPLE.get(wanted)
    if simple is not None:
        return simple(text)
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return _optional(text, wanted)
    if origin is Literal:
        return _literal(text, wanted)
    if origin in (list, tuple, set, frozenset):
        return origin([_element(item, _element_type(wanted)) for item in to_list(text)])
    if origin is dict:
        arguments = get_args(wanted)
        return {key: _element(value, arguments[1]) for key, value in to_dict(text).items()}
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _enum(text, wanted)
    if callable(wanted):
        return wanted(text)
    raise ValueError("this type is not supported")


def to_bool(text: str) -> bool:
    """Reads true/false, 1/0, yes/no and on/off in any case."""
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError("not one of true, false, 1, 0, yes, no, on, off")


def to_int(text: str) -> int:
    """Reads a decimal integer; no underscores, because a typing slip must not pass for a number."""
    if "_" in text:
        raise ValueError("not an integer")
    return int(text)


def to_float(text: str) -> float:
    """Reads a finite number: a time-out of `nan` or `inf` is never meant."""
    value = float(text)
    if "_" in text or not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def to_duration(text: str) -> timedelta:
    """Reads a time with units, such as `250ms`, `2s`, `1m30s`. A bare number has no unit and is refused."""
    stripped = text.strip()
    if stripped == "0":
        return timedelta()
    total, position = timedelta(), 0
    while position < len(stripped):
        part = _DURATION.match(stripped, position)
        if part is None:
            raise ValueError("not a duration with units us, ms, s, m, h or d")
        try:
            total += timedelta(**{_UNITS[part[2].lower()]: float(part[1])})
        except OverflowError:
            raise ValueError("a duration of more than the supported length") from None
        position = part.end()
    if not position:
        raise ValueError("an empty duration")
    return total


def to_list(text: str) -> list[Any]:
    """Reads a JSON array, or texts between commas without the blanks around them."""
    stripped = text.strip()
    if stripped.startswith("["):
        value = to_json(stripped)
        assert isinstance(value, list)
        return value
    return [part.strip() for part in stripped.split(",")] if stripped else []


def to_dict(text: str) -> dict[str, Any]:
    """Reads a JSON object."""
    value = to_json(text)
    if isinstance(value, dict):
        return value
    raise ValueError("not a JSON object")


def to_json(text: str) -> Any:
    """Reads any JSON value."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fresh(value: Any) -> Any:
    """Copies lists and dictionaries, so that a caller who changes one does not change what others read."""
    kind = type(value)
    if kind is list:
        return [fresh(item) for item in value]
    if kind is dict:
        return {key: fresh(item) for key, item in value.items()}
    return set(value) if kind is set else value


def _optional(text: str, wanted: Any) -> Any:
    for member in get_args(wanted):
        if member is not type(None):
            try:
                return convert(text, member)
            except ValueError:
                continue
    raise ValueError("fits none of the types")


def _literal(text: str, wanted: Any) -> Any:
    for member in get_args(wanted):
        if str(member) == text:
            return member
    raise ValueError("not one of the allowed values")


def _enum(text: str, wanted: type[Enum]) -> Enum:
    for member in wanted:
        if str(member.value) == text or member.name == text:
            return member
    raise ValueError("not a member of the enumeration")


def _element_type(wanted: Any) -> Any:
    arguments = get_args(wanted)
    return arguments[0] if arguments else Any


def _element(item: Any, wanted: Any) -> Any:
    """Converts one element of a list: JSON may have given it a type already."""
    if wanted is Any or type(item) is wanted:
        return item
    if isinstance(item, bool) or item is None:
        raise ValueError("an element has another type")
    if isinstance(item, str | int | float):
        return convert(item if isinstance(item, str) else json.dumps(item), wanted)
    return convert(json.dumps(item), wanted)


_SIMPLE: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: to_int,
    float: to_float,
    bool: to_bool,
    timedelta: to_duration,
    list: to_list,
    dict: to_dict,
    Any: str,
}
