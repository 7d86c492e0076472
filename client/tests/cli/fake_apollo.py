"""A fake Apollo server on a real socket: good answers by default, any misbehaviour on request."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

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
    ids: dict[str, int] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    closing: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, configurations: dict[str, str], namespace: str = "application", key: str = RELEASE) -> None:
        with self.changed:
            self.releases[namespace] = (key, configurations)
            self.ids[namespace] = max(self.ids.values(), default=0) + 1
            self.changed.notify_all()

    def poll(self, request: Request) -> bytes:
        """Holds a long poll until one of its namespaces has a newer release."""
        asked = {
            entry["namespaceName"]: entry["notificationId"] for entry in json.loads(request.query["notifications"])
        }

        def news() -> list[dict[str, object]]:
            newer = [name for name, seen in asked.items() if self.ids.get(name, -1) > seen]
            return [{"namespaceName": name, "notificationId": self.ids[name]} for name in newer]

        with self.changed:
            self.changed.wait_for(lambda: self.closing or news(), DEADLINE_SECONDS)
            found = news()
        return http(200, json.dumps(found)) if found else http(304, "")

    def wait_for_request(self, process: subprocess.Popen[bytes]) -> None:
        """Waits until a first request has come, or fails when the process ends before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self.requests:
            assert process.poll() is None, "the command ended before it asked"
            assert time.monotonic() < deadline, "no request came"
            time.sleep(0.005)

    def config_requests(self) -> list[Request]:
        return [request for request in self.requests if request.segments[:1] == ["configs"]]

    def answer(self, request: Request) -> bytes:
        """Builds the good answer to a request."""
        if request.segments[:2] == ["services", "config"]:
            return http(200, json.dumps([{"appName": "a", "instanceId": "i", "homepageUrl": self.url + "/"}]))
        if request.segments == ["notifications", "v2"]:
            return self.poll(request)
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


@contextlib.contextmanager
def running() -> Iterator[FakeApollo]:
    """Runs a fake server on a free loopback port."""
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
    try:
        yield fake
    finally:
        with fake.changed:
            fake.closing = True
            fake.changed.notify_all()
        _stop(closing, listener, acceptor, threads, sockets)


def _stop(
    closing: threading.Event,
    listener: socket.socket,
    acceptor: threading.Thread,
    threads: list[threading.Thread],
    sockets: list[socket.socket],
) -> None:
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
        _answer_requests(connection, fake)
        connection.shutdown(socket.SHUT_RDWR)


def _answer_requests(connection: socket.socket, fake: FakeApollo) -> None:
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
