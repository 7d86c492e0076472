"""Stands between one node and its database: late, silent, or without the notices."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from tests.support.ports import LOOPBACK

_NOTIFICATION = b"A"  # NotificationResponse of PostgreSQL's protocol
_HEAD = 5  # a type and a length that counts itself


class DatabaseRelay:
    """Passes on what a node and PostgreSQL say to each other, in a thread of its own."""

    def __init__(self, target_port: int) -> None:
        self.delay_s = 0.0  # before each piece of an answer
        self.deaf = False  # notices vanish; everything else passes
        self.port = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="database-relay", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listens on a port of its own; returns when it does."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def hold(self) -> None:
        """Passes nothing on any more, in neither direction; connections stay open."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def release(self) -> None:
        """Passes on what was held back, and goes on."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def heal(self) -> None:
        """Ends whatever is wrong with it."""
        self.delay_s, self.deaf = 0.0, False
        self.release()

    def stop(self) -> None:
        """Ends every connection and the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
            pair = [
                asyncio.create_task(self._questions(reader, up_writer)),
                asyncio.create_task(self._answers(up_reader, writer)),
            ]
            try:
                await asyncio.wait(pair, return_when=asyncio.FIRST_COMPLETED)  # either end hangs up for both
            finally:
                for each in pair:
                    each.cancel()
                await asyncio.gather(*pair, return_exceptions=True)
                up_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = _Frames()
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._flowing.wait()
                writer.write(frames.passed(data, deaf=self.deaf))
                await writer.drain()


class _Frames:
    """Cuts what the server says into messages, to take the notices out."""

    def __init__(self) -> None:
        self._rest = b""
        self._first = True

    def passed(self, data: bytes, *, deaf: bool) -> bytes:
        """Returns the whole messages that may pass; half a message waits for its other half."""
        whole = b""
        if self._first:
            self._first = False
            if data[:1] in (b"N", b"S"):  # the answer to "may I speak TLS" is a single letter
                whole, data = data[:1], data[1:]
        self._rest += data
        while len(self._rest) >= _HEAD:
            size = 1 + int.from_bytes(self._rest[1:_HEAD], "big")
            if len(self._rest) < size:
                break
            message, self._rest = self._rest[:size], self._rest[size:]
            if not (deaf and message[:1] == _NOTIFICATION):
                whole += message
        return whole
