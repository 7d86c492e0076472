"""A fake Apollo server that can misbehave on the socket, and a way to run the installed command."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DEADLINE_SECONDS = 60
RELEASE = "20250101080000-0a1b2c3d4e5f6071"


@dataclass(slots=True)
class Request:
    """One request as it came: raw target, its path segments, its query, its headers."""

    target: str
    segments: list[str]
    query: dict[str, str]
    headers: dict[str, str]


Fault = Callable[[socket.socket, Request], bool]
"""Answers on the raw socket in its own way and says True, or says False to let the good answer happen."""


@dataclass
class FakeApollo:
    """Serves `/configs` from `releases`; `fault` may take over any request."""

    port: int
    releases: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    fault: Fault | None = None
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, configurations: dict[str, str], namespace: str = "application", key: str = RELEASE) -> None:
        self.releases[namespace] = (key, configurations)

    def config_requests(self) -> list[Request]:
        return [request for request in self.requests if request.segments[:1] == ["configs"]]

    def answer(self, request: Request) -> bytes:
        """Builds the good answer to a request."""
        if request.segments[:2] == ["services", "config"]:
            return http(200, json.dumps([{"appName": "a", "instanceId": "i", "homepageUrl": self.url + "/"}]))
        if len(request.segments) == 4 and request.segments[0] == "configs":
            _, app, cluster, namespace = request.segments
            release = self.releases.get(namespace)
            if release is None:
                return http(404, json.dumps({"status": 404, "error": "Not Found", "path": request.target}))
            if request.query.get("releaseKey") == release[0]:
                return http(304, "")
            return http(200, config_body(release[1], app, cluster, namespace, release[0]))
        return http(404, json.dumps({"status": 404, "error": "Not Found", "path": request.target}))


def config_body(
    configurations: dict[str, str],
    app: str = "shop",
    cluster: str = "default",
    namespace: str = "application",
    key: str = RELEASE,
) -> str:
    return json.dumps(
        {
            "appId": app,
            "cluster": cluster,
            "namespaceName": namespace,
            "configurations": configurations,
            "releaseKey": key,
        }
    )


def http(status: int, body: str, *, content_type: str = "application/json;charset=UTF-8", extra: str = "") -> bytes:
    data = body.encode("utf-8", "surrogatepass")
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n{extra}\r\n"
    return head.encode() + data


@pytest.fixture
def server() -> Iterator[FakeApollo]:
    """A running fake server on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    fake = FakeApollo(listener.getsockname()[1])
    closing = threading.Event()
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def accept() -> None:
        while not closing.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            sockets.append(connection)
            thread = threading.Thread(target=_serve, args=(connection, fake), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    yield fake
    closing.set()
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join(DEADLINE_SECONDS)
    for connection in sockets:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    for connection in sockets:
        connection.close()


def _serve(connection: socket.socket, fake: FakeApollo) -> None:
    with contextlib.suppress(OSError):
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                block = connection.recv(65536)
                if not block:
                    return
                buffer += block
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            request = _parse(head.decode("latin-1"))
            fake.requests.append(request)
            if fake.fault is not None and fake.fault(connection, request):
                return
            connection.sendall(fake.answer(request))


def _parse(head: str) -> Request:
    first, *lines = head.split("\r\n")
    target = first.split(" ")[1]
    parsed = urllib.parse.urlsplit(target)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    segments = [urllib.parse.unquote(part) for part in parsed.path.split("/") if part]
    return Request(target, segments, dict(urllib.parse.parse_qsl(parsed.query)), headers)


@dataclass(slots=True)
class Result:
    """What a run of the command left behind."""

    code: int
    out: bytes
    err: str

    def variables(self) -> dict[str, str]:
        """Reads the output of `env -0`."""
        pairs = [item.partition(b"=") for item in self.out.split(b"\0") if item]
        return {name.decode(): value.decode() for name, _, value in pairs}


@dataclass
class Cli:
    """Runs the command in a process of its own, in an environment of its own."""

    home: Path
    env: dict[str, str]

    def arguments(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "helicon.cli", *arguments]

    def environment(self, env: dict[str, str | None] | None = None) -> dict[str, str]:
        merged: dict[str, str | None] = {**self.env, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def __call__(self, *arguments: str, env: dict[str, str | None] | None = None, stdin: bytes = b"") -> Result:
        done = subprocess.run(
            self.arguments(*arguments),
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            cwd=self.home,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def start(self, *arguments: str, env: dict[str, str | None] | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.arguments(*arguments),
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home,
        )


@pytest.fixture
def cli(tmp_path: Path, server: FakeApollo) -> Cli:
    """The command, pointed at the fake server, with an empty home."""
    home = tmp_path / "home"
    home.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "HELICON_META": server.url,
        "HELICON_APP_ID": "shop",
    }
    return Cli(home, env)


@pytest.fixture
def refused() -> str:
    """The address of a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"
