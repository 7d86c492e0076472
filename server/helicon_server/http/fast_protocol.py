"""The fast shell over the delivery plane: uvicorn's protocol, answering and holding before an ASGI task exists.

It decides nothing. What the plane answers at once is written from here, a poll that it parks is held from here, and
everything else goes the ordinary way to the ASGI application: other paths and methods, requests with a body, upgrades,
requests behind an answer that is still owed, and clients that do not read. What has to wait goes there with what was
decided of it, so that nothing is decided twice. tests/integration/delivery/test_shells_agree.py holds the two shells
equal (docs/decisions/0003-one-decision-two-shells.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, ClassVar, Final, Protocol, cast

import httptools
import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from helicon_server.delivery.outcomes import Answer, Defer, Park
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.delivery.requests import PATH_LIMIT
from helicon_server.http.bounded_protocol import BoundedProtocol, Stage
from helicon_server.http.bounds import Bounds
from helicon_server.http.client_api.asgi import DECIDED
from helicon_server.http.heard import Heard
from helicon_server.http.held_poll import HeldPoll
from helicon_server.http.idle import IdleSweep
from helicon_server.http.lean_flow import LeanFlow
from helicon_server.http.ration import LARGE, Ration
from helicon_server.http.uvicorn_fit import check_uvicorn
from helicon_server.http.wire import HeadEnd, head_of

_METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD"}
# A path that begins so belongs to the client protocol. Other spellings may too, and none of them is hot.
_PREFIXES: Final = (b"/configs/", b"/configfiles/", b"/notifications/", b"/envs/")
_CONNECTION: Final = 1
_ORDINARY: Final = 2  # a body is waited for, a client is told to go on, an upgrade is refused: uvicorn does it
_NOTED: Final = {
    b"connection": _CONNECTION,
    b"proxy-connection": _CONNECTION,
    b"content-length": _ORDINARY,
    b"transfer-encoding": _ORDINARY,
    b"expect": _ORDINARY,
    b"upgrade": _ORDINARY,
}
_COPIED: Final = 16 * 1024  # bytes of a body that is copied behind its head; a larger one is written by itself
_NO_PIPELINE: Final[Any] = ()  # a deque takes most of a kilobyte, and hardly a connection ever needs one

_log = structlog.get_logger("helicon.delivery")


class PlaneOf(Protocol):
    """Finds the plane of this process, None when the fast shell has nothing to ask."""

    def __call__(self) -> DeliveryPlane | None:
        """Called once for each connection."""


def fast(bounds: Bounds, plane: PlaneOf) -> type[HttpToolsProtocol]:
    """The protocol class for ``uvicorn.Config(http=...)``.

    A connection for which ``plane`` finds none is the ASGI application's alone. Raises RuntimeError for a uvicorn that
    the class does not fit.
    """
    check_uvicorn()

    def on_refused(target: bytes, answer: Answer) -> None:
        asked = plane()
        if asked is not None:
            asked.traffic.answered(target, answer)

    own = {
        "bounds": bounds,
        "plane": staticmethod(plane),
        "head_end": HeadEnd(),
        "sweep": IdleSweep(),
        "ration": Ration(),
        "__slots__": (),
    }
    own["on_refused"] = staticmethod(on_refused)
    return type("Fast", (FastProtocol,), own)


class FastProtocol(BoundedProtocol):
    """uvicorn's protocol over a delivery plane; ``fast`` makes the class that has one."""

    __slots__ = ("_at_rest", "_handed_over", "_held", "_idle_since", "_noted", "_peer", "_plane")
    plane: ClassVar[PlaneOf]
    head_end: ClassVar[HeadEnd]
    sweep: ClassVar[IdleSweep]
    ration: ClassVar[Ration]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pipeline = _NO_PIPELINE
        self._plane: DeliveryPlane | None = None
        self._peer = ""
        self._held: HeldPoll | None = None
        self._idle_since = 0.0  # time of the loop of the last answer from here, 0 when uvicorn watches instead
        self._noted = 0  # what the headers of the current request say
        self._handed_over = False  # the current request is the application's
        self._at_rest = False  # nothing is owed, incomplete or timed: the next bytes begin a request

    # --- events of the connection -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self.flow = cast("FlowControl", LeanFlow(transport))
        self._plane = self.plane()
        self._peer = self.client[0] if self.client else ""
        self.sweep.run(self.loop, self.connections, self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        held, self._held = self._held, None
        super().connection_lost(exc)
        if held is not None:
            held.abandon()
            self.cycle = None  # type: ignore[assignment]  # it knows us: nothing is left to the collector

    def data_received(self, data: bytes) -> None:
        if self.parser is None:
            self._renew_parser()  # type: ignore[unreachable]  # it was let go while a poll was held
        if not self._at_rest:
            super().data_received(data)
        else:
            self._moved = False
            self._at_most = len(data)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError:
                self.send_400_response("")
            except httptools.HttpParserUpgrade:
                self._unsupported_upgrade_warning()
            if self._stage is Stage.BETWEEN and self._moved and self._at_rest:
                return  # as nearly always: the parser called back, a whole request came and was answered
            self._settle()
        if self._held is not None:
            self._let_go_of_parser(self._held)
        self._at_rest = self._rests()

    def close_if_idle(self, now: float) -> None:
        """Closes the connection when its client has asked nothing for too long."""
        idle = self._idle_since and now - self._idle_since >= self.timeout_keep_alive
        if idle and self._stage is Stage.BETWEEN and not self._unclaimed and not self._owes():
            self._close()

    # --- events of the parser ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._moved = True
        self._stage = Stage.HEAD
        self._noted = 0
        self._handed_over = False
        self.url = b""
        self.headers = Heard()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _NOTED:
            self._noted |= _NOTED[name]
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        plane = self._plane
        cycle = self.cycle
        noted = self._noted
        owed = cycle is not None and not cycle.response_complete  # type: ignore[redundant-expr]  # None at first
        if noted > _CONNECTION or owed or plane is None or self.flow.write_paused:
            self._hand_over()
            return
        if self._at_most > PATH_LIMIT or len(self.headers) > self.bounds.header_lines or self._surplus:
            self._look_at_head()
        parser = self.parser
        method = _METHODS.get(parser.get_method())
        target = self.url
        if method is None or not target.startswith(_PREFIXES) or b"#" in target:
            self._hand_over()
            return
        if target[-1] == 63 and target.find(b"?") == len(target) - 1:
            target = target[:-1]  # a query without a byte is none
        try:
            outcome = plane.decide(method, target, cast("Heard", self.headers), self._peer)
        except Exception:  # noqa: BLE001 - the application meets the same, logs it with its trace and answers 500
            self._hand_over()
            return
        keep_alive = parser.should_keep_alive()
        if keep_alive and noted:
            keep_alive = parser.get_http_version() != "1.0"
        if isinstance(outcome, Answer):
            size = len(outcome.body)
            if size > LARGE and method != "HEAD" and not self.ration.takes(size, self.loop):
                self._wait_in_line(outcome, keep_alive)
            else:
                self._answer(outcome, method == "HEAD", keep_alive)
        elif isinstance(outcome, Park):
            self._hold(plane, outcome, method == "HEAD", keep_alive)
        else:
            self._hand_over(outcome)

    def on_message_complete(self) -> None:
        if self._handed_over:
            super().on_message_complete()
        else:
            self._moved = True
            self._stage = Stage.BETWEEN

    # --- outcomes ---------------------------------------------------------------------------------

    def _answer(self, answer: Answer, head_only: bool, keep_alive: bool) -> None:
        end = self.head_end
        state = self.server_state
        if end.source is not state.default_headers:
            end.renew(state.default_headers)
        head = answer.head or head_of(answer)
        last = end.open if keep_alive else end.last
        body = answer.body
        transport = self.transport
        if len(body) > _COPIED and not head_only:
            transport.write(head + last)
            transport.write(body)
        else:
            transport.write(b"".join((head, last, b"" if head_only else body)))
        state.total_requests += 1
        if keep_alive:
            self._idle_since = self.loop.time()
        else:
            self._plane = None  # nothing that may still come is answered
            self._at_rest = False
            self._close()

    def _hold(self, plane: DeliveryPlane, park: Park, head_only: bool, keep_alive: bool) -> None:
        held = HeldPoll(self, head_only, keep_alive)
        parked = plane.park(park, held.wake)
        if isinstance(parked, Answer):
            self._answer(parked, head_only, keep_alive)
            return
        held.waiter = parked
        self._held = held
        self._at_rest = False
        self.cycle = cast("RequestResponseCycle", held)

    def _wait_in_line(self, answer: Answer, keep_alive: bool) -> None:
        """Holds the request like a poll until a turn of the loop has room for its large answer."""
        held = self._held = HeldPoll(self, False, keep_alive)
        self._at_rest = False
        self.cycle = cast("RequestResponseCycle", held)
        self.ration.wait(held, answer)

    def answer_held(self, held: HeldPoll, answer: Answer) -> None:
        """Sends what a held poll is told, and begins the next request where one waits behind it."""
        self._held = None
        if self.transport.is_closing():
            return
        self._answer(answer, held.head_only, held.keep_alive)
        if self.pipeline or self._last_word is not None:
            self.server_state.total_requests -= 1  # counted once more by uvicorn
            self.on_response_complete()
        else:
            self.cycle = None  # type: ignore[assignment]  # as before the first request
            self._at_rest = held.keep_alive and self.parser is None  # let go: nothing came since

    def _hand_over(self, decided: Defer | None = None) -> None:
        """Lets uvicorn take the request from here: its scope, its cycle, its task."""
        self._handed_over = True
        self._at_rest = False
        self._idle_since = 0.0
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers += headers
        for name, value in headers:
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        if decided is not None:
            cast("dict[str, object]", self.scope)[DECIDED] = decided
        if not self.pipeline:
            self.pipeline = deque()
        super().on_headers_complete()

    def _rests(self) -> bool:
        timed = self._timer is not None or self.timeout_keep_alive_task is not None
        done = self._stage is Stage.BETWEEN and not self._unclaimed and not self._owes()
        return done and not timed and not self._refused

    # --- memory -----------------------------------------------------------------------------------

    def _let_go_of_parser(self, held: HeldPoll) -> None:
        """Keeps of a held poll's request nothing but what it waits for; its next byte comes in a minute, if at all."""
        newest: object = self.cycle
        if newest is held and held.keep_alive and self._stage is Stage.BETWEEN and not self._unclaimed:
            self.parser = None  # type: ignore[assignment]  # as uvicorn does at the end
            self.scope = None  # type: ignore[assignment]  # as before the first request
            self.headers = []
            self.url = b""

    def _renew_parser(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
