"""Opens a client: the one object that a program creates to have its configuration."""

from __future__ import annotations

import math
import threading
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from helicon._impl import lifetime
from helicon._impl.backup import Backup
from helicon._impl.client_core import Core, advise
from helicon._impl.errors import SettingsError
from helicon._impl.follower import Follower
from helicon._impl.namespace_state import NamespaceState
from helicon._impl.settings import read_settings
from helicon.config import Config
from helicon.protocol.names import DEFAULT_NAMESPACE, is_name, strip_properties
from helicon.status import ClientStatus, Connection

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from helicon._impl.errors import RequestError

START_TIMEOUT_SECONDS = 5.0
CLOSE_TIMEOUT_SECONDS = 2.0


class Client:
    """Follows the namespaces of one app.

    Creating it loads them: from the servers, else from the copy that an earlier start left on this machine,
    else not at all, so that every read gives the caller's default. `status` says which. It never raises
    because of the network, and returns after `start_timeout` at the latest. From then on one thread follows
    the servers; reads look into memory.

    Safe for use by several threads, and across `fork`: a child follows the servers by itself.
    """

    def __init__(
        self,
        *,
        meta: str | Iterable[str] | None = None,
        app_id: str | None = None,
        namespaces: str | Iterable[str] | None = None,
        env: str | None = None,
        cluster: str | None = None,
        data_center: str | None = None,
        label: str | None = None,
        ip: str | None = None,
        access_key_secret: str | None = None,
        access_key_secret_file: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        start_timeout: float = START_TIMEOUT_SECONDS,
    ) -> None:
        """Reads the settings and loads the namespaces. Raises `SettingsError`.

        What is not given comes from the environment: `HELICON_META` for `meta` and so on, or Apollo's name
        for the same. `cache_dir="off"` keeps no backup. `start_timeout` is in seconds, for all namespaces
        together; with a backup a start takes less, because it is used as soon as the servers have failed.
        """
        _require_timeout(start_timeout)
        self._settings = read_settings(
            meta=meta,
            app_id=app_id,
            namespaces=namespaces,
            env=env,
            cluster=cluster,
            data_center=data_center,
            label=label,
            ip=ip,
            access_key_secret=access_key_secret,
            access_key_secret_file=access_key_secret_file,
            cache_dir=cache_dir,
        )
        advise(self._settings.advice)
        self._start_timeout = float(start_timeout)
        self._core = Core(self._settings.app_id)
        self._adding = threading.Lock()
        self._backup = Backup(self._settings.cache_dirs)
        self._configs: dict[str, tuple[NamespaceState, Config]] = {}
        self._closed = False
        deadline = time.monotonic() + self._start_timeout
        self._follower = Follower(self._settings)
        for name in self._settings.namespaces:
            self._follower.add(self._create(name), deadline - self._margin)
        self._follower.start()
        lifetime.register(self)
        self._await_start(list(self._configs), deadline)

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """Creates a client from the environment; what is given here goes before it."""
        return cls(**settings)

    def namespace(self, name: str = DEFAULT_NAMESPACE) -> Config:
        """Returns the live view of a namespace: always the same object for one name.

        One that was not among the client's namespaces is loaded now, as at the start, and followed from then
        on. Raises `SettingsError` for a name that cannot be one.
        """
        stripped = strip_properties(name)
        found = self._configs.get(stripped)
        if found is not None:
            return found[1]
        if not is_name(stripped):
            raise SettingsError(
                "invalid_setting", f"{name[:80]!r} cannot be a namespace", variable="HELICON_NAMESPACES"
            )
        deadline = time.monotonic() + self._start_timeout
        with self._adding:
            if stripped not in self._configs:
                self._follower.add(self._create(stripped), deadline - self._margin)
        self._await_start([stripped], deadline)
        return self._configs[stripped][1]

    def status(self) -> ClientStatus:
        """Describes the client at this moment: where its values come from, how old they are, what is wrong."""
        now = time.monotonic()
        follower, dispatcher, counters = self._follower, self._core.dispatcher, self._core.counters
        states = [state for state, _ in tuple(self._configs.values())]
        return ClientStatus(
            app_id=self._settings.app_id,
            cluster=self._settings.cluster,
            connection=Connection.CLOSED if self._closed else follower.connection,
            server=follower.server.url if follower.server else None,
            last_error=_last_error(follower.last_error, states),
            failures=follower.failures,
            namespaces=MappingProxyType({state.name: state.status(now) for state in states}),
            bad_values=counters.bad_values,
            bad_bindings=counters.bad_bindings,
            listener_errors=dispatcher.errors,
            listeners_busy=dispatcher.busy,
            events_coalesced=dispatcher.coalesced,
        )

    def close(self, timeout: float = CLOSE_TIMEOUT_SECONDS) -> None:
        """Ends following and delivering; returns after `timeout` seconds at the latest.

        Reads go on from memory. Calling it again does nothing. A listener may call it.
        """
        if self._closed:
            return
        self._closed = True
        lifetime.forget(self)
        deadline = time.monotonic() + timeout
        self._follower.close(deadline)
        self._core.dispatcher.close(deadline)

    def _restart_in_child(self) -> None:
        """Begins anew in a forked child. Called by the interpreter, not by programs."""
        self._adding = threading.Lock()
        self._core.renew()
        for state, _ in self._configs.values():
            state.after_fork()
        self._follower.restart_in_child()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._settings.app_id}, {len(self._configs)} namespaces>"

    @property
    def _margin(self) -> float:
        """How much earlier the thread gives up than its caller, so that the caller sees why."""
        return min(0.1, self._start_timeout / 10)

    def _create(self, name: str) -> NamespaceState:
        state = NamespaceState(name, self._settings, self._backup, self._core.counters.bad_value)
        self._configs[name] = (state, Config(state, self._core))
        return state

    def _await_start(self, names: list[str], deadline: float) -> None:
        for name in names:
            state, _ = self._configs[name]
            if self._closed or not state.settled.wait(max(0.0, deadline - time.monotonic())):
                # The thread is still waiting for an answer; what an earlier start left is better than nothing.
                if state.refused is None:
                    state.load_backup()
                state.settled.set()


def _last_error(error: RequestError | None, states: list[NamespaceState]) -> str | None:
    """Says what is wrong: with the servers, else with the first namespace that has a trouble of its own."""
    if error is not None:
        return f"{error.code}: {error.message}"
    for state in states:
        own = state.last_error  # once: the polling thread may clear it at any moment
        if own is not None:
            return f"{own.code}: namespace {state.name}: {own.message}"
    return None


def _require_timeout(seconds: float) -> None:
    try:
        usable = math.isfinite(seconds) and seconds > 0
    except TypeError:
        usable = False
    if not usable:
        raise SettingsError("invalid_setting", "start_timeout is a number of seconds above 0", variable="start_timeout")
