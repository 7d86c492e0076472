"""Herds of clients as seen by the program that started them: several processes that act as one."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

PACE = 200  # clients on their way at once while a herd gathers, in each of its processes
_ADDRESSES_APART = 40


class StalledError(RuntimeError):
    """Some clients did not arrive in time; the message says what became of them."""


@dataclass(frozen=True, slots=True)
class End:
    """What a herd tells when it ends."""

    attached: int
    rounds: Mapping[int, int]  # how many clients had what was published under an id
    troubles: Mapping[str, int]  # lost connections by their error, and unwanted answers by their status


class Herd:
    """Clients of one server, spread over processes."""

    def __init__(self, port: int, clients: int, talk: str, app: str, processes: int, pace: int) -> None:
        self.clients = clients
        self._processes = []
        self._lines: list[queue.Queue[str]] = []
        for number in range(processes):
            share = clients // processes + (number < clients % processes)
            arguments = [port, share, number * _ADDRESSES_APART, pace, talk, app]
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.herd", *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            lines: queue.Queue[str] = queue.Queue()
            threading.Thread(target=_collect, args=(process.stdout, lines), name="bench-herd", daemon=True).start()
            self._processes.append(process)
            self._lines.append(lines)

    def attached(self, deadline_s: float) -> float:
        """Waits until all clients wait for news and returns when the last one did. Raises StalledError."""
        return max(float(line["attached"]) for line in self._each("attached", None, deadline_s))

    def round(self, news: int, deadline_s: float) -> list[float]:
        """Waits until all clients have what was published under an id; when each had it. Raises StalledError."""
        lines = self._each("round", news, deadline_s)
        return [at for line in lines for at in line["times"]]

    def end(self) -> End:
        """Ends all clients and returns what they saw."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        attached, rounds, troubles = 0, Counter[int](), Counter[str]()
        for line in self._each("rounds", None, 30):
            attached += line["attached"]
            rounds.update({int(news): count for news, count in line["rounds"].items()})
            troubles.update(line["troubles"])
        return End(attached, rounds, troubles)

    def kill(self) -> None:
        """Ends what still runs."""
        for process in self._processes:
            process.kill()
            process.wait(10)

    def _each(self, field: str, wanted: object, deadline_s: float) -> list[dict[str, Any]]:
        """The next line of each process that has a field (and, unless None, this value in it)."""
        end = time.monotonic() + deadline_s
        return [self._next(lines, field, wanted, end) for lines in self._lines]

    def _next(self, lines: queue.Queue[str], field: str, wanted: object, end: float) -> dict[str, Any]:
        while True:
            try:
                text = lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise StalledError(f"not all of {self.clients} clients came so far: {self.end()}") from None
            if not text:
                raise StalledError("a process of clients died; its error stands above")
            line: dict[str, Any] = json.loads(text)
            if field in line and wanted in (None, line[field]):
                return line


def _collect(stdout: IO[str], lines: queue.Queue[str]) -> None:
    for line in stdout:
        lines.put(line)
    lines.put("")


@contextmanager
def herd(port: int, clients: int, talk: str, app: str, *, processes: int = 1, pace: int = PACE) -> Iterator[Herd]:
    """Starts clients; they gather while the caller goes on. ``talk`` is one of `benchmarks.talks`."""
    started = Herd(port, clients, talk, app, processes, pace)
    try:
        yield started
    finally:
        started.kill()
