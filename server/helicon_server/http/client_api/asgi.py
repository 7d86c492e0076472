"""The ASGI shell over the delivery plane: complete by itself under any ASGI server.

It stands outside all middleware, because every layer costs reads per second. It decides nothing: the plane says
answer, hold or wait, and this file moves bytes. A request body is never read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import structlog

from helicon_server.delivery.answers import container_error
from helicon_server.delivery.outcomes import Answer, Defer, Elsewhere, Outcome, Park
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.delivery.requests import BadTargetError, HeaderOf, Request, Route, Surface, parse_path
from helicon_server.http.client_api import discovery, health

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PREFIXES: Final = ("/configs/", "/configfiles/", "/notifications/", "/services/", "/health/", "/envs/")
_PLAIN: Final = frozenset({"/configs", "/configfiles", "/notifications", "/services", "/health", "/envs"})
DECIDED: Final = "helicon.decided"
"""Where in the scope the other shell leaves what was decided of a request already: nothing is decided twice."""

_log = structlog.get_logger("helicon.delivery")


class ClientApi:
    """Answers Apollo's client protocol, discovery and health from a delivery plane.

    ``public_url`` is what discovery tells clients; without it the address that the client asked is repeated.
    A node that does not serve clients (``serves_clients=False``) answers only its health.
    Raises ValueError when the address is not http or https.
    """

    def __init__(self, plane: DeliveryPlane, public_url: str | None = None, *, serves_clients: bool = True) -> None:
        self._plane = plane
        self._decide = plane.decide if serves_clients else _health_only
        self._public_url = None if public_url is None else discovery.checked_public_url(public_url)

    @staticmethod
    def handles(path: str) -> bool:
        """Tells whether a decoded path belongs to the client protocol; the cheapest possible test."""
        return path.startswith(_PREFIXES) or path in _PLAIN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        outcome: Outcome | None = scope.get(DECIDED)
        if outcome is None:
            client = scope.get("client")
            outcome = self._decide(method, _target(scope), Headers(scope["headers"]), client[0] if client else "")
        if isinstance(outcome, Defer):
            outcome = await self._resolved(outcome, scope)
        if isinstance(outcome, Park):
            # Of a request with hundreds of names nothing is kept but what it waits for.
            scope["query_string"], scope["headers"] = b"", ()
            held = await _HeldPoll(self._plane, method, send).hold(outcome, receive)
            if held is None:
                return
            outcome = held
        await _send(send, method, outcome)

    async def _resolved(self, defer: Defer, scope: Scope) -> Answer | Park:
        if not isinstance(defer.work, Elsewhere):
            return await self._plane.resolve(defer)
        answer = self._elsewhere(defer, scope)
        self._plane.traffic.answered(defer.request.target, answer)
        return answer

    def _elsewhere(self, defer: Defer, scope: Scope) -> Answer:
        request = defer.request
        route = parse_path(request.path)
        if route.surface is Surface.SERVICES:
            found = discovery.answer(route, self._addresses(route, request, scope))
        else:
            found = health.answer(route, self._plane.health())
        if found is None:
            return container_error(404, "unknown_path", "There is no such path in the client protocol.", request.path)
        return found

    def _addresses(self, route: Route, request: Request, scope: Scope) -> Sequence[str]:
        if self._public_url is not None:
            return (self._public_url,)
        own = discovery.own_address(request, scope["scheme"], scope.get("server"))
        return self._plane.addresses(route.environment, own)


class _HeldPoll:
    """A poll that waits, in the request's own task and without another one until it is answered.

    The task waits in ``receive``, which tells of a client that went away. The answer comes from the hub; sending it
    ends ``receive``, because ASGI reports a disconnect once the response is complete.
    """

    __slots__ = ("_method", "_plane", "_send", "_sending")

    def __init__(self, plane: DeliveryPlane, method: str, send: Send) -> None:
        self._plane = plane
        self._method = method
        self._send = send
        self._sending: asyncio.Task[None] | None = None

    async def hold(self, park: Park, receive: Receive) -> Answer | None:
        """Returns an answer that was there at once, else None when the poll is over."""
        parked = self._plane.park(park, self._wake)
        if isinstance(parked, Answer):
            return parked
        try:
            await _gone(receive)
        finally:
            parked.release()
            if self._sending is not None:
                await self._finish(self._sending)
        return None

    def _wake(self, answer: Answer) -> None:
        self._sending = asyncio.create_task(_send(self._send, self._method, answer))

    async def _finish(self, sending: asyncio.Task[None]) -> None:
        try:
            await sending
        except OSError as error:  # the client went away between the news and the answer
            _log.debug("delivery.answer_lost", error=type(error).__name__)


class Headers:
    """Finds headers by lower-case name; a class, because a closure for each request costs more."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    def __call__(self, name: bytes) -> bytes | None:
        for each, value in self._raw:
            if each == name:
                return value
        return None


def _health_only(method: str, target: bytes, header: HeaderOf, peer: str) -> Outcome:
    request = Request(method, target, header, peer)
    try:
        surface = parse_path(request.path).surface
    except BadTargetError as error:
        return container_error(400, error.code, error.message, request.path)
    if surface is Surface.HEALTH:
        return Defer(request, Elsewhere())
    return container_error(404, "not_served_here", "This node does not serve clients.", request.path)


async def _send(send: Send, method: str, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _target(scope: Scope) -> bytes:
    raw_path: bytes | None = scope.get("raw_path")
    if raw_path is None:  # optional in ASGI; then the path was decoded once, and is encoded once
        raw_path = quote(scope["path"]).encode()
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path
