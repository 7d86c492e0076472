"""What `helicon run` adds to the start of a program: `helicon run -- true` beside `true`, in turns.

    python -m benchmarks.helicon_run [--rounds 200]

Measured with the installed console script against three sources: a minimal loopback server with 200 keys
(what the command itself costs), the real `helicon-server` with its sample app, and the backup with the
server refused. `python -c pass` is measured in the same rounds: no Python program can add less.
"""

from __future__ import annotations

import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.environment import print_environment

ROUNDS = 200
KEYS = 200
TARGET_MS = 60.0
READY_SECONDS = 60.0
LOOPBACK = "127.0.0.1"
SCRIPTS = Path(sys.executable).parent

_SERVE = "import sys; from benchmarks.helicon_run import serve; serve(int(sys.argv[1]))"


def serve(keys: int) -> None:
    """Answers `/configs` and discovery for ever; prints its port first. Runs in a process of its own."""
    answer = {
        "appId": "bench",
        "cluster": "default",
        "namespaceName": "application",
        "configurations": {f"some.key.number.{number}": f"value of key {number}" for number in range(keys)},
        "releaseKey": "20250101080000-0a1b2c3d4e5f6071",
    }
    body = json.dumps(answer).encode()
    with socket.create_server((LOOPBACK, 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                while request := connection.recv(65536):
                    content = body if request.startswith(b"GET /configs/") else b"[]"
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


@contextmanager
def minimal_server() -> Iterator[str]:
    """Runs `serve` in another process and yields its address."""
    with subprocess.Popen([sys.executable, "-c", _SERVE, str(KEYS)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://{LOOPBACK}:{int(process.stdout.readline())}"
        finally:
            process.kill()


@contextmanager
def real_server(folder: Path) -> Iterator[str]:
    """Runs `helicon-server` with its sample app on an embedded database and yields its address."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://{LOOPBACK}:{port}"
    command = [str(SCRIPTS / "helicon-server"), "serve", "--port", str(port), "--data-dir", str(folder), "--demo"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await(url + "/health/ready", process)
            yield url
        finally:
            process.terminate()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with opener.open(url, timeout=READY_SECONDS):
                return
        except (urllib.error.URLError, ConnectionError) as problem:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("helicon-server did not become ready") from problem
            time.sleep(0.05)


def in_turns(commands: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Times each command once a round, so that a busy moment of the machine meets all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 3):
        for name, command in commands.items():
            began = time.perf_counter()
            command()
            if number >= 3:
                times[name].append((time.perf_counter() - began) * 1000)
    return times


def main(rounds: int = ROUNDS) -> int:
    """Measures and prints; the exit code says only that it ran."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        environ = {"PATH": os.environ["PATH"], "HOME": text, "HELICON_APP_ID": "bench", "HELICON_QUIET": "on"}
        helicon = str(SCRIPTS / "helicon")

        def runs(command: list[str], **extra: str) -> Callable[[], None]:
            def run() -> None:
                subprocess.run(command, env={**environ, **extra}, check=True, stderr=subprocess.DEVNULL)

            return run

        with minimal_server() as minimal, real_server(folder / "data") as real:
            stopped = _saved_and_stopped(helicon, environ)
            times = in_turns(
                {
                    "true": runs(["true"]),
                    "python -c pass": runs([sys.executable, "-c", "pass"]),
                    f"helicon run, {KEYS} keys": runs([helicon, "run", "--", "true"], HELICON_META=minimal),
                    "helicon run, helicon-server": runs(
                        [helicon, "run", "--app-id", "helicon-demo", "--", "true"], HELICON_META=real
                    ),
                    "helicon run, backup": runs([helicon, "run", "--", "true"], HELICON_META=stopped),
                },
                rounds,
            )
    _print(times, rounds)
    return 0


def _saved_and_stopped(helicon: str, environ: dict[str, str]) -> str:
    """Leaves a backup of a server that refuses connections from then on, and returns its address."""
    with minimal_server() as url:
        subprocess.run([helicon, "run", "--", "true"], env={**environ, "HELICON_META": url}, check=True)
    return url


def _print(times: dict[str, list[float]], rounds: int) -> None:
    base = statistics.median(times["true"])
    print(f"start of a program, {rounds} rounds in turns, milliseconds")
    print(f"{'':30}{'p50':>8}{'p95':>8}{'added p50':>11}{'ratio':>8}")
    for name, values in times.items():
        ordered = sorted(values)
        p50, p95 = statistics.median(ordered), ordered[math.ceil(0.95 * len(ordered)) - 1]
        print(f"{name:30}{p50:8.1f}{p95:8.1f}{p50 - base:11.1f}{p50 / base:8.1f}")
    print(f"wanted: at most {TARGET_MS:.0f} ms added over plain HTTP, and from the backup")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] != "--rounds":
        raise SystemExit(__doc__)
    print_environment()
    raise SystemExit(main(int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS))
