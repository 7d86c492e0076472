"""Runs listeners in threads of their own, so that none can hold up polling or another listener.

Each listener has a bounded mailbox and is run by one thread at a time, so it sees its events in order. A
listener that blocks costs one thread of a small pool; when its mailbox is full, events are folded into the
last one, so that what it finally sees is the newest state.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from helicon.events import ChangeEvent, fold

LOG = logging.getLogger("helicon")

MAILBOX_LIMIT = 64
"""Events that wait for one listener before they are folded."""

THREAD_LIMIT = 16
"""Listeners that can run, or be stuck, at the same time."""

LINGER_SECONDS = 10.0
"""How long an idle thread waits for more before it ends."""


class Listener:
    """One registered function and what waits for it."""

    __slots__ = ("function", "mailbox", "scheduled", "wanted")

    def __init__(self, function: Callable[[ChangeEvent], object], wanted: Callable[[str], object]) -> None:
        self.function = function
        self.wanted = wanted
        self.mailbox: deque[ChangeEvent] = deque()
        self.scheduled = False


class Dispatcher:
    """Delivers events of one client."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[Listener] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._closed = False
        self.busy = 0
        self.errors = 0
        self.coalesced = 0

    def post(self, listener: Listener, event: ChangeEvent) -> None:
        """Puts an event into a listener's mailbox. Never blocks on a listener and never raises."""
        with self._changed:
            if self._closed:
                return
            self._put(listener.mailbox, event)
            if listener.mailbox and not listener.scheduled:
                listener.scheduled = True
                self._queue.append(listener)
            if len(self._queue) > self._idle and len(self._threads) < THREAD_LIMIT:
                self._start_thread()
            else:
                self._changed.notify()

    def close(self, deadline: float) -> None:
        """Drops what waits and lets running listeners finish until the deadline (monotonic seconds)."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()
            threads = self._threads - {threading.current_thread()}
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _put(self, mailbox: deque[ChangeEvent], event: ChangeEvent) -> None:
        if len(mailbox) < MAILBOX_LIMIT:
            mailbox.append(event)
            return
        self.coalesced += 1
        folded = fold(mailbox.pop(), event)
        if folded is not None:
            mailbox.append(folded)

    def _start_thread(self) -> None:
        number = len(self._threads)
        name = self._name if number == 0 else f"{self._name}-{number}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            # No thread to be had, as when the interpreter is ending: one that is there takes it later.
            self._threads.discard(thread)

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                listener, event = work
                self._deliver(listener, event)
                with self._changed:
                    self.busy -= 1
                    if listener.mailbox and not self._closed:
                        self._queue.append(listener)
                    else:
                        listener.scheduled = False
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())

    def _next(self) -> tuple[Listener, ChangeEvent] | None:
        with self._changed:
            while not self._queue:
                if self._closed:
                    return None
                self._idle += 1
                called = self._changed.wait(LINGER_SECONDS)
                self._idle -= 1
                if not called and not self._queue:
                    self._threads.discard(threading.current_thread())
                    return None
            listener = self._queue.popleft()
            self.busy += 1
            return listener, listener.mailbox.popleft()

    def _deliver(self, listener: Listener, event: ChangeEvent) -> None:
        try:
            listener.function(event)
        except BaseException as error:  # noqa: BLE001 - also SystemExit: a listener must not end deliveries
            self.errors += 1
            # Without the exception's text, which may repeat a value.
            LOG.error(  # noqa: TRY400 - see above
                "listener_failed listener=%s error=%s at=%s namespace=%s",
                getattr(listener.function, "__qualname__", type(listener.function).__name__),
                type(error).__name__,
                place_of(error),
                event.namespace,
            )


def place_of(error: BaseException) -> str:
    """Names the file and line where an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
