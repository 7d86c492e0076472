"""Fills a real server through its management API."""

from __future__ import annotations

import http.client
import json
from typing import Any


class Management:
    """The few calls that benchmarks need, over one keep-alive connection, on one environment."""

    def __init__(self, port: int, token: str, environment: str = "DEV") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._token = token
        self._base = f"/api/v1/environments/{environment}"

    def create(self, app: str) -> None:
        """Creates an app; it has the namespace `application` from then on."""
        self._call("POST", "/api/v1/apps", json.dumps({"app_id": app}).encode())
        self._call("POST", f"{self._base}/apps/{app}/namespaces", b'{"name":"application"}', also=409)

    def write(self, app: str, text: str) -> int:
        """Replaces the draft of `application` and returns its new revision."""
        place = f"{self._base}/apps/{app}/clusters/default/namespaces/application"
        seen = self._call("GET", place)["revision"]
        written = self._call("PUT", f"{place}/text", text.encode(), kind="text/plain", if_match=f'"{seen}"')
        revision: int = written["revision"]
        return revision

    def publish(self, app: str, revision: int) -> int:
        """Publishes the draft of `application` and returns the notification id."""
        body = {"namespaces": [{"app": app, "namespace": "application", "revision": revision}]}
        answer = self._call("POST", f"{self._base}/releases", json.dumps(body).encode())
        released: int = answer["releases"][0]["notification_id"]
        return released

    def require_signatures(self, app: str) -> str:
        """Gives an app an access key, which all its clients must sign with from then on; returns the secret."""
        answer = self._call("POST", f"{self._base}/apps/{app}/access-keys", b'{"mode":"filter"}')
        secret: str = answer["secret"]
        return secret

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        kind: str = "application/json",
        if_match: str | None = None,
        also: int | None = None,
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = kind
        if if_match is not None:
            headers["If-Match"] = if_match
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201, also):
            raise RuntimeError(f"{method} {path} answered {answer.status}: {content[:500]!r}")
        return json.loads(content)
