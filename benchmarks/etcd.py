"""The peer ``etcd``, from the distribution's packages, through its HTTP gateway (JSON over ``/v3``)."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers import get

from tests.support.ports import free_port
from tests.support.wait import wait_until

HOW_TO_INSTALL = "etcd is not on the PATH, so nothing is compared with it: apt-get install etcd-server"


class EtcdMissingError(RuntimeError):
    """There is no etcd on this machine; the message says how to get it."""


class Etcd:
    """A running etcd of one member."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.pid = process.pid
        self.port = port

    def put(self, key: str, value: str) -> int:
        """Writes a key and returns the revision of the write."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        body = json.dumps({"key": encoded(key), "value": encoded(value)})
        try:
            connection.request("POST", "/v3/kv/put", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"etcd answered {answer.status}: {content[:300]!r}")
            return int(json.loads(content)["header"]["revision"])
        finally:
            connection.close()


def encoded(text: str) -> str:
    """Keys and values travel in base64."""
    return base64.b64encode(text.encode()).decode()


@contextmanager
def etcd(folder: Path) -> Iterator[Etcd]:
    """Runs an etcd with its data in a folder. Raises EtcdMissingError."""
    program = shutil.which("etcd")
    if program is None:
        raise EtcdMissingError(HOW_TO_INSTALL)
    port, peer_port = free_port(), free_port()
    clients, members = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    command = [program, "--data-dir", str(folder / "etcd"), "--name", "bench", "--log-level", "error"]
    command += ["--listen-client-urls", clients, "--advertise-client-urls", clients]
    command += ["--listen-peer-urls", members, "--initial-advertise-peer-urls", members]
    command += ["--initial-cluster", f"bench={members}", "--initial-cluster-state", "new"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
    with (folder / "etcd.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: b'"true"' in get(port, "/health"), 30, "healthy etcd")
        yield Etcd(process, port)
    finally:
        process.terminate()
        process.wait(10)
