"""An app whose clients may have to sign, on real nodes: its keys through the API, and requests byte for byte."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from helicon.protocol import signature
from tests.support.management import Management
from tests.support.ports import LOOPBACK
from tests.support.server import ServerProcess
from tests.support.wait import wait_until

APP = "shop"
SECRET = "right-secret-that-no-log-may-show"
OTHER_SECRET = "other-secret-that-no-log-may-show"
READ = f"/configs/{APP}/default/application"
VALUE = "hello-from-the-release"
FOLLOWS_S = 20  # for a node to have heard of a change; it takes milliseconds


@dataclass(frozen=True, slots=True)
class Wire:
    """An answer of the client protocol as it came."""

    status: int
    body: bytes

    @property
    def code(self) -> str | None:
        """The stable code of a refusal."""
        return json.loads(self.body).get("code") if self.status >= 400 else None

    @property
    def verdict(self) -> tuple[int, str | None]:
        return self.status, self.code


def ask(node: ServerProcess, target: str, *headers: str, deadline_s: float = 30) -> Wire:
    """Sends a target exactly as it is written."""
    head = "".join(f"{line}\r\n" for line in ("Host: node", "Connection: close", *headers))
    with socket.create_connection((LOOPBACK, node.port), timeout=deadline_s) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    top, _, body = received.partition(b"\r\n\r\n")
    return Wire(int(top.split(b" ", 2)[1]), body)


def signed(
    target: str, secret: str = SECRET, *, age_s: float = 0.0, of: str | None = None, app: str = APP
) -> list[str]:
    """The headers that sign a request; ``of`` is the target that is signed when it is another one."""
    made = signature.headers(app, secret, int((time.time() - age_s) * 1000), of or target)
    return [f"{name}: {value}" for name, value in made.items()]


def ask_signed(node: ServerProcess, target: str = READ, secret: str = SECRET, **more: Any) -> Wire:
    return ask(node, target, *signed(target, secret, **more))


def poll_of(seen: int = -1, app: str = APP) -> str:
    """The target of a long poll."""
    entries = json.dumps([{"namespaceName": "application", "notificationId": seen}])
    return f"/notifications/v2?appId={app}&cluster=default&notifications={quote(entries)}"


UNSIGNED = (401, "request_time_skewed")  # no Timestamp counts as one of 1970
WRONG = (401, "invalid_signature")
# What carries a release or tells of one. Each holds VALUE or wakes for it.
SURFACES = [
    READ,
    f"/configfiles/{APP}/default/application",
    f"/configfiles/json/{APP}/default/application",
    f"/configfiles/raw/{APP}/default/application",
    f"/notifications?appId={APP}&cluster=default&namespace=application&notificationId=-1",
    poll_of(),
]


class Guarded:
    """The app, its keys, and the nodes that serve it."""

    def __init__(self, *nodes: ServerProcess) -> None:
        self.nodes = nodes
        with Management(self.node.url) as management:
            management.create_app(APP)
            management.create_namespace(APP, "application")
        self.release("greeting = " + VALUE)
        self.settle(None, 200, None)

    @property
    def node(self) -> ServerProcess:
        return self.nodes[0]

    def release(self, text: str) -> int:
        """Publishes a text; returns its notification id."""
        with Management(self.node.url) as management:
            return management.release(APP, "application", text + "\n").notification_id

    def create(self, mode: str, secret: str = SECRET, *, enabled: bool = True, environment: str = "DEV") -> int:
        """Makes a key and returns its id."""
        body = {"mode": mode, "enabled": enabled, "secret": secret}
        answer = self.node.request("POST", self._path(environment), body)
        assert answer.status == 201, answer.body
        return int(answer.json()["id"])

    def change(self, key: int, **to: object) -> None:
        answer = self.node.request("PATCH", f"{self._path('DEV')}/{key}", to)
        assert answer.status == 200, answer.body

    def delete(self, key: int) -> None:
        answer = self.node.request("DELETE", f"{self._path('DEV')}/{key}")
        assert answer.status == 204, answer.body

    def settle(self, secret: str | None, *verdict: object) -> None:
        """Returns when every node answers a read, signed with a secret or not at all, like this."""
        for node in self.nodes:

            def answered(node: ServerProcess = node) -> bool:
                return (ask(node, READ) if secret is None else ask_signed(node, READ, secret)).verdict == verdict

            wait_until(answered, FOLLOWS_S, f"verdict {verdict} of every node")

    def enforce(self, secret: str = SECRET) -> int:
        """Makes a key that refuses, and returns its id when every node goes by it."""
        key = self.create("filter", secret)
        self.settle(None, 401, "request_time_skewed")
        return key

    @staticmethod
    def _path(environment: str) -> str:
        return f"/api/v1/environments/{environment}/apps/{APP}/access-keys"
