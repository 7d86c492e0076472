"""Writers publish numbered releases as a careful deployment script would, through any node."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from tests.faults.events import Acknowledged, Asked, Event, GaveUp, Made, Refused
from tests.support.management import DEFAULT_ENVIRONMENT
from tests.support.server import BOOTSTRAP_TOKEN

REQUEST_TIMEOUT_S = 2.5
PUBLISH_TIMEOUT_S = 40.0  # for all repetitions together
PAUSE_S = 0.05
HASTY_SHARE = 0.25  # of the publishes lose the first answer, or hang up before it comes
HASTY_TIMEOUT_S = 0.15  # at most; what the node does then goes on beside the repetition
BOTH_SHARE = 0.25  # of the publishes name two namespaces

_HEADERS = {"Authorization": f"Bearer {BOOTSTRAP_TOKEN}"}


def text_of(namespace: str, number: str) -> str:
    """The whole text of a draft that carries a number."""
    return json.dumps({"number": number}) if namespace.endswith(".json") else f"number = {number}\n"


def number_of(namespace: str, configurations: dict[str, str]) -> str:
    """The number that a release carries."""
    if namespace.endswith(".json"):
        return str(json.loads(configurations["content"])["number"])
    return configurations["number"]


class Writer:
    """Publishes on and on; each publish has a number of its own and one idempotency key."""

    def __init__(
        self,
        name: str,
        app: str,
        namespaces: Sequence[str],
        urls: Sequence[str],
        rng: random.Random,
        http: httpx.AsyncClient,
        record: Callable[[Event], None],
    ) -> None:
        self.avoided: set[int] = set()  # nodes that are too sick to be asked
        self._name = name
        self._app = app
        self._namespaces = namespaces
        self._urls = urls
        self._rng = rng
        self._http = http
        self._record = record
        self._count = 0

    async def publish_some(self, least: int, enough: Callable[[], bool]) -> None:
        """Publishes until `enough`, and at least so many times."""
        done = 0
        while done < least or not enough():
            done += await self._publish_one()
            await asyncio.sleep(self._rng.uniform(0.01, 0.1))

    async def _publish_one(self) -> bool:
        """Tells whether a release was made; else another writer was first."""
        self._count += 1
        number = f"{self._name}-{self._count}"
        both = self._rng.random() < BOTH_SHARE
        namespaces = self._rng.sample(self._namespaces, 2 if both else 1)
        targets = []
        for namespace in namespaces:
            revision = await self._write(namespace, number)
            if revision is None:
                return False
            targets.append({"app": self._app, "namespace": namespace, "revision": revision})
        self._record(Asked(number, tuple(namespaces)))
        return await self._publish(number, {"namespaces": targets, "title": number})

    async def _write(self, namespace: str, number: str) -> int | None:
        path = f"/environments/{DEFAULT_ENVIRONMENT}/apps/{self._app}/clusters/default/namespaces/{namespace}/text"
        seen = await self._until_answered("GET", path)
        if seen is None:
            return None
        assert seen[1].status_code == 200, seen[1].text
        etag = seen[1].headers["etag"]
        text = text_of(namespace, number)
        written = await self._once("PUT", path, content=text, headers={"If-Match": etag, "Content-Type": "text/plain"})
        if written is None or written[1].status_code != 200:
            return None  # somebody else wrote, or nobody knows; with another number nothing is at stake
        return int(written[1].headers["etag"].strip('"'))

    async def _publish(self, number: str, body: dict[str, Any]) -> bool:
        path = f"/environments/{DEFAULT_ENVIRONMENT}/releases"
        key = {"Idempotency-Key": f"{self._app}/{number}"}
        if self._rng.random() < HASTY_SHARE:
            hasty_s = self._rng.uniform(0.005, HASTY_TIMEOUT_S)
            await self._once("POST", path, json=body, headers=key, timeout=hasty_s)
        found = await self._until_answered("POST", path, json=body, headers=key)
        if found is None:
            self._record(GaveUp(number))
            return False
        node, answer = found
        if answer.is_success:
            releases = answer.json()["releases"]
            made = tuple(
                Made(each["namespace"], each["release_id"], each["notification_id"], each["release_key"])
                for each in releases
            )
            self._record(Acknowledged(number, node, made))
            return True
        self._record(Refused(number, node, str(answer.json().get("code"))))
        return False

    async def _until_answered(self, method: str, path: str, **request: Any) -> tuple[int, httpx.Response] | None:
        """Asks one node after the other until one says yes or no; None when the time is up."""
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                while True:
                    found = await self._once(method, path, **request)
                    if found is not None and found[1].status_code < 500 and found[1].status_code != 429:
                        return found
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            return None

    async def _once(self, method: str, path: str, **request: Any) -> tuple[int, httpx.Response] | None:
        node = self._rng.choice([each for each in range(len(self._urls)) if each not in self.avoided])
        request = {"timeout": REQUEST_TIMEOUT_S, **request, "headers": {**_HEADERS, **request.get("headers", {})}}
        try:
            return node, await self._http.request(method, f"{self._urls[node]}/api/v1{path}", **request)
        except httpx.TransportError:
            return None
