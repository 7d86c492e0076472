"""Follows the servers in one thread: first load, long poll, fetch, looks in between, back-off.

Only this thread talks to servers. Everything that other threads need is in `NamespaceState` and in the few
fields that `Client.status` reads.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from helicon._impl import backoff
from helicon._impl.errors import AddressError, DeniedError, NotReleasedError, RequestError, UnavailableError
from helicon._impl.listeners import place_of
from helicon._impl.transport import POLL_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, Poll, Transport
from helicon._impl.waker import Waker
from helicon.status import Connection

if TYPE_CHECKING:
    from helicon._impl.address import Address
    from helicon._impl.namespace_state import NamespaceState
    from helicon._impl.settings import ClientSettings
    from helicon.protocol.messages import Notification

LOG = logging.getLogger("helicon")

_ONE_NAMESPACE_CODES = frozenset({"bad_answer", "too_large", "connection_lost", "server_error"})
"""Troubles that may come from one namespace alone; the others say that no server can be used."""

POLLS_FAILED = 3
"""Failed polls in a row, between looks that succeed, after which it is told."""

START_CAP_SECONDS = 1.0
"""Ceiling of the waits while a caller waits for the first load."""


class Follower:
    """Owns the polling thread of one client."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._start_deadline = 0.0
        self._states: dict[str, NamespaceState] = {}
        self._server: Address | None = None
        self._closing = False
        self._new_names = False
        self._lost = False
        self._reached = False
        self.connection = Connection.CONNECTING
        self.server: Address | None = None
        self.last_error: RequestError | None = None
        self.failures = 0
        self._create()

    def _create(self) -> None:
        self._waker = Waker()
        self._transport = Transport(self._settings)
        name = f"helicon-poll-{self._settings.app_id}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def restart_in_child(self) -> None:
        """Begins anew after a fork: threads did not come along, and the connections are the parent's."""
        self._waker.close()
        self._transport.close()
        self._create()
        self.start()

    def add(self, state: NamespaceState, start_deadline: float) -> None:
        """Follows one more namespace. Callers keep others from adding at the same time."""
        self._states = {**self._states, state.name: state}
        self._start_deadline = start_deadline
        self._new_names = True
        self._waker.call()

    def close(self, deadline: float) -> None:
        """Ends the thread; returns at the deadline (monotonic seconds) at the latest."""
        self._closing = True
        self._waker.call()
        self._transport.interrupt()
        if self._thread is not threading.current_thread():
            self._thread.join(max(0.0, deadline - time.monotonic()))

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._closing:
                try:
                    self._round()
                except RequestError as error:
                    self._rest(error)
                except Exception as error:  # noqa: BLE001 - a fault of ours must not end following for good
                    # Without its text, which may repeat a value.
                    where = place_of(error)
                    LOG.error("internal_error error=%s at=%s", type(error).__name__, where)  # noqa: TRY400 - so
                    self._rest(UnavailableError("internal", f"{type(error).__name__} in the client"))
        finally:
            self._waker.close()
            self._transport.close()
            for state in self._states.values():
                state.settled.set()

    def _round(self) -> None:
        """Loads what is not loaded, then holds one poll and follows up what it says."""
        self._new_names = self._reached = False
        # After a loss of the servers all are looked at: it is the only way to know at once that they are back,
        # and what a poll would have said meanwhile. Where polls alone fail, as behind a proxy that forbids them,
        # it is also what still brings changes, if late.
        self._look_at([state for state in self._states.values() if self._lost or not state.asked])
        self._lost = False
        if not any(state.asked for state in self._states.values()):
            raise self.last_error or UnavailableError("bad_answer", "no server gave a usable answer")
        poll = self._begin_poll()
        try:
            news = self._wait(poll)
        except BaseException:
            poll.abandon()
            raise
        if news is not None:
            # Only now: where polls alone fail, looks that succeed must not make the rounds ever faster.
            self.failures = 0
            self._worked(poll.server)
            self._follow_up(news, poll.server)

    def _begin_poll(self) -> Poll:
        marks = {state.name: state.progress.seen for state in self._states.values()}
        deadline = time.monotonic() + READ_TIMEOUT_SECONDS
        return self._transport.begin_poll(marks, deadline=deadline, first=self._server)

    def _wait(self, poll: Poll) -> tuple[Notification, ...] | None:
        """Waits for the poll's answer, looking at namespaces that are due meanwhile. None: begin anew."""
        until = time.monotonic() + POLL_TIMEOUT_SECONDS
        while not poll.has_arrived():
            if self._closing or self._new_names:
                poll.abandon()
                return None
            now = time.monotonic()
            if now >= until:
                raise UnavailableError("timeout", f"{poll.server.url} does not end the poll in time")
            self._look_while_polling([s for s in self._states.values() if s.progress.due <= now])
            soonest = min((state.progress.due for state in self._states.values()), default=until)
            self._waker.wait(min(until, soonest) - time.monotonic(), poll)
        news = poll.finish()
        if not news:
            self._nothing_new()
        return news

    def _nothing_new(self) -> None:
        now = time.monotonic()
        for state in self._states.values():
            if state.asked and state.refused is None and not state.progress.in_doubt:
                state.confirm(now)
        # Half of the clients choose anew each minute, so that they spread over servers that came later.
        if backoff.random_unit() < 0.5:
            self._server = None
            self._transport.servers.reshuffle()

    def _follow_up(self, news: tuple[Notification, ...], server: Address) -> None:
        noticed = []
        for notification in news:
            state = self._states.get(notification.namespace)
            if state is not None:
                state.progress.noticed(notification, server)
                noticed.append(state)
        self._look_at(noticed)

    def _look_at(self, states: list[NamespaceState]) -> None:
        """Fetches each of these namespaces. Raises `RequestError` when the servers are the trouble.

        A namespace whose own answer is bad must not keep the others from theirs, nor from being polled for:
        it is looked at again later.
        """
        # Those that had no trouble go first, so that one that uses up the time cannot starve the others.
        states = sorted(states, key=lambda state: state.last_error is not None)
        for state in states:
            if self._closing:
                return
            try:
                self._look(state)
            except RequestError as error:
                state.last_error = self.last_error = error
                if not isinstance(error, UnavailableError):
                    state.refused = error
                if error.code not in _ONE_NAMESPACE_CODES:
                    raise
                state.progress.postponed(time.monotonic(), backoff.random_unit())
        for state in states:
            state.keep()

    def _look_while_polling(self, states: list[NamespaceState]) -> None:
        silent = False
        for state in states:
            try:
                if not silent:
                    self._look(state)
                    state.keep()
            except RequestError as error:
                # The poll itself still stands, so this is no reason to give the connection up.
                state.last_error = error
                silent = error.code not in _ONE_NAMESPACE_CODES
                state.progress.unanswered(time.monotonic(), backoff.random_unit())
            else:
                if silent:
                    state.progress.unanswered(time.monotonic(), backoff.random_unit())

    def _look(self, state: NamespaceState) -> None:
        """Fetches one namespace and draws the conclusions. Raises `RequestError`."""
        snapshot = state.snapshot
        held = snapshot.release_key
        progress = state.progress
        try:
            fetched = self._transport.fetch(
                state.name,
                deadline=self._deadline(),
                release_key=held,
                held=None if held is None else snapshot.as_dict(),
                details=progress.details,
                first=progress.promiser or self._server,
            )
        except NotReleasedError as error:
            # The servers know of nothing: the copy in hand stays, and the word counts like "unchanged".
            if error.server is not None:
                self._conclude(state, error.server, changed=False)
                self._worked(error.server)
            state.asked, state.last_error, state.refused = True, error, error
            state.settled.set()
            return
        config = fetched.config
        changed = config is not None and config.release_key != held
        if config is not None and changed:
            if not progress.accepts(config.release_key, held, fetched.server):
                self._distrust(state, fetched.server)
                return
            state.take(config)
        self._conclude(state, fetched.server, changed=changed)
        state.confirm(time.monotonic())
        self._worked(fetched.server)
        # Last: whoever waits for it may ask for the status at once.
        state.settled.set()

    def _conclude(self, state: NamespaceState, server: Address, *, changed: bool) -> None:
        settled = state.progress.answered(server, changed=changed, now=time.monotonic(), unit=backoff.random_unit())
        if not settled:
            raise UnavailableError("behind", f"{server.url} does not have the release that was announced")

    def _distrust(self, state: NamespaceState, server: Address) -> None:
        if state.progress.promised is not None:
            raise UnavailableError("behind", f"{server.url} has an older release than this client")
        LOG.info("older_release_ignored namespace=%s server=%s", state.name, server.url)
        state.progress.distrusted(time.monotonic(), backoff.random_unit())
        state.settled.set()

    def _deadline(self) -> float:
        """Gives a fetch the usual time, but never more than a caller has left who waits for the start.

        Without one the end of the start means nothing: a fetch that happens to begin shortly before it must not be
        cut short, or a release that is announced just then arrives late.
        """
        now = time.monotonic()
        usual = now + READ_TIMEOUT_SECONDS
        waited_for = any(not state.settled.is_set() for state in self._states.values())
        return min(usual, self._start_deadline) if waited_for and now < self._start_deadline else usual

    # --- trouble ---------------------------------------------------------------------------------

    def _worked(self, server: Address) -> None:
        if self.connection is not Connection.CONNECTED:
            LOG.info("connected app=%s server=%s", self._settings.app_id, server.url)
        self.connection = Connection.CONNECTED
        self.server = self._server = server
        self.last_error = None
        self._reached = True

    def _rest(self, error: RequestError) -> None:
        """Notes a failed round, settles what a caller may be waiting for, and waits."""
        if self._closing:
            return
        self.last_error = error
        self.failures += 1
        self._server = None
        self._lost = True
        for state in self._states.values():
            state.progress.resume()
        self._note(error)
        waited_for = [state for state in self._states.values() if not state.settled.is_set()]
        self._settle(waited_for, error)
        still_waited_for = any(not state.settled.is_set() for state in waited_for)
        wait = backoff.full_jitter(
            self.failures,
            backoff.random_unit(),
            cap=self._cap(error, still_waited_for),
            at_least=error.retry_after or 0.0,
        )
        if still_waited_for:
            wait = min(wait, max(0.0, self._start_deadline - time.monotonic()))
        self._waker.wait(wait)

    def _settle(self, states: list[NamespaceState], error: RequestError) -> None:
        """Starts from the backup what no server gave; without one, keeps trying until the start is over."""
        over = time.monotonic() >= self._start_deadline
        for state in states:
            if isinstance(error, (DeniedError, AddressError)) or state.refused is not None:
                # The servers are there and say no: a copy on disk must not outlive a revoked key or an environment.
                state.refused = state.refused or error
                state.settled.set()
            elif state.load_backup():
                LOG.warning("started_from_backup namespace=%s cause=%s", state.name, error.code)
                state.settled.set()
            elif over:
                state.settled.set()

    def _note(self, error: RequestError) -> None:
        """Logs a change of the state, not each failure."""
        before = self.connection
        first = before is Connection.CONNECTING and self.failures == 1
        if isinstance(error, DeniedError):
            self.connection = Connection.DENIED
        elif self._reached and self.failures == POLLS_FAILED:
            LOG.warning(
                "polls_fail app=%s cause=%s: %s; changes arrive late until a poll succeeds",
                self._settings.app_id,
                error.code,
                error.message,
            )
        elif before is Connection.DENIED or (before is Connection.CONNECTED and self._is_outage()):
            self.connection = Connection.INTERRUPTED
        if self.connection is not before or first:
            LOG.log(
                logging.ERROR if isinstance(error, (DeniedError, AddressError)) else logging.WARNING,
                "servers_unavailable app=%s state=%s cause=%s: %s",
                self._settings.app_id,
                self.connection,
                error.code,
                error.message,
            )

    def _is_outage(self) -> bool:
        """Says whether the servers are lost: not after one failure, which is how a restart of a server or a cut
        connection looks and which the next round heals, and not while they answer all but polls.
        """
        return self.failures > 1 and not self._reached

    @staticmethod
    def _cap(error: RequestError, waited_for: bool) -> float:
        if waited_for:
            return START_CAP_SECONDS
        return backoff.DENIED_CAP_SECONDS if isinstance(error, DeniedError) else backoff.CAP_SECONDS
