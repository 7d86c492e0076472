"""What the clients of a herd say: a conversation as steps, each a request and what follows from its answer.

``poll``   a v2 poll of `application`; news are the notification id
``told``   the same, but a client that has news rests for a second before it polls again
``fetch``  as ``poll``, with a read of ``/configs`` before the next poll, as every client does
``etcd``   a watch of one key through etcd's gateway, a stream that never ends; news are the revision
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from benchmarks.etcd import encoded

NAMESPACE = "application"
_REST_S = 1.0


class Incomplete(Exception):
    """More of the answer is on its way."""


class Trouble(Exception):
    """An answer that a client does not want; the message is its status."""


@dataclass(slots=True, eq=False)
class Step:
    """Waits for one answer."""

    request: bytes  # sent on arrival here; nothing where a stream goes on
    attached: bool = False  # waits for news, and has all that were before
    rest_s: float = 0.0  # before the request is sent
    news: int = -1  # the last that the client has
    known: dict[bytes, Step] = field(default_factory=dict)  # answers seen before, and where they lead


class Talk(Protocol):
    """One kind of conversation."""

    first: Step

    def learn(self, step: Step, data: bytes) -> Step:
        """The step behind an answer not seen before. Raises Incomplete and Trouble."""


def talk_of(name: str, app: str, port: int) -> Talk:
    """The conversation of that name."""
    if name == "etcd":
        return _Watch(app, port)
    return _Poll(app, port, fetch=name == "fetch", rest_s=_REST_S if name == "told" else 0.0)


class _Poll:
    def __init__(self, app: str, port: int, *, fetch: bool, rest_s: float) -> None:
        self._app = app
        self._host = f"Host: 127.0.0.1:{port}\r\n\r\n"
        self._fetch = fetch
        self._rest_s = rest_s
        self._steps: dict[tuple[str, int], Step] = {}
        self.first = Step(self._poll(-1))

    def learn(self, step: Step, data: bytes) -> Step:
        status, body = _answer(data)
        if status == 304 and step.attached:
            following = step
        elif status != 200:
            raise Trouble(str(status))
        elif body.startswith(b"["):
            (entry,) = json.loads(body)
            news: int = entry["notificationId"]
            messages = quote(json.dumps(entry["messages"]), safe="")
            following = self._once("fetch", news, lambda: Step(self._read(messages), news=news))
            if not self._fetch:
                following = self._waiting(news)
        else:
            following = self._waiting(step.news)
        step.known[data] = following
        return following

    def _waiting(self, news: int) -> Step:
        return self._once("poll", news, lambda: Step(self._poll(news), attached=True, rest_s=self._rest_s, news=news))

    def _once(self, kind: str, news: int, make: Callable[[], Step]) -> Step:
        """One object for each place in the conversation, however many different answers lead to it."""
        if (kind, news) not in self._steps:
            self._steps[kind, news] = make()
        return self._steps[kind, news]

    def _poll(self, news: int) -> bytes:
        asked = quote(json.dumps([{"namespaceName": NAMESPACE, "notificationId": news}]), safe="")
        target = f"/notifications/v2?appId={self._app}&cluster=default&notifications={asked}"
        return f"GET {target} HTTP/1.1\r\n{self._host}".encode()

    def _read(self, messages: str) -> bytes:
        target = f"/configs/{self._app}/default/{NAMESPACE}?messages={messages}"
        return f"GET {target} HTTP/1.1\r\n{self._host}".encode()


class _Watch:
    def __init__(self, key: str, port: int) -> None:
        body = json.dumps({"create_request": {"key": encoded(key)}})
        head = f"POST /v3/watch HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        self.first = Step(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        self._steps: dict[int, Step] = {}

    def learn(self, step: Step, data: bytes) -> Step:
        if not data.endswith(b"\n\r\n") or b"{" not in data:
            raise Incomplete
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200"):
            raise Trouble(data[9:12].decode())
        news = step.news
        for line in data.splitlines():
            if line.startswith(b"{"):
                for event in json.loads(line)["result"].get("events", ()):
                    news = int(event["kv"]["mod_revision"])
        following = self._steps.setdefault(news, Step(b"", attached=True, news=news))
        step.known[data] = following
        return following


def _answer(data: bytes) -> tuple[int, Any]:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        raise Incomplete
    status = int(head[9:12])
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    if status != 304 and len(body) < length:
        raise Incomplete
    return status, body
