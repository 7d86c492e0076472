"""Holds what a program keeps in its hand: the live view of one namespace."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import TYPE_CHECKING, Any, TypeVar, overload

from helicon._impl.binding import bind
from helicon._impl.listeners import Listener

if TYPE_CHECKING:
    from helicon._impl.client_core import Core
    from helicon._impl.namespace_state import NamespaceState
    from helicon.events import ChangeEvent
    from helicon.snapshot import Snapshot

T = TypeVar("T")
D = TypeVar("D")
F = TypeVar("F", bound="Callable[[ChangeEvent], object]")


class Config:
    """The values of one namespace, always current. Comes from `Client.namespace`.

    Reads look into memory. None of them waits for the network or raises because of it.
    """

    __slots__ = ("_core", "_listeners", "_state")

    def __init__(self, state: NamespaceState, core: Core) -> None:
        self._state = state
        self._core = core
        self._listeners: tuple[Listener, ...] = ()
        state.on_change = self._publish

    @property
    def name(self) -> str:
        """The name of the namespace."""
        return self._state.name

    @overload
    def get(self, key: str) -> str | None: ...
    @overload
    def get(self, key: str, default: D) -> str | D: ...
    @overload
    def get(self, key: str, *, as_: type[T] | Callable[[str], T]) -> T | None: ...
    @overload
    def get(self, key: str, default: D, as_: type[T] | Callable[[str], T]) -> T | D: ...
    def get(self, key: str, default: Any = None, as_: Any = None) -> Any:
        """Reads the current value, converted to `as_` when that is given.

        `as_` is `str`, `int`, `float`, `bool`, `datetime.timedelta`, `list`, `dict`, one of the last two with
        element types, an enumeration, or a function of the text. A missing key and a value that does not
        convert give the default. Two reads may see two releases; `snapshot` gives one.
        """
        # The dictionary itself, because a method call more would double the time of the commonest read.
        if as_ is None:
            return self._state.snapshot._values.get(key, default)
        return self._state.snapshot.get(key, default, as_)

    def snapshot(self) -> Snapshot:
        """Returns the release that is current now, as a view that never changes."""
        return self._state.snapshot

    @property
    def content(self) -> str | None:
        """The whole text of a document namespace such as `routes.json`; None when there is none."""
        return self._state.snapshot.content

    def json(self, default: D | None = None) -> Any | D:
        """Reads the whole document as JSON; the default when there is none or it is not JSON."""
        return self._state.snapshot.json(default)

    @overload
    def on_change(self, pattern: F, /) -> F: ...
    @overload
    def on_change(self, *patterns: str) -> Callable[[F], F]: ...
    def on_change(self, *patterns: Any) -> Any:
        """Registers the decorated function for changes of keys that match one of the patterns.

        Patterns are those of the shell (`http.*`); without any, every key counts. The function runs in a
        thread of the client, after the new values can be read, one event at a time and in order. It may
        block or raise: neither reads, polling nor other listeners notice.
        """
        if len(patterns) == 1 and callable(patterns[0]):
            self._add(patterns[0], _everything)
            return patterns[0]
        expression = "|".join(translate(pattern) for pattern in patterns)
        wanted = re.compile(expression).match if patterns else _everything

        def decorate(function: F) -> F:
            self._add(function, wanted)
            return function

        return decorate

    def remove_listener(self, function: Callable[[ChangeEvent], object]) -> None:
        """Ends the delivery of events to a function; an event that is being delivered is not stopped."""
        with self._core.lock:
            self._listeners = tuple([one for one in self._listeners if one.function != function])

    def bind(self, target: type[T], *, prefix: str = "") -> T:
        """Binds the namespace to a dataclass, or to a pydantic model, and returns it always current.

        What comes back reads like an instance of the class; each attribute is that of the newest release
        that fits the class. A field `http_timeout` takes the key `http_timeout`, `http.timeout`,
        `http-timeout` or `httpTimeout` behind the prefix, or the one that `field(metadata={"key": ...})` or a
        pydantic alias names. Raises `BindError` when the release of now does not fit; a later one that does
        not is logged and counted, and the earlier values stay.

        Two attributes read one after the other may be of two releases. `snapshot().bind(...)` gives a plain
        instance of one release, for that and for what must have one, such as `dataclasses.asdict`.
        """
        return bind(target, prefix, self._state, self._core.counters)

    def __repr__(self) -> str:
        return f"<Config of {self._state.snapshot!r}>"

    def _add(self, function: Callable[[ChangeEvent], object], wanted: Callable[[str], object]) -> None:
        with self._core.lock:
            self._listeners = (*self._listeners, Listener(function, wanted))

    def _publish(self, event: ChangeEvent) -> None:
        for listener in self._listeners:
            reduced = event.matching(listener.wanted)
            if reduced is not None:
                self._core.dispatcher.post(listener, reduced)


def _everything(_: str) -> bool:
    return True
