"""Stands between a client and a server, passes every byte on as it is, and notes what was asked and answered."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httptools

from tests.support.ports import LOOPBACK

DEADLINE_S = 10
POLL_PATH = "/notifications/v2"


@dataclass(slots=True)
class Exchange:
    """One request as it was sent, and its answer; header names in lower case.

    `status` is None until the answer is whole; `cut` says that it never came.
    """

    method: str = ""
    target: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    answer_headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def parameters(self) -> dict[str, str]:
        """The decoded query, empty values included."""
        query = urlsplit(self.target).query
        return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}

    @property
    def notifications(self) -> dict[str, int]:
        """The ids that a poll names, by namespace; empty for other requests."""
        named = json.loads(self.parameters.get("notifications", "[]"))
        return {one["namespaceName"]: one["notificationId"] for one in named}

    @property
    def waiting(self) -> bool:
        return self.status is None and not self.cut


class Recorder:
    """Listens on a port of its own, which is what the client is told."""

    def __init__(self, target_port: int) -> None:
        self.exchanges: list[Exchange] = []
        self.port = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder", daemon=True)
        self._socket: socket.socket | None = None
        self._refused = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def waiting_polls(self) -> list[Exchange]:
        return [one for one in list(self.exchanges) if one.path.endswith(POLL_PATH) and one.waiting]

    def listen(self) -> None:
        """Listens, after `refuse` on the same port as before."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(DEADLINE_S)

    def refuse(self) -> None:
        """Ends all connections and refuses new ones, as the port of a dead server does."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result(DEADLINE_S)

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._refused = asyncio.Event()
        self._socket = socket.create_server((LOOPBACK, self.port))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        # Not asyncio.start_server: closed in the moment of a connection, it leaves that one open and unserved.
        self._loop.add_reader(self._socket, self._accept, self._socket)

    async def _refuse(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self._refused.set()
        await asyncio.gather(*self._tasks)

    def _accept(self, listening: socket.socket) -> None:
        with suppress(BlockingIOError):
            accepted, _ = listening.accept()
            accepted.setblocking(False)
            task = self._loop.create_task(self._serve(accepted, self._refused))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket, refused: asyncio.Event) -> None:
        connection = _Connection(self.exchanges)
        reader, writer = await asyncio.open_connection(sock=accepted)
        writers = [writer]
        with suppress(OSError):  # what one side does to its connection is done to the other's
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
            writers.append(up_writer)
            there = asyncio.create_task(_carry(reader, up_writer, connection.request_parser))
            back = asyncio.create_task(_carry(up_reader, writer, connection.answer_parser))
            stop = asyncio.create_task(refused.wait())
            await asyncio.wait([there, back, stop], return_when=asyncio.FIRST_COMPLETED)
            for task in (there, back, stop):
                task.cancel()
            await asyncio.gather(there, back, stop, return_exceptions=True)
        for each in writers:
            if refused.is_set():
                each.transport.abort()
            each.close()
            with suppress(OSError):
                await each.wait_closed()
        connection.cut()


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    parser: httptools.HttpRequestParser | httptools.HttpResponseParser,
) -> None:
    """Passes bytes on until their sender ends: no client here half-closes."""
    while data := await reader.read(65536):
        parser.feed_data(data)
        writer.write(data)
        await writer.drain()


class _Connection:
    """Pairs the answers of one connection with its requests."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self.request_parser = httptools.HttpRequestParser(_Requests(self))
        self.answer_parser = httptools.HttpResponseParser(_Answers(self))
        self._exchanges = exchanges
        self._open: list[Exchange] = []

    def asked(self, exchange: Exchange) -> None:
        self._open.append(exchange)
        self._exchanges.append(exchange)

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        exchange = self._open.pop(0)
        exchange.answer_headers, exchange.body = headers, body
        exchange.status = status

    def cut(self) -> None:
        for exchange in self._open:
            exchange.cut = True


class _Requests:
    """What httptools calls for each part of a request."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._exchange = Exchange()

    def on_message_begin(self) -> None:
        self._exchange = Exchange()

    def on_url(self, url: bytes) -> None:
        self._exchange.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._exchange.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._exchange.method = self._connection.request_parser.get_method().decode("latin-1")
        self._connection.asked(self._exchange)


class _Answers:
    """What httptools calls for each part of an answer."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._connection.answer_parser.get_status_code()
        self._connection.answered(status, self._headers, self._body)
