"""Holds one release of one namespace as an immutable, typed view."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, overload

from helicon._impl.building import build
from helicon._impl.convert import convert, fresh, to_json
from helicon.protocol.names import CONTENT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterator, KeysView

T = TypeVar("T")
D = TypeVar("D")

_CONVERTED_LIMIT = 10_000
"""Conversions kept; only reached by a caller that passes a new function with every read."""

_ABSENT = object()
_BAD = object()


class Source(StrEnum):
    """Where the values of a namespace come from."""

    SERVER = "server"
    BACKUP = "backup"
    """The last good copy on this machine: no server answered since the start."""
    NONE = "none"
    """Nothing is known, so every read gives the caller's default."""


class Snapshot:
    """A consistent view of one release: it never changes, whatever is published meanwhile."""

    __slots__ = ("_converted", "_report", "_values", "namespace", "release_key", "source")

    def __init__(
        self,
        namespace: str,
        values: dict[str, str],
        release_key: str | None,
        source: Source,
        report: Callable[[str, str, str], None],
    ) -> None:
        """Takes the dictionary over: nobody else may keep it. `report` hears of each bad value once."""
        self.namespace = namespace
        self.release_key = release_key
        self.source = source
        self._values = values
        self._converted: dict[tuple[str, Any], Any] = {}
        self._report = report

    @overload
    def get(self, key: str) -> str | None: ...
    @overload
    def get(self, key: str, default: D) -> str | D: ...
    @overload
    def get(self, key: str, *, as_: type[T] | Callable[[str], T]) -> T | None: ...
    @overload
    def get(self, key: str, default: D, as_: type[T] | Callable[[str], T]) -> T | D: ...
    def get(self, key: str, default: Any = None, as_: Any = None) -> Any:
        """Reads a value, converted to `as_` when that is given.

        A missing key, and a value that does not convert, give the default. The first bad value of a key is
        logged by key, never by value.
        """
        if as_ is None:
            return self._values.get(key, default)
        value = self._converted.get((key, as_), _ABSENT)
        if value is _ABSENT:
            value = self._convert(key, as_)
        if value is _BAD:
            return default
        return fresh(value) if type(value) in _CHANGEABLE else value

    @property
    def content(self) -> str | None:
        """The whole text of a document namespace such as `routes.json`; None when there is none."""
        return self._values.get(CONTENT_KEY)

    def json(self, default: D | None = None) -> Any | D:
        """Reads the whole document as JSON; the default when there is none or it is not JSON."""
        return self.get(CONTENT_KEY, default, as_=_json)

    def bind(self, target: type[T], *, prefix: str = "") -> T:
        """Builds an instance of a dataclass or a pydantic model from this release.

        A plain one, as if the program had made it: it stays what it is whatever is published, and
        `dataclasses.asdict`, `replace` and pickling take it. The fields are filled as by `Config.bind`. Raises
        `BindError`, which names everything that does not fit.
        """
        return build(target, self._values, prefix)

    def keys(self) -> KeysView[str]:
        """Shows the keys in the order of the release."""
        return self._values.keys()

    def items(self) -> ItemsView[str, str]:
        """Shows keys and texts in the order of the release."""
        return self._values.items()

    def as_dict(self) -> dict[str, str]:
        """Copies keys and texts into a dictionary of the caller's own."""
        return dict(self._values)

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        """Shows what it is of, and never a value."""
        return f"<Snapshot {self.namespace} release {self.release_key} from {self.source}, {len(self._values)} keys>"

    def _convert(self, key: str, as_: Any) -> Any:
        text = self._values.get(key)
        if text is None:
            # Not kept: a program may ask for any number of keys that do not exist.
            return _BAD
        try:
            value = convert(text, as_)
        except Exception:  # noqa: BLE001 - a caller's own converter may raise anything; a read never does
            value = _BAD
            self._report(self.namespace, key, "JSON" if as_ is _json else getattr(as_, "__name__", str(as_)))
        if len(self._converted) >= _CONVERTED_LIMIT:
            self._converted.clear()
        self._converted[key, as_] = value
        return value


_CHANGEABLE = frozenset({list, dict, set})


def _json(text: str) -> Any:
    return to_json(text)
