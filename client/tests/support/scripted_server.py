"""A small Apollo server that does exactly what a test tells it, also the wrong thing.

One thread a connection, plain sockets, so that every byte and every silence can be scripted.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

NUMBERS = itertools.count(101)
"""Notification ids: never twice, also when a test starts a second server in place of the first."""

Reply = bytes | Callable[[socket.socket], None]


@dataclass
class Request:
    """What a client sent."""

    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """The decoded path."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query; of a repeated name the first value."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def kind(self) -> str:
        """`configs`, `notifications` or `services`."""
        parts = [part for part in self.path.split("/") if part]
        return next((part for part in parts if part in ("configs", "notifications", "services")), "other")


@dataclass
class Release:
    """What the server holds of a namespace."""

    configurations: dict[str, str]
    release_key: str
    notification_id: int


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Builds a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def json_answer(status: int, value: object) -> bytes:
    """Builds a JSON answer."""
    return answer(status, json.dumps(value).encode(), "Content-Type: application/json;charset=UTF-8")


def not_found(path: str = "/configs", **more: object) -> bytes:
    """The 404 of Apollo's container; `more` adds what other servers put there."""
    return json_answer(404, {"timestamp": "now", "status": 404, "error": "Not Found", "path": path, **more})


def html(status: int = 200) -> bytes:
    """The page of a captive portal."""
    return answer(status, b"<html><body>Please log in</body></html>", "Content-Type: text/html")


def silence(connection: socket.socket) -> None:
    """Accepts the request and never answers; ends when the client gives up."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


def reset(connection: socket.socket) -> None:
    """Ends the connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def truncated(connection: socket.socket) -> None:
    """Promises more than it sends."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"appId":')
    connection.shutdown(socket.SHUT_WR)


def dribble(connection: socket.socket) -> None:
    """Sends a byte at a time, for ever."""
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)


def huge(connection: socket.socket) -> None:
    """Declares more than any client should take."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    silence(connection)


@dataclass
class ScriptedServer:
    """Serves releases by the rules of the protocol, unless a script says otherwise."""

    app_id: str = "shop"
    prefix: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    scripts: dict[str, list[Reply]] = field(default_factory=dict)
    """Kind to replies that are used up first; the last one stays when `repeat` holds the kind."""
    repeat: set[str] = field(default_factory=set)
    stale: dict[str, int] = field(default_factory=dict)
    """Namespace to the number of `/configs` answers that still come from the release before."""
    services: list[str] | None = None

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._releases: dict[str, Release] = {}
        self._before: dict[str, Release] = {}
        self._connections: set[socket.socket] = set()
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="scripted-accept", daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """The meta address."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def publish(self, namespace: str, configurations: dict[str, str], *, key: str | None = None) -> Release:
        """Makes a release and wakes the polls."""
        with self._changed:
            number = next(NUMBERS)
            release = Release(dict(configurations), key or f"20250101{number:06d}-{number:016x}", number)
            if namespace in self._releases:
                self._before[namespace] = self._releases[namespace]
            self._releases[namespace] = release
            self._changed.notify_all()
        return release

    def notify_again(self, namespace: str) -> None:
        """Sends a notice without a new release, as a change of gray rules does."""
        with self._changed:
            self._releases[namespace].notification_id = next(NUMBERS)
            self._changed.notify_all()

    def forget(self, namespace: str) -> None:
        """Removes a namespace, as if it never had a release."""
        with self._changed:
            self._releases.pop(namespace, None)

    def script(self, kind: str, *replies: Reply, repeat: bool = False) -> None:
        """Sets what requests of a kind get instead of the truth."""
        with self._changed:
            self.scripts[kind] = list(replies)
            self.repeat.discard(kind)
            if repeat:
                self.repeat.add(kind)

    def cut(self) -> None:
        """Ends all connections, as a restart does."""
        with self._changed:
            for connection in tuple(self._connections):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def count(self, kind: str) -> int:
        """Counts the requests of a kind."""
        return sum(request.kind == kind for request in tuple(self.requests))

    def polls_held(self) -> int:
        """Counts the connections that wait for a notice."""
        with self._changed:
            return self._held

    _held = 0

    def stop(self) -> None:
        """Stops listening and ends all connections."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        with self._changed:
            self._changed.notify_all()
        self._accepting.join(5)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="scripted", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        try:
            while not self._stopping:
                while b"\r\n\r\n" not in buffer:
                    block = connection.recv(65536)
                    if not block:
                        return
                    buffer += block
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                pairs = (line.partition(":") for line in lines[1:])
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                request = Request(lines[0].split(" ")[1], headers)
                self.requests.append(request)
                reply = self._reply(request, connection)
                if callable(reply):
                    reply(connection)
                    return
                connection.sendall(reply)
        except OSError:
            return
        finally:
            with self._changed:
                self._connections.discard(connection)
            connection.close()

    def _reply(self, request: Request, connection: socket.socket) -> Reply:
        kind = request.kind
        with self._changed:
            replies = self.scripts.get(kind)
            if replies:
                return replies[0] if kind in self.repeat and len(replies) == 1 else replies.pop(0)
        if self.prefix and not request.path.startswith(self.prefix + "/"):
            return not_found(request.target)
        if kind == "services":
            urls = self.services if self.services is not None else [self.url + "/"]
            return json_answer(200, [{"appName": "X", "instanceId": url, "homepageUrl": url} for url in urls])
        if kind == "configs":
            return self._configs(request)
        if kind == "notifications":
            return self._notifications(request, connection)
        return not_found(request.target)

    def _configs(self, request: Request) -> bytes:
        app_id, cluster, namespace = request.path.removeprefix(self.prefix).split("/")[2:5]
        with self._changed:
            release = self._releases.get(namespace)
            if self.stale.get(namespace, 0) > 0:
                self.stale[namespace] -= 1
                release = self._before[namespace]
        if release is None or app_id != self.app_id:
            return not_found(request.target)
        if request.query.get("releaseKey") == release.release_key:
            return answer(304)
        body = {
            "appId": app_id,
            "cluster": cluster,
            "namespaceName": namespace,
            "configurations": release.configurations,
            "releaseKey": release.release_key,
        }
        return json_answer(200, body)

    def _notifications(self, request: Request, connection: socket.socket) -> Reply:
        wanted = {
            entry["namespaceName"]: entry["notificationId"] for entry in json.loads(request.query["notifications"])
        }
        cluster = request.query["cluster"]
        until = time.monotonic() + 60
        with self._changed:
            self._held += 1
            try:
                while not self._stopping and time.monotonic() < until and not self.scripts.get("notifications"):
                    news = [
                        (name, self._releases[name].notification_id)
                        for name, mark in wanted.items()
                        if name in self._releases and self._releases[name].notification_id > mark
                    ]
                    if news:
                        return json_answer(200, [self._notice(cluster, *entry) for entry in news])
                    self._changed.wait(0.2)
                    if _gone(connection):
                        raise OSError("the client left")
            finally:
                self._held -= 1
        return answer(304)

    def _notice(self, cluster: str, name: str, number: int) -> dict[str, object]:
        details = {f"{self.app_id}+{cluster}+{name}": number}
        return {"namespaceName": name, "notificationId": number, "messages": {"details": details}}


def _gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except (BlockingIOError, ValueError):
        return False  # ValueError: TLS sockets cannot be peeked at
    except OSError:
        return True


@contextlib.contextmanager
def scripted_server(**settings: object) -> Iterator[ScriptedServer]:
    """Runs a server for the length of a block."""
    server = ScriptedServer(**settings)  # type: ignore[arg-type]  # passed through as given
    try:
        yield server
    finally:
        server.stop()
