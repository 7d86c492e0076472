"""Runs one node on a bound socket until it is told to stop."""

from __future__ import annotations

import signal
import socket
from types import FrameType

import uvicorn

from helicon_server.app import Helicon
from helicon_server.http.bounds import bounds_of_process
from helicon_server.http.fast_protocol import fast

BACKLOG = (
    16_384  # connections that wait to be accepted while ten thousand clients reconnect; the kernel may allow fewer
)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _NodeServer(uvicorn.Server):
    """uvicorn, told to answer held polls before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, node: Helicon) -> None:
        super().__init__(config)
        self._node = node

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._node.begin_drain()
        await super().shutdown(sockets)


def run(node: Helicon, listening: socket.socket, drain_s: int) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code: 0 after a clean stop, 1 when the start failed."""
    node.listens_on(*listening.getsockname()[:2])
    config = uvicorn.Config(
        node,
        backlog=BACKLOG,  # uvicorn listens once more, and would lower what `serve` asked for
        http=fast(bounds_of_process(), lambda: node.delivery),
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=node.keep_alive_s,
        timeout_graceful_shutdown=drain_s,
    )
    server = _NodeServer(config, node)

    def stop(_: int, __: FrameType | None) -> None:
        # uvicorn raises the signal once more when it has stopped; a clean stop is no death by signal.
        server.should_exit = True

    for number in _SIGNALS:
        signal.signal(number, stop)
    server.run([listening])
    return 0 if server.started else 1
