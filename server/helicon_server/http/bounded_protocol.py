"""uvicorn's HTTP protocol with bounds in front of everything: size and time of a request's head, time of its body,
time to read an answer, number of connections.

Nothing here needs a token, so nothing here may cost much. The bytes of a head are counted before they are parsed into
anything, and one timer a connection runs only while a request is incomplete: a request that arrives whole, as nearly
all do, starts none. A refusal is told in the error shape of the client protocol, behind the answers that are owed
already, and ends the connection.
"""

from __future__ import annotations

import asyncio
import time
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol

import structlog
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from helicon_server.delivery.answers import container_error, target_too_long
from helicon_server.delivery.observed import Notes
from helicon_server.delivery.outcomes import Answer
from helicon_server.delivery.requests import PATH_LIMIT, TARGET_LIMIT
from helicon_server.http.bounds import Bounds
from helicon_server.http.uvicorn_fit import check_uvicorn

_DISCARD_LIMIT: Final = 1024 * 1024  # bytes read from a refused client, so that it gets to read why
_RETRY_AFTER_S: Final = 1
_notes = Notes()  # of this process: nobody needs a token to make the log grow
_log = structlog.get_logger("helicon.http")
_LOOKS: Final = 10  # at a body in ``body_s`` at most


class OnRefused(Protocol):
    """Counts a refusal that is sent from here, where neither the application nor the delivery plane sees it."""

    def __call__(self, target: bytes, answer: Answer) -> None:
        """``target`` is what was read of the raw target, perhaps nothing."""


def bounded(bounds: Bounds, on_refused: OnRefused) -> type[HttpToolsProtocol]:
    """The protocol class for ``uvicorn.Config(http=...)``. Raises RuntimeError for a uvicorn that it does not fit."""
    check_uvicorn()
    own = {"bounds": bounds, "on_refused": staticmethod(on_refused), "__slots__": ()}
    return type("Bounded", (BoundedProtocol,), own)


class Stage(Enum):
    """Where in a request the parser stands."""

    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


class _RefusedError(Exception):
    """Leaves the parser; its verdict is in the protocol."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol class with its bounds; ``bounded`` makes the class that has them."""

    # Slots keep uvicorn's part of each connection in a dictionary that shares its keys with the others'.
    __slots__ = (
        "_at_most",
        "_body_began",
        "_body_bytes",
        "_discarded",
        "_last_word",
        "_moved",
        "_moved_since",
        "_refused",
        "_running",
        "_stage",
        "_surplus",
        "_timed",
        "_timer",
        "_unclaimed",
        "_unread",
        "_unread_timer",
        "_verdict",
    )
    bounds: ClassVar[Bounds]
    on_refused: ClassVar[OnRefused]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stage = Stage.BETWEEN
        self._body_began = 0.0  # loop time; later when it was this node that did not read on
        self._body_bytes = 0  # of the current body
        self._moved = False  # a part of a message began or ended, or a piece of a body came
        self._moved_since = False  # the same, since the timer was set
        self._unclaimed = 0  # bytes since then: of a head or of trailers, and in the parser's memory
        self._at_most = 0  # bytes that the current head can have by now
        self._timer: asyncio.TimerHandle | None = None
        self._timed = Stage.BETWEEN  # the stage that the timer was set in
        self._surplus = False
        self._verdict: Answer | None = None  # of the parser's callback that just raised
        self._refused = False  # no more requests are read
        self._last_word: Answer | None = None  # to be said behind the answers that are owed
        self._discarded = 0
        self._running: RequestResponseCycle | None = None  # the request whose answer is due
        self._unread = 0  # bytes that the client had not read when it was last looked at
        self._unread_timer: asyncio.TimerHandle | None = None

    # --- events of the connection -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        beyond = len(self.connections) - self.bounds.connections
        if beyond > self.bounds.turned_away:
            transport.abort()
            return
        self._surplus = beyond > 0
        self._set_timer(self.bounds.linger_s if self._surplus else self.bounds.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_timer()
        self._end_unread_timer()
        running, self._running = self._running, None
        if running is not None and not running.response_complete:
            # uvicorn tells the newest request alone; one with others behind it would be held for ever.
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._discard(data)
            return
        self._moved = False
        self._at_most = self._unclaimed + len(data)
        super().data_received(data)
        self._settle()

    def _settle(self) -> None:
        """Counts and times what is incomplete behind the bytes that the parser just saw."""
        if self._refused:
            return
        if self._moved:
            self._unclaimed = 0
            self._moved_since = True
        else:
            self._unclaimed = self._at_most
            if self._unclaimed > self.bounds.head_bytes:
                self._refuse(self._too_large())
                return
        if self._stage is Stage.BETWEEN and not self._unclaimed:
            if self._timer is not None:
                self._end_timer()
        elif self._timer is None or self._timed is not self._stage:
            self._end_timer()
            if self._stage is Stage.BODY:
                self._body_began = self.loop.time()
                self._set_timer(self.bounds.body_s)
            else:
                self._set_timer(self.bounds.head_s)

    def send_400_response(self, msg: str) -> None:
        verdict, self._verdict = self._verdict, None
        if verdict is None:
            verdict = container_error(400, "malformed_request", "This is not a request of HTTP/1.1.", b"")
        unnoted = _notes.due(verdict.code, time.monotonic())
        if unnoted is not None:  # uvicorn's own line for each of them has no address and is dropped (``logs``)
            peer = self.client[0] if self.client else ""
            _log.warning("http.request_refused", code=verdict.code, peer=peer, unnoted=unnoted)
        self._refuse(verdict)

    # --- events of the parser ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._moved = True
        self._stage = Stage.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._moved = True
        if self._at_most > PATH_LIMIT or len(self.headers) > self.bounds.header_lines or self._surplus:
            self._look_at_head()
        if self.ws_protocol_class is None:
            self._begin_request()
        else:  # an upgrade needs the target as it came
            super().on_headers_complete()
        self._stage = Stage.BODY
        self._body_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._moved = True
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved = True
        self._stage = Stage.BETWEEN
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._last_word is not None and not self._owes():
            self._end(self._last_word)
        if self.transport.is_closing():
            self._watch_unread()
        elif self._stage is Stage.BODY and not self._owes():
            # Nobody needs the rest. A short one may be on its way, and then the connection serves on.
            self._end_timer()
            self._set_timer(self.bounds.linger_s)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # --- events of a slow reader ------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_unread()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._end_unread_timer()

    def timeout_keep_alive_handler(self) -> None:
        if not self.transport.is_closing():
            self._close()

    def _watch_unread(self) -> None:
        """Makes sure that what was written and never read is kept for a bounded time, also behind the close."""
        self._unread = self.transport.get_write_buffer_size()
        if self._unread and self._unread_timer is None:
            self._unread_timer = self.loop.call_later(self.bounds.unread_s, self._look_at_unread)

    def _look_at_unread(self) -> None:
        self._unread_timer = None
        before = self._unread
        if self.transport.get_write_buffer_size() < before:
            self._watch_unread()
        else:
            self.transport.abort()

    def _end_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _close(self) -> None:
        """Closes a connection that waits for nothing; does not wait for a client that reads no more."""
        self.transport.close()
        self._watch_unread()

    # --- the request ------------------------------------------------------------------------------

    def _begin_request(self) -> None:
        """Starts uvicorn's work on a request, with the query left out of what its short parser of targets sees.

        The task that it starts runs later and finds the query in its scope. The target itself is forgotten: a held
        poll's can have a hundred thousand bytes.
        """
        target = self.url
        if target.startswith(b"/") and b"#" not in target:
            self.url, _, query = target.partition(b"?")
            super().on_headers_complete()
            self.scope["query_string"] = query
        else:
            super().on_headers_complete()
        self.url = b""

    # --- verdicts ---------------------------------------------------------------------------------

    def _look_at_head(self) -> None:
        """Raises _RefusedError, which ends the parser's work, when the head is too large or the node is full."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.bounds.head_bytes or len(self.headers) > self.bounds.header_lines:
            self._verdict = self._too_large()
        elif len(self.url) > TARGET_LIMIT or len(self._path()) > PATH_LIMIT:
            self._verdict = target_too_long(self._path())
        elif self._surplus:
            message = "This server has as many connections as it may; ask another one."
            path = self._path()
            self._verdict = container_error(503, "too_many_connections", message, path, retry_after_s=_RETRY_AFTER_S)
        else:
            return
        raise _RefusedError

    def _too_large(self) -> Answer:
        if len(self.url or b"") > TARGET_LIMIT:
            return target_too_long(self._path())
        bounds = self.bounds
        message = f"Target and headers have more than {bounds.head_bytes} bytes or {bounds.header_lines} lines."
        return container_error(431, "head_too_large", message, self._path())

    def _path(self) -> bytes:
        return self.url.partition(b"?")[0]

    # --- time -------------------------------------------------------------------------------------

    def _set_timer(self, delay_s: float) -> None:
        self._moved_since = False
        self._timed = self._stage
        self._timer = self.loop.call_later(delay_s, self._late)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._refused or self.transport.is_closing():
            self._close()
        elif self._stage is Stage.BODY:
            self._look_at_body()
        elif self.flow.read_paused or self._moved_since:  # it is we who do not read, or there was progress
            self._set_timer(self.bounds.head_s)
        elif self._stage is Stage.HEAD:
            message = f"The head of the request was not complete after {self.bounds.head_s:g} s."
            self._refuse(container_error(408, "request_timeout", message, self._path()))
        elif not self._owes():  # nothing was asked, or nothing but line ends came
            self._close()

    def _look_at_body(self) -> None:
        """Refuses a body that moves too slowly, and closes behind an answer that did not wait for it.

        Progress alone buys no time: a byte now and then would keep a connection for days.
        """
        if not self._owes():
            self._close()
            return
        bounds = self.bounds
        now = self.loop.time()
        moving_s = self._body_bytes / bounds.body_bytes_s
        if self.flow.read_paused:  # it is we who do not read
            self._body_began = now - moving_s
        left_s = self._body_began + bounds.body_s + moving_s - now
        if left_s > 0:
            self._set_timer(max(left_s, bounds.body_s / _LOOKS))
            return
        message = f"A body must move at {bounds.body_bytes_s} bytes/s at least, behind its first {bounds.body_s:g} s."
        self._refuse(container_error(408, "request_timeout", message, b""))

    # --- the end ----------------------------------------------------------------------------------

    def _owes(self) -> bool:
        """Tells whether a request that was read has no complete answer yet."""
        cycle = self.cycle  # None before the first request, whatever uvicorn's annotation says
        return cycle is not None and not cycle.response_complete  # type: ignore[redundant-expr]  # see above

    def _refuse(self, answer: Answer) -> None:
        """Reads no more requests; says why as soon as no answer is owed."""
        self._refused = True
        self._end_timer()
        if self._stage is Stage.BODY:
            self._break_off(answer)
        elif self._owes():
            self._last_word = answer
        else:
            self._end(answer)

    def _break_off(self, answer: Answer) -> None:
        """Ends a request whose body will not come; says why when nothing else was said and it is its turn."""
        cycle = self.cycle
        if cycle.response_started or self.pipeline:
            self.transport.close()
            return
        cycle.disconnected = True  # whoever reads the body is told so, and sends nothing more
        cycle.message_event.set()
        self._end(answer)

    def _end(self, answer: Answer) -> None:
        """Sends the answer and ends the connection, in a way that lets a client read it that is still sending."""
        self._last_word = None
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.on_refused(self.url or b"", answer)
        lines = [b"HTTP/1.1 %d %s" % (answer.status, HTTPStatus(answer.status).phrase.encode())]
        lines += [name + b": " + value for name, value in (*answer.headers, (b"connection", b"close"))]
        self.transport.write(b"\r\n".join((*lines, b"", answer.body)))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._set_timer(self.bounds.linger_s)
        else:
            self.transport.close()

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > _DISCARD_LIMIT:
            self.transport.abort()
