"""Several worker processes on one socket: starts them, replaces those that die, stops them together."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import socket
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

import structlog

from helicon_server import app, settings

from . import node

_RESTART_PAUSE_S = 1.0  # so that a worker that dies at once does not make the machine busy
_MARGIN_S = 5.0  # beyond the time to drain, for a worker to close what it has open; then it is killed
_log = structlog.get_logger("helicon.workers")
_spawn = multiprocessing.get_context("spawn")  # a fork would share the parent's event loop and connections


def run(configured: settings.Settings, listening: socket.socket) -> int:
    """Runs ``configured.workers`` workers until SIGTERM or SIGINT; returns the exit code."""
    settings.export(configured)
    stopping = False
    patience_ends = math.inf

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopping, patience_ends
        if not stopping:
            patience_ends = time.monotonic() + configured.drain_s + _MARGIN_S
        stopping = True
        for worker in running:
            worker.terminate()

    running: list[SpawnProcess] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    running.extend(_start(listening, configured.drain_s, number + 1) for number in range(configured.workers))
    while running:
        wait([worker.sentinel for worker in running], timeout=1.0)
        if stopping:  # also those that were just being started when the signal came
            for worker in running:
                worker.kill() if time.monotonic() > patience_ends else worker.terminate()
        for worker in [worker for worker in running if worker.exitcode is not None]:
            running.remove(worker)
            if not stopping:
                _log.error("worker.died", pid=worker.pid, exit_code=worker.exitcode)
                time.sleep(_RESTART_PAUSE_S)
                running.append(_start(listening, configured.drain_s, int(worker.name.rpartition("-")[2])))
    return 0


def _start(listening: socket.socket, drain_s: int, number: int) -> SpawnProcess:
    """Starts worker ``number``, from 1; one that takes a dead one's place takes its number too."""
    worker = _spawn.Process(target=_work, args=(listening, drain_s, number), name=f"helicon-worker-{number}")
    worker.start()
    return worker


def _work(listening: socket.socket, drain_s: int, number: int) -> None:
    threading.Thread(target=_end_with_parent, name="helicon-parent", daemon=True).start()
    raise SystemExit(node.run(app.from_environment(number), listening, drain_s))


def _end_with_parent() -> None:
    """Stops a worker whose parent was killed: it would hold the port for ever, and nobody would know to stop it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
