"""A typed client of the management API for tests: what a deployment script would do, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from helicon.protocol.names import DEFAULT_CLUSTER
from tests.support.server import BOOTSTRAP_TOKEN

DEFAULT_ENVIRONMENT = "DEV"
REQUEST_DEADLINE_S = 30


class ManagementError(AssertionError):
    """The API refused a request that the test expects to succeed."""

    def __init__(self, request: httpx.Request, answer: httpx.Response) -> None:
        problem: Any = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        self.status = answer.status_code
        self.code = str(problem.get("code", ""))
        super().__init__(
            f"{request.method} {request.url.path}: {self.status} {self.code}: {problem.get('detail', answer.text)}"
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of a draft and the revision that it has."""

    text: str
    revision: int


@dataclass(frozen=True, slots=True)
class Published:
    """One release that a publish or a rollback made."""

    release_id: int
    release_key: str
    notification_id: int
    namespace: str


@dataclass(frozen=True, slots=True)
class Target:
    """A namespace to publish, at the revision that was reviewed."""

    app: str
    namespace: str
    revision: int
    cluster: str = DEFAULT_CLUSTER


class Management:
    """Talks to one node about one environment. Raises ManagementError for every answer that is no success."""

    def __init__(self, url: str, *, environment: str = DEFAULT_ENVIRONMENT, token: str = BOOTSTRAP_TOKEN) -> None:
        self._environment = environment
        # Loopback only: never through a proxy that the machine may have.
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=REQUEST_DEADLINE_S,
            trust_env=False,
        )

    def create_app(self, app: str) -> None:
        self._send("POST", "/apps", json={"app_id": app})

    def create_cluster(self, app: str, cluster: str) -> None:
        self._send("POST", f"{self._of(app)}/clusters", json={"name": cluster})

    def create_namespace(self, app: str, name: str, *, public: bool = False) -> None:
        """Creates a namespace by its full name, whose suffix says the format."""
        self._send("POST", f"{self._of(app)}/namespaces", json={"name": name, "public": public})

    def read_text(self, app: str, namespace: str, *, cluster: str = DEFAULT_CLUSTER) -> Draft:
        answer = self._send("GET", f"{self._namespace(app, namespace, cluster)}/text")
        return Draft(answer.content.decode(), _revision(answer))

    def write_text(self, app: str, namespace: str, text: str, *, revision: int, cluster: str = DEFAULT_CLUSTER) -> int:
        """Replaces a draft that was seen at `revision`; returns the revision that it has now."""
        return _revision(
            self._send(
                "PUT",
                f"{self._namespace(app, namespace, cluster)}/text",
                content=text.encode(),
                headers={"Content-Type": "text/plain; charset=utf-8", "If-Match": f'"{revision}"'},
            )
        )

    def put_item(
        self, app: str, namespace: str, key: str, value: str, *, revision: int, cluster: str = DEFAULT_CLUSTER
    ) -> int:
        """Sets one item of a draft that was seen at `revision`; returns the revision that it has now."""
        return _revision(
            self._send(
                "PUT",
                f"{self._namespace(app, namespace, cluster)}/items/{quote(key, safe='')}",
                json={"value": value},
                headers={"If-Match": f'"{revision}"'},
            )
        )

    def publish(self, *targets: Target) -> list[Published]:
        """Publishes all of the targets in one request, or none."""
        named = [
            {"app": t.app, "cluster": t.cluster, "namespace": t.namespace, "revision": t.revision} for t in targets
        ]
        answer = self._send("POST", f"/environments/{self._environment}/releases", json={"namespaces": named})
        return [_published(release) for release in answer.json()["releases"]]

    def rollback(self, app: str, namespace: str, *, to: int, live: int, cluster: str = DEFAULT_CLUSTER) -> Published:
        answer = self._send(
            "POST", f"{self._namespace(app, namespace, cluster)}/rollback", json={"to": to, "live": live}
        )
        return _published(answer.json())

    def release(self, app: str, namespace: str, text: str, *, cluster: str = DEFAULT_CLUSTER) -> Published:
        """Makes the draft read `text` and publishes it: the three requests of a deployment script."""
        seen = self.read_text(app, namespace, cluster=cluster).revision
        revision = self.write_text(app, namespace, text, revision=seen, cluster=cluster)
        (published,) = self.publish(Target(app, namespace, revision, cluster))
        return published

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _of(self, app: str) -> str:
        return f"/environments/{self._environment}/apps/{app}"

    def _namespace(self, app: str, namespace: str, cluster: str) -> str:
        return f"{self._of(app)}/clusters/{cluster}/namespaces/{namespace}"

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        answer = self._http.request(method, path, json=json, content=content, headers=headers)
        if not answer.is_success:
            raise ManagementError(answer.request, answer)
        return answer


def _revision(answer: httpx.Response) -> int:
    return int(answer.headers["etag"].strip('"'))


def _published(release: Mapping[str, Any]) -> Published:
    return Published(release["release_id"], release["release_key"], release["notification_id"], release["namespace"])
