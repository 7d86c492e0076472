"""Builds instances of a caller's class from a release, and gathers all that keeps the two apart.

All faults come out together: somebody who corrects a configuration should not have to publish once for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, cast, get_origin

from helicon._impl.convert import convert, to_dict, to_duration, to_list
from helicon._impl.errors import BindError, Fault
from helicon._impl.fields import Field, Keys, fields_of, is_bindable, is_model, without_none

T = TypeVar("T")

_SEQUENCES = (list, tuple, set, frozenset)


def build(target: type[T], values: Mapping[str, str], prefix: str = "") -> T:
    """Builds an instance of the class. Raises `BindError`, whose text holds fields and keys and never values."""
    if not is_bindable(target):
        name = getattr(target, "__name__", repr(target))
        raise BindError("unsupported_class", f"{name} is neither a dataclass nor a pydantic model")
    builder = _Builder(Keys(values))
    instance = builder.construct(target, prefix, "")
    if builder.faults:
        raise BindError.of(target.__name__, builder.faults)
    return cast("T", instance)


class _Builder:
    """One attempt to fill a class and the classes in it."""

    def __init__(self, keys: Keys) -> None:
        self.faults: list[Fault] = []
        self._keys = keys

    def construct(self, target: type[Any], prefix: str, path: str) -> Any:
        """Builds an instance; what it returns after a fault is of no use."""
        before = len(self.faults)
        given: dict[str, tuple[Field, str]] = {}
        arguments: dict[str, Any] = {}
        for field in fields_of(target):
            faults = len(self.faults)
            found = self._argument(target, field, prefix, path)
            if found is None or len(self.faults) > faults:
                continue
            key, arguments[field.argument] = found
            given[field.argument] = (field, key)
        faulty = len(self.faults) > before
        if faulty and not is_model(target):
            return None
        try:
            return target.model_validate(arguments) if is_model(target) else target(**arguments)
        except Exception as error:  # noqa: BLE001 - a class may raise anything; its text may repeat a value
            self._refused(error, given, path, faulty=faulty)
        return None

    def _argument(self, target: type[Any], field: Field, prefix: str, path: str) -> tuple[str, Any] | None:
        """Returns the key and the value of a field; None for one that keeps its default."""
        inner = without_none(field.hint)
        if is_bindable(inner):
            start = self._keys.section(prefix, field)
            if start is None and not field.required:
                return None
            start = start or f"{prefix}{field.key or field.name}."
            return start, self.construct(inner, start, f"{path}{field.name}.")
        key, text = self._keys.find(prefix, field)
        if text is None:
            if field.required:
                self.faults.append(Fault("missing_key", path + field.name, f"the key {key!r} is missing"))
            return None
        try:
            return key, _value(target, field, text)
        except Exception:  # noqa: BLE001 - converters may be the caller's; their text may repeat the value
            wanted = getattr(field.hint, "__name__", str(field.hint))
        self.faults.append(Fault("invalid_value", path + field.name, f"the value of key {key!r} is no {wanted}"))
        return None

    def _refused(self, error: Exception, given: dict[str, tuple[Field, str]], path: str, *, faulty: bool) -> None:
        """Takes over what a class has against its values; pydantic names each of them."""
        details = getattr(error, "errors", None)
        if not callable(details):
            if not faulty:
                self._refused_whole(path, (), type(error).__name__)
            return
        for detail in details():
            place, kind = detail["loc"], detail["type"]
            known = given.get(str(place[0])) if place else None
            if known is not None:
                field, key = known
                inside = "".join([f".{part}" for part in place[1:]])
                reason = f"the value of key {key!r} is refused ({kind})"
                self.faults.append(Fault("invalid_value", f"{path}{field.name}{inside}", reason))
            elif not faulty:
                self._refused_whole(path, place, kind)

    def _refused_whole(self, path: str, place: tuple[Any, ...], reason: str) -> None:
        where = (path + ".".join([str(part) for part in place])).rstrip(".")
        self.faults.append(Fault("invalid_value", where, f"the class refuses the values ({reason})"))


def _value(target: type[Any], field: Field, text: str) -> Any:
    convert_to: Callable[[str, Any], Any] = _for_model if is_model(target) else convert
    return convert_to(text, field.hint)


def _for_model(text: str, hint: Any) -> Any:
    """Opens up what pydantic does not read from text; all else it converts by its own rules."""
    inner = without_none(hint)
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
