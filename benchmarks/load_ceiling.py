"""What the load generator can do: against a server that answers whatever arrives, without any HTTP.

Run with ``python -m benchmarks.load_ceiling``. A benchmark that comes near these figures measures the generator.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.environment import print_environment
from benchmarks.load import Request, load

from tests.support.ports import free_port
from tests.support.wait import wait_until


class _Anything(asyncio.Protocol):
    _ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 800\r\n\r\n" + b"x" * 800

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._ANSWER)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Anything, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Measures and prints one and two generators."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.load_ceiling", str(port)])
    try:
        wait_until(lambda: _listens(port), 10, "server that answers anything")
        for processes in (1, 2):
            result, _ = load(port, Request("/any"), 3.0, processes=processes)
            print(f"  {processes} generators {result.rate:>9,.0f}/s, the busiest had a processor {result.busy:.0%}")
    finally:
        server.terminate()
        server.wait(10)


def _listens(port: int) -> bool:
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(_serve(int(sys.argv[1])))
    else:
        print_environment()
        main()
