"""``/metrics``: the page, who may read it, and the count of the requests that the delivery plane does not see."""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Final

import orjson
import structlog
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from helicon_server.delivery.gate import Tally
from helicon_server.delivery.plane import DeliveryPlane

from .catalogue import Node
from .samples import Exchange, Samples, samples_of, text

METRICS_PATH: Final = "/metrics"
_CACHED_S: Final = 0.25  # however often somebody asks
_LEFT_EVERY_S: Final = 5.0
_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
_log = structlog.get_logger("helicon.node")


class MetricsPage:
    """Answers ``/metrics`` for all workers of a node.

    ``token`` is what a scraper must send as ``Authorization: Bearer``; None lets everybody read, as with health: the
    numbers name no app and no value. ``exchange`` is None for a node of one worker.
    """

    def __init__(
        self,
        plane: DeliveryPlane,
        version: str,
        *,
        worker: int = 1,
        exchange: Exchange | None = None,
        token: str | None = None,
    ) -> None:
        self._node = Node(plane, version, time.time())
        self._worker = worker
        self._exchange = exchange
        self._token = None if token is None else token.encode()
        self._made_at = -_CACHED_S
        self._page = b""
        self._making: asyncio.Task[bytes] | None = None
        self._leaving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to leave this worker's numbers for the others."""
        if self._exchange is not None:
            self._leaving = asyncio.create_task(self._leave(self._exchange), name="helicon-metrics")

    async def stop(self) -> None:
        """Ends that and takes them away. Safe to call twice."""
        leaving, self._leaving = self._leaving, None
        if leaving is not None and self._exchange is not None:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            await asyncio.to_thread(self._exchange.leave_nothing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return _refusal(405, "method_not_allowed", "This page is read with GET.", {"Allow": "GET, HEAD"})
        given = Headers(scope=scope).get("authorization", "")
        if self._token is not None and not given:
            return _refusal(401, "token_missing", "This page takes the token of HELICON_METRICS_TOKEN.", _CHALLENGE)
        if not self._may_read(given):
            return _refusal(401, "token_invalid", "This is not the token of HELICON_METRICS_TOKEN.", _CHALLENGE)
        headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
        return Response(await self._current(), headers=headers)

    def _may_read(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token)
        return scheme.lower() == "bearer" and right

    async def _current(self) -> bytes:
        if time.monotonic() - self._made_at < _CACHED_S:
            return self._page
        if self._making is None:
            self._making = asyncio.create_task(self._make(), name="helicon-metrics-page")
        return await asyncio.shield(self._making)

    async def _make(self) -> bytes:
        try:
            # The loop's own objects are read in the loop; disk and text are a thread's work.
            own = samples_of(self._node, self._worker)
            self._page = await asyncio.to_thread(self._with_others, own)
            self._made_at = time.monotonic()
            return self._page
        finally:
            self._making = None

    def _with_others(self, own: Samples) -> bytes:
        return text([own, *(self._exchange.others() if self._exchange is not None else ())])

    async def _leave(self, exchange: Exchange) -> None:
        failed = False
        while True:
            try:
                await asyncio.to_thread(exchange.leave, samples_of(self._node, self._worker))
                failed = False
            except OSError as error:
                if not failed:
                    _log.warning("metrics.not_left", reason=error.strerror)
                failed = True
            await asyncio.sleep(_LEFT_EVERY_S)


def _refusal(status: int, code: str, detail: str, headers: dict[str, str]) -> Response:
    body = orjson.dumps({"status": status, "code": code, "detail": detail})
    return Response(body, status, headers, "application/problem+json")


def counted(site: ASGIApp, tally: Tally) -> ASGIApp:
    """Counts what an application answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                tally.add(message["status"])
            elif message["type"] == "http.response.body":
                tally.body_bytes += len(message.get("body", b""))
            await send(message)

        await site(scope, receive, counting)

    return app
