"""The clients of the fan-out benchmark, as cheap as clients can be: raw connections in one event loop.

Prints a line when all are in their poll, then a JSON line of receive times for each round. Ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import quote

import uvloop


class _Watchers:
    def __init__(self, port: int, app: str, count: int) -> None:
        self._port = port
        self._app = app
        self._count = count
        self._times: dict[str, list[float]] = {}

    async def watch(self) -> None:
        """One client: poll, read, note the time at which the value was there."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        known, key, messages = -1, "", ""
        while True:
            asked = json.dumps([{"namespaceName": "application", "notificationId": known}])
            target = f"/notifications/v2?appId={self._app}&cluster=default&notifications={quote(asked)}"
            status, body = await _get(reader, writer, target)
            if status != 200:
                continue
            (entry,) = json.loads(body)
            known, messages = entry["notificationId"], quote(json.dumps(entry["messages"]))
            target = f"/configs/{self._app}/default/application?releaseKey={key}&messages={messages}"
            status, body = await _get(reader, writer, target)
            if status == 200:
                answer = json.loads(body)
                key = answer["releaseKey"]
                self._note(answer["configurations"]["round"], time.monotonic())

    def _note(self, number: str, at: float) -> None:
        times = self._times.setdefault(number, [])
        times.append(at)
        if len(times) == self._count:
            print(json.dumps(self._times.pop(number)), flush=True)


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> tuple[int, bytes]:
    writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return int(head[9:12]), await reader.readexactly(length)


async def _main(port: int, app: str, count: int) -> None:
    watchers = _Watchers(port, app, count)
    tasks = [asyncio.create_task(watchers.watch()) for _ in range(count)]
    # The first value, of round -1, is the line that says that all clients watch.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
