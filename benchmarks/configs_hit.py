"""`/configs` hits: requests a second of a real server with one worker, against a bare ASGI app on the same uvicorn.

Run with ``python -m benchmarks.configs_hit``. Both servers run at once, each in a process of its own; the load comes
from a third one and goes to one server at a time, in interleaved rounds. The figure is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from benchmarks.environment import print_environment
from benchmarks.load import requests_per_second
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
                _compare(name, server.port, bare_port, target, rounds, seconds)
        finally:
            bare.terminate()
            bare.wait(10)


def _compare(name: str, port: int, bare_port: int, target: str, rounds: int, seconds: float) -> None:
    ours, bare = [], []
    for _ in range(rounds):
        bare.append(requests_per_second(bare_port, target, seconds))
        ours.append(requests_per_second(port, target, seconds))
    ratio = statistics.median(ours) / statistics.median(bare)
    print(
        f"  {name:<18} bare ASGI {statistics.median(bare):>8,.0f}/s   Helicon {statistics.median(ours):>8,.0f}/s   "
        f"ratio {ratio:.2f}   reach {REACH:.2f}   {'reached' if ratio >= REACH else 'MISSED'}"
    )


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
