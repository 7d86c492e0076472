"""Runs one node on a bound socket until it is told to stop."""

from __future__ import annotations

import gc
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
# Python's collector looks at all young objects after so many more of them, at older ones after twenty times as many,
# and so on. By default it is 700: ten thousand clients that poll again would be looked at hundreds of times. What ends
# leaves it nothing to find (tests/integration/delivery/test_left_behind.py).
_COLLECT_AFTER = (50_000, 20, 20)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _NodeServer(uvicorn.Server):
    """uvicorn, told to answer held polls before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, node: Helicon) -> None:
        super().__init__(config)
        self._node = node

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is there now stays to the end, and the collector need not look at it again: code and index are most of
        # all objects, and a look at them holds the event loop for a tenth of a second.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)

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
