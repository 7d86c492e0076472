"""Clients of a node for tests of its processes: what is served, and polls that are held on connections of their own."""

from __future__ import annotations

import json
import socket
from urllib.parse import quote

from tests.support.management import Management, Published
from tests.support.ports import LOOPBACK
from tests.support.server import ServerProcess

APP = "shop"
NAMESPACE = "application"
_DEADLINE_S = 60


class HeldPoll:
    """One long poll on a connection of its own, sent and not yet answered."""

    def __init__(self, node: ServerProcess, seen: int) -> None:
        notifications = quote(json.dumps([{"namespaceName": NAMESPACE, "notificationId": seen}]))
        self._connection = socket.create_connection((LOOPBACK, node.port), timeout=_DEADLINE_S)
        self._connection.sendall(
            f"GET /notifications/v2?appId={APP}&cluster=default&notifications={notifications} HTTP/1.1\r\n"
            "Host: node\r\nConnection: close\r\n\r\n".encode()
        )

    def answer(self) -> tuple[int, str]:
        """Waits for the answer: status, and body without its framing."""
        received = b""
        with self._connection:
            while chunk := self._connection.recv(65536):
                received += chunk
        head, _, body = received.decode().partition("\r\n\r\n")
        return int(head.split(" ", 2)[1]) if head else 0, body

    def abandon(self) -> None:
        self._connection.close()


def prepared(node: ServerProcess) -> Published:
    """Makes the app and its first release."""
    with Management(node.url) as management:
        management.create_app(APP)
        management.create_namespace(APP, NAMESPACE)
        return management.release(APP, NAMESPACE, "n = 1\n")


def release(node: ServerProcess, text: str) -> Published:
    """Publishes a text."""
    with Management(node.url) as management:
        return management.release(APP, NAMESPACE, text)


def served(node: ServerProcess) -> str | None:
    """The release key that a fresh connection reads; None when there is none."""
    answer = node.request("GET", f"/configs/{APP}/default/{NAMESPACE}", token=None)
    return str(answer.json()["releaseKey"]) if answer.status == 200 else None
