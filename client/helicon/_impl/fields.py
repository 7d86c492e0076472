"""Finds which fields a dataclass or a pydantic model has, and which keys of a release fill them.

Pydantic is never imported: a class is recognised by what it offers, so a program without it pays nothing.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

_SEPARATORS = str.maketrans("", "", ".-_")


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


def fields_of(target: type[Any]) -> list[Field]:
    """Lists the fields of a class that a release may fill."""
    if is_model(target):
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


def is_model(target: Any) -> bool:
    """Says whether a class is a pydantic model."""
    return isinstance(target, type) and hasattr(target, "model_validate") and hasattr(target, "model_fields")


def is_bindable(target: Any) -> bool:
    """Says whether a class can be filled from a release."""
    return isinstance(target, type) and (dataclasses.is_dataclass(target) or is_model(target))


def without_none(hint: Any) -> Any:
    """Strips `| None`; a union of several types stays what it is."""
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        if len(members) == 1:
            return members[0]
    return hint


def _model_field(name: str, info: Any) -> Field:
    alias = info.validation_alias or info.alias
    key = alias if isinstance(alias, str) else None
    return Field(name, info.annotation, key, info.is_required(), key or name)


def _fold(key: str) -> str:
    return key.translate(_SEPARATORS).lower()
