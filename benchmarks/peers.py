"""The servers that are compared: each in a process of its own, all at once, under load in turns.

Neighbouring rounds meet the same machine, so ratios are taken round by round and their median is the figure. Beside the
rate stands the processor time of an answer, which other work on the machine disturbs less.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Request, load
from benchmarks.processes import processor_s, with_children

from tests.support.ports import free_port
from tests.support.wait import wait_until


@dataclass(frozen=True, slots=True)
class Peer:
    """A server under load, and what it is asked."""

    pid: int
    port: int
    request: Request

    def load(self, seconds: float, processes: int = 1) -> Round:
        """One round of load."""
        pids = with_children(self.pid)
        result, used_s = load(self.port, self.request, seconds, processes=processes, measured=lambda: processor_s(pids))
        return Round(result.rate, used_s * 1e6 / result.answers, used_s / result.seconds, result.busy)


@dataclass(frozen=True, slots=True)
class Round:
    """What one server did in one round."""

    rate: float  # answers a second
    processor_us: float  # of its processor time for each answer
    busy: float  # processors that it used, 1 for one core
    generator_busy: float  # the same of the busiest load generator


Rounds = Mapping[str, Sequence[Round]]


def in_turns(peers: Mapping[str, Peer], rounds: int, seconds: float, processes: int = 1) -> Rounds:
    """Puts each peer under load once a round."""
    measured: dict[str, list[Round]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, peer in peers.items():
            measured[name].append(peer.load(seconds, processes))
    return measured


def print_rates(measured: Rounds) -> None:
    """One line for each peer: medians."""
    for name, rounds in measured.items():
        rate, micros, busy, generator = (
            statistics.median(getattr(each, field) for each in rounds)
            for field in ("rate", "processor_us", "busy", "generator_busy")
        )
        print(
            f"  {name:<28}{rate:>9,.0f}/s   {micros:>6.1f} µs of processor each, "
            f"{busy:.2f} cores busy, load generator {generator:.2f}"
        )


def print_ratio(measured: Rounds, ours: str, theirs: str, reach: float) -> None:
    """How many times as fast: by the clock, which the mark is for, and by processor time."""
    pairs = list(zip(measured[ours], measured[theirs], strict=True))
    ratio = statistics.median(mine.rate / other.rate for mine, other in pairs)
    by_processor = statistics.median(other.processor_us / mine.processor_us for mine, other in pairs)
    print(
        f"  {ours} / {theirs}: {ratio:.2f}, by processor time {by_processor:.2f}   reach {reach:g}   "
        f"{'reached' if ratio >= reach else 'MISSED'}"
    )


@contextmanager
def bare_asgi(body: bytes, folder: Path, module: str = "bare_asgi") -> Iterator[subprocess.Popen[bytes]]:
    """Runs one of the bare applications and gives its process; `port_of` tells its port."""
    file, port = folder / "bare-body", free_port()
    file.write_bytes(body)
    process = subprocess.Popen([sys.executable, "-m", f"benchmarks.{module}", str(file), str(port)])
    try:
        wait_until(lambda: get(port, "/"), 10, "answer of the bare application")
        yield process
    finally:
        process.kill()  # it would wait for the polls that it holds
        process.wait(10)


def port_of(process: subprocess.Popen[bytes]) -> int:
    """The port of a bare application: its last argument."""
    arguments = process.args
    assert isinstance(arguments, list)
    return int(arguments[-1])


def get(port: int, path: str) -> bytes:
    """The body of a 200; nothing while there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return b""
