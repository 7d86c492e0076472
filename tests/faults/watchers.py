"""Watchers read from any node: on the wire as the Java client does, and with our own SDK."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx

import helicon
from tests.faults.cluster import HOLD_S
from tests.faults.events import Event, Heard, Read, Saw, Told
from tests.faults.gray import strays
from tests.faults.writers import number_of

POLL_TIMEOUT_S = HOLD_S + 2.5
READ_TIMEOUT_S = 2.5
PAUSE_S = 0.05
REFRESH_SHARE = 0.3  # of the rounds read all namespaces again without being told to, as Java does on a timer

Held = dict[str, str | None]


class RawWatcher:
    """Polls `/notifications/v2` and reads `/configs`, each time from another node, or from one while it answers.

    It keeps what a Java client keeps: the notification id and the `messages` of each namespace, the release key, and
    what it read last (Apollo client protocol, section 15).
    """

    def __init__(
        self,
        name: str,
        app: str,
        namespaces: Sequence[str],
        urls: Sequence[str],
        rng: random.Random,
        http: httpx.AsyncClient,
        record: Callable[[Event], None],
        *,
        loyal: bool,
        label: str | None,
    ) -> None:
        self.name = name
        self._label = label
        self.held: Held = dict.fromkeys(namespaces)
        self._app = app
        self._urls = urls
        self._rng = rng
        self._http = http
        self._record = record
        self._loyal = loyal
        self._node = rng.randrange(len(urls))
        self._known = dict.fromkeys(namespaces, -1)
        self._details: dict[str, dict[str, int]] = {namespace: {} for namespace in namespaces}
        self._keys: dict[str, str] = {}

    async def follow(self) -> None:
        """Follows until it is cancelled."""
        for namespace in self.held:
            await self._read(namespace)
        while True:
            for namespace in await self._poll():
                await self._read(namespace)
            if not self._loyal and self._rng.random() < REFRESH_SHARE:
                for namespace in self.held:
                    await self._read(namespace)

    async def _poll(self) -> list[str]:
        """Returns the namespaces that have news."""
        asked = [{"namespaceName": each, "notificationId": known} for each, known in self._known.items()]
        parameters = {"appId": self._app, "cluster": "default", "notifications": json.dumps(asked)}
        node, answer = await self._get("/notifications/v2", parameters, POLL_TIMEOUT_S)
        if answer is None or answer.status_code != 200:
            if answer is None or answer.status_code != 304:
                await asyncio.sleep(PAUSE_S)
            return []
        news = []
        for entry in answer.json():
            namespace, told = entry["namespaceName"], entry["notificationId"]
            self._record(Told(self.name, namespace, node, self._known[namespace], told))
            self._known[namespace] = told
            details = self._details[namespace]
            for key, value in entry["messages"]["details"].items():
                details[key] = max(value, details.get(key, -1))
            news.append(namespace)
        return news

    async def _read(self, namespace: str) -> None:
        """Reads until a node answers; a client that is refused keeps what it has and asks another."""
        details = self._details[namespace]
        while True:
            parameters = {"ip": "10.0.0.1"} | ({} if self._label is None else {"label": self._label})
            if details:
                parameters["messages"] = json.dumps({"details": details})
            if namespace in self._keys:
                parameters["releaseKey"] = self._keys[namespace]
            node, answer = await self._get(f"/configs/{self._app}/default/{namespace}", parameters, READ_TIMEOUT_S)
            if answer is not None and answer.status_code in (200, 304, 404):
                break
            await asyncio.sleep(PAUSE_S)
        if answer.status_code == 200:
            body = answer.json()
            configurations = body["configurations"]
            # A number that was never released is what the rules call what is meant for others.
            self.held[namespace] = number_of(namespace, configurations) + strays(namespace, configurations, self._label)
            self._keys[namespace] = body["releaseKey"]
        elif answer.status_code == 404:
            self.held[namespace] = None
        named = max(details.values(), default=0)
        self._record(Read(self.name, namespace, node, named, self.held[namespace], answer.status_code))

    async def _get(self, path: str, parameters: dict[str, str], timeout_s: float) -> tuple[int, httpx.Response | None]:
        node, answer = self._node, None
        with suppress(httpx.TransportError):
            answer = await self._http.get(f"{self._urls[node]}{path}", params=parameters, timeout=timeout_s)
        if not self._loyal or answer is None or answer.is_server_error:
            self._node = self._rng.randrange(len(self._urls))
        return node, answer


class SdkWatcher:
    """A `helicon.Client` that knows all nodes; it follows in a thread of its own."""

    def __init__(
        self,
        name: str,
        app: str,
        namespaces: Sequence[str],
        urls: Sequence[str],
        rng: random.Random,
        record: Callable[[Event], None],
        *,
        label: str | None,
    ) -> None:
        self.name = name
        self._record = record
        self._seen: Held = {}
        self._namespaces = namespaces
        self._client = helicon.Client(
            meta=rng.sample(urls, len(urls)),
            app_id=app,
            namespaces=namespaces,
            cluster="default",
            label=label,
            cache_dir="off",
        )
        for namespace in namespaces:
            self._client.namespace(namespace).on_change()(self._heard)

    @property
    def held(self) -> Held:
        """What getters answer now."""
        for namespace in self._namespaces:
            number = self._number(namespace)
            if number != self._seen.get(namespace):
                self._seen[namespace] = number
                self._record(Saw(self.name, namespace, number))
        return dict(self._seen)

    def close(self) -> None:
        self._client.close()

    def _number(self, namespace: str) -> str | None:
        config = self._client.namespace(namespace)
        content = config.content if namespace.endswith(".json") else config.get("number")
        return _number(namespace, content)

    def _heard(self, event: helicon.ChangeEvent) -> None:
        for change in event.changes.values():
            old, new = _number(event.namespace, change.old), _number(event.namespace, change.new)
            self._record(Heard(self.name, event.namespace, old, new))


def _number(namespace: str, value: Any) -> str | None:
    if value is None:
        return None
    return number_of(namespace, {"content": value, "number": value})
