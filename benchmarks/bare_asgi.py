"""The ceiling to compare with: an ASGI application that answers fixed bytes, on uvicorn as Helicon runs it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

Message = dict[str, Any]
Application = Callable[[Message, Any, Any], Awaitable[None]]


class FixedAnswer:
    """Answers every request with the same bytes."""

    def __init__(self, body: bytes, content_type: bytes) -> None:
        self._body = body
        self._headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]

    async def __call__(self, scope: Message, receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def serve(application: Application, port: int) -> None:
    """Serves an application with the settings that Helicon gives uvicorn, until the process ends."""
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        backlog=4096,
    )


if __name__ == "__main__":
    serve(FixedAnswer(Path(sys.argv[1]).read_bytes(), b"application/json;charset=UTF-8"), int(sys.argv[2]))
