"""The clients of the fan-out benchmark as applications have them: ``helicon.Client``, many in one process.

Prints a line when all have their first value, then a JSON line of callback times for each round. Ends with its stdin.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import helicon


class _Clock:
    def __init__(self, count: int) -> None:
        self._count = count
        self._times: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def note(self, number: str) -> None:
        """Notes that one client has the value of a round; prints the round when all have it."""
        at = time.monotonic()
        with self._lock:
            times = self._times.setdefault(number, [])
            times.append(at)
            if len(times) == self._count:
                print(json.dumps(self._times.pop(number)), flush=True)


def _watch(port: int, app: str, clock: _Clock) -> helicon.Client:
    client = helicon.Client(meta=f"http://127.0.0.1:{port}", app_id=app, cache_dir="off")
    config = client.namespace()

    @config.on_change("round")
    def changed(event: helicon.ChangeEvent) -> None:
        clock.note(config.get("round", default=""))

    return client


def main(port: int, app: str, count: int) -> None:
    """Holds the clients until stdin ends."""
    clock = _Clock(count)
    clients = [_watch(port, app, clock) for _ in range(count)]
    time.sleep(3)  # the clients begin to poll a moment after their first load
    print("watching", flush=True)
    sys.stdin.read()
    for client in clients:
        client.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
