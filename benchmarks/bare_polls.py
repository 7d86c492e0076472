"""The ceiling for wakes: an ASGI application that holds polls and answers reads, and can do nothing else.

A poll that names the newest id is held on a future of asyncio; ``POST /publish`` counts the id up and lets all go.
Nothing is parsed beyond the path and that id, nothing is stored, checked or authenticated.

    python -m benchmarks.bare_polls BODY_FILE PORT

Where ``ROUND`` stands in the body of a read, the newest id is put.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.bare_asgi import serve

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Polls:
    """One key, watched by everybody."""

    def __init__(self, template: bytes) -> None:
        self._template = template
        self._held: list[asyncio.Future[None]] = []
        self._news = 0
        self._publish()

    async def __call__(self, scope: Message, receive: object, send: Send) -> None:
        if scope["path"] == "/notifications/v2":
            if self._newest in scope["query_string"]:
                future = asyncio.get_running_loop().create_future()
                self._held.append(future)
                await future
            await _send(send, self._notification)
        elif scope["path"] == "/publish":
            self._publish()
            await _send(send, json.dumps({"notification_id": self._news}).encode())
        else:
            await _send(send, self._body)

    def _publish(self) -> None:
        self._news += 1
        self._newest = f"%22notificationId%22%3A%20{self._news}%7D".encode()
        entry = {"namespaceName": "application", "notificationId": self._news}
        details = {"bench+default+application": self._news}
        self._notification = json.dumps([{**entry, "messages": {"details": details}}]).encode()
        self._body = self._template.replace(b"ROUND", str(self._news).encode())
        held, self._held = self._held, []
        for future in held:
            if not future.done():
                future.set_result(None)


async def _send(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json;charset=UTF-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    serve(Polls(Path(sys.argv[1]).read_bytes()), int(sys.argv[2]))
