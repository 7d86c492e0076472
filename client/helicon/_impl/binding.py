"""Keeps an instance of a caller's class in step with the releases of a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, cast

from helicon._impl.errors import BindError

if TYPE_CHECKING:
    from helicon._impl.client_core import Counters
    from helicon._impl.namespace_state import NamespaceState
    from helicon.snapshot import Snapshot

T = TypeVar("T")


class _Binding:
    """Builds an instance for each release that is looked at, and keeps the last that could be built."""

    def __init__(self, target: type[Any], prefix: str, state: NamespaceState, counters: Counters) -> None:
        self.target = target
        self._prefix = prefix
        self._state = state
        self._counters = counters
        snapshot = state.snapshot
        # One attribute, so that readers in other threads never see the release of one and the instance of
        # another.
        self._built: tuple[Snapshot, Any] = (snapshot, snapshot.bind(target, prefix=prefix))

    def current(self) -> Any:
        snapshot = self._state.snapshot
        seen, instance = self._built
        if snapshot is seen:
            return instance
        try:
            instance = snapshot.bind(self.target, prefix=self._prefix)
        except BindError as error:
            self._counters.bad_binding(self._state.name, self.target.__name__, error.message)
        self._built = (snapshot, instance)
        return instance


class _Bound:
    """Stands for the newest instance: reads like one, cannot be changed, shows no value in its text.

    A copy, a deep copy and a pickle of it are plain instances of the class, and stay what they were.
    """

    __slots__ = ("_helicon_binding",)
    _helicon_binding: _Binding

    def __init__(self, binding: _Binding) -> None:
        object.__setattr__(self, "_helicon_binding", binding)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._helicon_binding.current(), name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name!r} comes from the configuration and cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name!r} comes from the configuration and cannot be deleted")

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        reduced: str | tuple[Any, ...] = self._helicon_binding.current().__reduce_ex__(protocol)
        return reduced

    def __dir__(self) -> list[str]:
        return dir(self._helicon_binding.current())

    def __eq__(self, other: object) -> bool:
        theirs = other._helicon_binding.current() if type(other) is _Bound else other
        return bool(self._helicon_binding.current() == theirs)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{self._helicon_binding.target.__name__} bound to the configuration>"

    @property  # type: ignore[misc]  # answers isinstance() the way the bound class would
    def __class__(self) -> type[Any]:
        return self._helicon_binding.target


def bind(target: type[T], prefix: str, state: NamespaceState, counters: Counters) -> T:
    """Binds a class to a namespace. Raises `BindError`."""
    return cast("T", _Bound(_Binding(target, prefix, state, counters)))
