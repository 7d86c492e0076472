"""A client of the management API that shows every answer as it is, and holds it to the OpenAPI document."""

from __future__ import annotations

import itertools
import socket
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests.integration.api.conformance import Conformance
from tests.support.ports import LOOPBACK
from tests.support.server import BOOTSTRAP_TOKEN, ServerProcess
from tests.support.wait import wait_until

PREFIX = "/api/v1"
ENVIRONMENT = "DEV"
_DEADLINE_S = 30
_numbers = itertools.count(1)


class Api:
    """Talks to one node; a refusal is an answer like any other, and an internal error fails the test."""

    def __init__(self, node: ServerProcess) -> None:
        self.node = node
        self.http = httpx.Client(base_url=node.url, timeout=_DEADLINE_S, trust_env=False)  # loopback only: no proxy
        self.conformance = Conformance(self.http.get("/api/openapi.json").json())

    def call(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        token: str | None = BOOTSTRAP_TOKEN,
        revision: object = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Sends one request below ``/api/v1``; ``revision`` becomes If-Match, ``more`` goes to httpx."""
        every = dict(headers or {})
        if token is not None:
            every.setdefault("Authorization", f"Bearer {token}")
        if revision is not None:
            every.setdefault("If-Match", f'"{revision}"')
        answer = self.http.request(method, PREFIX + path, json=json, headers=every, **more)
        self.conformance.check(answer)
        assert answer.status_code != 500, f"{answer.text}\n{self.node.stderr[-3000:]}"
        return answer

    def ok(self, method: str, path: str, json: object = None, **more: Any) -> Any:
        """The body of a request that must succeed; None when it has none."""
        answer = self.call(method, path, json, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.status_code == 204:
            return None
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def token(self, *rights: str, name: str | None = None, days: int | None = None) -> str:
        """A new token with these rights."""
        asked = {"name": name or fresh("token"), "rights": list(rights), "lifetime_days": days}
        return str(self.ok("POST", "/tokens", asked)["secret"])

    def app(self) -> str:
        """A new app."""
        return str(self.ok("POST", "/apps", {"app_id": fresh("app")})["app_id"])

    def place(self, namespace: str = "application", *, app: str | None = None, text: str | None = None) -> Place:
        """A new namespace, of a new app unless told otherwise, whose draft reads ``text``."""
        app = app or self.app()
        self.ok("POST", f"/environments/{ENVIRONMENT}/apps/{app}/namespaces", {"name": namespace})
        place = Place(self, app, namespace)
        if text is not None:
            place.write(text)
        return place


@dataclass(frozen=True, slots=True)
class Place:
    """One namespace in one cluster, and what can be done there."""

    api: Api
    app: str
    namespace: str
    cluster: str = "default"

    @property
    def path(self) -> str:
        return f"/environments/{ENVIRONMENT}/apps/{self.app}/clusters/{self.cluster}/namespaces/{self.namespace}"

    def item(self, key: str) -> str:
        """The path of an item."""
        return f"{self.path}/items/{quote(key, safe='')}"

    @property
    def revision(self) -> int:
        return int(self.api.ok("GET", self.path)["revision"])

    @property
    def text(self) -> str:
        return str(self.api.ok("GET", self.path + "/text"))

    def write_text(self, text: str | bytes, *, revision: object = None, **more: Any) -> httpx.Response:
        """Sends a whole text, as the revision that is current unless told otherwise."""
        content = text.encode() if isinstance(text, str) else text
        headers = {"Content-Type": "text/plain; charset=utf-8"} | more.pop("headers", {})
        seen = self.revision if revision is None else revision
        return self.api.call("PUT", self.path + "/text", content=content, headers=headers, revision=seen, **more)

    def write(self, text: str) -> int:
        """Makes the draft read ``text`` and returns its revision."""
        answer = self.write_text(text)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["revision"])

    def publish(self, *others: Place, revision: int | None = None, **more: Any) -> httpx.Response:
        """Publishes this namespace, and ``others`` with it, as they are now unless told otherwise."""
        first = self.target if revision is None else self.target | {"revision": revision}
        body = {"namespaces": [first, *(other.target for other in others)]} | more.pop("body", {})
        return self.api.call("POST", f"/environments/{ENVIRONMENT}/releases", body, **more)

    @property
    def target(self) -> dict[str, object]:
        """This namespace as a publish names it."""
        return {"app": self.app, "cluster": self.cluster, "namespace": self.namespace, "revision": self.revision}

    def release(self, text: str) -> int:
        """Writes and publishes ``text`` and returns the id of the release."""
        self.write(text)
        answer = self.publish()
        assert answer.status_code == 201, answer.text
        return int(answer.json()["releases"][0]["release_id"])

    @property
    def releases(self) -> list[dict[str, Any]]:
        """All releases, newest first."""
        return pages(self.api, self.path + "/releases")

    def served(self, release_key: str) -> dict[str, str]:
        """The configurations that clients get, as soon as they get this release."""
        path = f"/configs/{self.app}/{self.cluster}/{self.namespace}"

        def newest() -> dict[str, dict[str, str]] | None:
            answer = self.api.http.get(path)
            return answer.json() if answer.status_code == 200 and release_key in answer.text else None

        answer = wait_until(newest, _DEADLINE_S, f"release {release_key} at {path}")
        assert answer is not None
        return answer["configurations"]

    def state(self) -> dict[str, Any]:
        """All that a refused request must leave as it was: draft, items, releases, and the newest audit rows."""
        return {
            "namespace": self.api.ok("GET", self.path),
            "items": self.api.ok("GET", self.path + "/items"),
            "text": self.text,
            "releases": self.releases,
            "namespaces": self.api.ok("GET", self.path.rpartition("/")[0]),
            "clusters": self.api.ok("GET", f"/environments/{ENVIRONMENT}/apps/{self.app}/clusters"),
            "audit": self.api.ok("GET", f"/environments/{ENVIRONMENT}/audit?limit=3"),
            "control_audit": self.api.ok("GET", "/audit?limit=3"),
        }


def pages(api: Api, path: str, limit: int = 500) -> list[dict[str, Any]]:
    """All entries of a paged list, page by page."""
    entries: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.ok("GET", f"{path}?limit={limit}{cursor}")
        entries += page["items"]
        if page["next_cursor"] is None:
            return entries
        assert len(page["items"]) == limit, "only the last page may be short"
        cursor = f"&cursor={page['next_cursor']}"


def fresh(what: str) -> str:
    """A name that no other test uses."""
    return f"{what}-{next(_numbers)}-{uuid.uuid4().hex[:6]}"


def raw_request(node: ServerProcess, request: bytes) -> tuple[int, str]:
    """Sends bytes that no client library would send; returns status and the whole answer.

    The request should ask for the connection to be closed.
    """
    with socket.create_connection((LOOPBACK, node.port), timeout=_DEADLINE_S) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    answer = received.decode(errors="replace")
    return int(answer.split(" ", 2)[1]), answer
