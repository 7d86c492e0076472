"""`/configs` hits: requests a second of a real server with one worker, against a bare ASGI app on the same uvicorn.

Run with ``python -m benchmarks.configs_hit``. Both servers run at once, each in a process of its own; the load comes
from a third one and goes to one server at a time, in interleaved rounds. The figure is the median ratio of neighbouring
rounds; beside it the same of the processor time that an answer costs, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.environment import print_environment
from benchmarks.load import load
from benchmarks.management import Management

from tests.support.ports import free_port
from tests.support.server import BOOTSTRAP_TOKEN, Servers
from tests.support.wait import wait_until

REACH = 0.75
APP = "bench"
PATH = f"/configs/{APP}/default/application"
ITEMS = 20
# What a Java client sends after a notification: its address, the copy it holds, what it was told.
MESSAGES = quote('{"details":{"bench+default+application":1}}', safe="")
AS_A_CLIENT = f"{PATH}?ip=10.1.2.3&releaseKey=20240101000000-0123456789abcdef&messages={MESSAGES}"


def main(*, quick: bool = False) -> None:
    """Measures and prints the ratio for two kinds of request."""
    rounds, seconds = (3, 1.5) if quick else (7, 4.0)
    with tempfile.TemporaryDirectory() as folder, closing(Servers(Path(folder))) as servers:
        server = servers.start()
        with closing(Management(server.port, BOOTSTRAP_TOKEN)) as management:
            management.create(APP)
            text = "".join(f"service.key.{number}=value number {number}\n" for number in range(ITEMS))
            management.publish(APP, management.write(APP, text))
        wait_until(lambda: _body(server.port), 10, "released configuration")
        body_file = Path(folder) / "body"
        body_file.write_bytes(_body(server.port))
        bare_port = free_port()
        bare = subprocess.Popen([sys.executable, "-m", "benchmarks.bare_asgi", str(bare_port), str(body_file)])
        try:
            wait_until(lambda: _body(bare_port), 10, "answer of the bare application")
            print(f"/configs hit, {body_file.stat().st_size} bytes, one worker, {rounds} interleaved rounds")
            for name, target in (("plain", PATH), ("as a client asks", AS_A_CLIENT)):
                ours, theirs = _Server(server.pid, server.port), _Server(bare.pid, bare_port)
                _compare(name, ours, theirs, target, rounds, seconds)
        finally:
            bare.terminate()
            bare.wait(10)


def _compare(name: str, ours: _Server, bare: _Server, target: str, rounds: int, seconds: float) -> None:
    pairs = [(bare.load(target, seconds), ours.load(target, seconds)) for _ in range(rounds)]
    bare_rate, rate = (statistics.median(pair[which].rate for pair in pairs) for which in (0, 1))
    ratio = statistics.median(mine.rate / theirs.rate for theirs, mine in pairs)
    busy = statistics.median(theirs.processor_us / mine.processor_us for theirs, mine in pairs)
    print(
        f"  {name:<18} bare ASGI {bare_rate:>8,.0f}/s   Helicon {rate:>8,.0f}/s   "
        f"ratio {ratio:.2f}, by processor time {busy:.2f}   reach {REACH:.2f}   "
        f"{'reached' if ratio >= REACH else 'MISSED'}"
    )


@dataclass(frozen=True, slots=True)
class _Round:
    """What one server did in one round."""

    rate: float  # answers a second
    processor_us: float  # microseconds of its processor time for each


@dataclass(frozen=True, slots=True)
class _Server:
    """A server under load; its processor time tells the truth on a machine that does other things too."""

    pid: int
    port: int

    def load(self, target: str, seconds: float) -> _Round:
        before = self._processor_s()
        result = load(self.port, target, seconds)
        return _Round(result.rate, (self._processor_s() - before) * 1e6 / result.answers)

    def _processor_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _body(port: int) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{PATH}", timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return b""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
