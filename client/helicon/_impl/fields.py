"""Finds which keys of a release fill the fields of a dataclass or a pydantic model, and converts them.

Pydantic is never imported: a class is recognised by what it offers, so a program without it pays nothing.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from helicon._impl.convert import convert, to_dict, to_duration, to_list
from helicon._impl.errors import BindError

_SEPARATORS = str.maketrans("", "", ".-_")
_SEQUENCES = (list, tuple, set, frozenset)


class Field(NamedTuple):
    """One field of a class."""

    name: str
    hint: Any
    key: str | None
    """The key that the class asks for by name."""
    required: bool
    argument: str
    """Under which name the class takes the value."""


class Keys:
    """Looks keys up by field name, tolerant of how the words of a key are separated."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._folded: dict[str, list[str]] = {}
        for key in values:
            self._folded.setdefault(_fold(key), []).append(key)

    def find(self, prefix: str, field: Field) -> tuple[str, str | None]:
        """Returns the key that fills a field, and its text; the text is None when there is no such key."""
        if field.key is not None:
            key = prefix + field.key
            return key, self._values.get(key)
        spellings = (field.name, field.name.replace("_", "."), field.name.replace("_", "-"))
        for spelling in spellings:
            text = self._values.get(prefix + spelling)
            if text is not None:
                return prefix + spelling, text
        alike = self._folded.get(_fold(prefix + field.name), [])
        # Two keys that differ only in their separators leave open which one is meant.
        if len(alike) == 1:
            return alike[0], self._values[alike[0]]
        return prefix + spellings[1], None

    def section(self, prefix: str, field: Field) -> str | None:
        """Returns the prefix of the keys of a nested class; None when there is no such key."""
        name = field.key or field.name
        for spelling in (name, name.replace("_", "."), name.replace("_", "-")):
            start = f"{prefix}{spelling}."
            if any(key.startswith(start) for key in self._values):
                return start
        return None


def build(target: type[Any], values: Mapping[str, str], prefix: str) -> Any:
    """Builds an instance of the class. Raises `BindError`, whose text holds keys and never values."""
    return _construct(target, _arguments(target, Keys(values), prefix))


def require_supported(target: Any) -> None:
    """Raises `BindError` with code `unsupported_class` unless the class can be bound to."""
    if not _is_nested(target):
        name = getattr(target, "__name__", repr(target))
        raise BindError("unsupported_class", f"{name} is neither a dataclass nor a pydantic model")


def _arguments(target: type[Any], keys: Keys, prefix: str) -> dict[str, Any]:
    arguments = {}
    for field in _fields(target):
        inner = _without_none(field.hint)
        if _is_nested(inner):
            section = keys.section(prefix, field)
            if section is not None or field.required:
                start = section or f"{prefix}{field.key or field.name}."
                arguments[field.argument] = _construct(inner, _arguments(inner, keys, start))
            continue
        key, text = keys.find(prefix, field)
        if text is not None:
            arguments[field.argument] = _value(target, field, key, text)
        elif field.required:
            raise BindError("missing_key", f"{target.__name__}.{field.name} needs the key {key!r}")
    return arguments


def _value(target: type[Any], field: Field, key: str, text: str) -> Any:
    convert_to: Callable[[str, Any], Any] = _for_model if _is_model(target) else convert
    try:
        return convert_to(text, field.hint)
    except Exception:  # noqa: BLE001 - converters may be the caller's; their text may repeat the value
        wanted = getattr(field.hint, "__name__", str(field.hint))
        message = f"{target.__name__}.{field.name}: the value of key {key!r} is no {wanted}"
        raise BindError("invalid_value", message) from None


def _for_model(text: str, hint: Any) -> Any:
    """Opens up what pydantic does not read from text; all else it converts by its own rules."""
    inner = _without_none(hint)
    kind = get_origin(inner) or inner
    if kind in _SEQUENCES:
        return to_list(text)
    if kind is dict:
        return to_dict(text)
    if kind is timedelta:
        try:
            return to_duration(text)
        except ValueError:
            return text
    return text


def _construct(target: type[Any], arguments: dict[str, Any]) -> Any:
    try:
        return target.model_validate(arguments) if _is_model(target) else target(**arguments)
    except Exception as error:  # noqa: BLE001 - a class may raise anything; its text may repeat a value
        reason = _reason(error)
    raise BindError("invalid_value", f"{target.__name__} refuses the values: {reason}")


def _reason(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if not callable(details):
        return type(error).__name__
    parts = [f"{'.'.join(map(str, part['loc']))} ({part['type']})" for part in details()]
    return ", ".join(parts) or type(error).__name__


def _fields(target: type[Any]) -> list[Field]:
    if _is_model(target):
        return [_model_field(name, info) for name, info in target.model_fields.items()]
    hints = get_type_hints(target)
    return [
        Field(
            field.name,
            hints[field.name],
            field.metadata.get("key"),
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            field.name,
        )
        for field in dataclasses.fields(target)
        if field.init
    ]


def _model_field(name: str, info: Any) -> Field:
    alias = info.validation_alias or info.alias
    key = alias if isinstance(alias, str) else None
    return Field(name, info.annotation, key, info.is_required(), key or name)


def _is_model(target: Any) -> bool:
    return isinstance(target, type) and hasattr(target, "model_validate") and hasattr(target, "model_fields")


def _is_nested(target: Any) -> bool:
    return isinstance(target, type) and (dataclasses.is_dataclass(target) or _is_model(target))


def _without_none(hint: Any) -> Any:
    """Strips `| None`; a union of several types stays what it is."""
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        if len(members) == 1:
            return members[0]
    return hint


def _fold(key: str) -> str:
    return key.translate(_SEPARATORS).lower()
