"""What operators do to a node, in as few words as a test wants, and the targets that clients ask for.

Targets are written here by hand: a test of the wire shall not lean on the code that builds and reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from helicon.protocol.properties import entry
from tests.conformance.wire import Wire
from tests.support.server import BOOTSTRAP_TOKEN, Response, ServerProcess

ENVIRONMENT = "DEV"


@dataclass(frozen=True, slots=True)
class Released:
    """A release as the management API tells of it."""

    id: int
    key: str
    notification_id: int


class World:
    """One environment of a node."""

    def __init__(self, node: ServerProcess, environment: str = ENVIRONMENT) -> None:
        self.node = node
        self._environment = environment

    @property
    def prefix(self) -> str:
        """In front of the targets of this environment; the default one has none."""
        return "" if self._environment == ENVIRONMENT else f"/envs/{self._environment}"

    # --- what operators do ------------------------------------------------------------------------

    def app(self, app: str, *namespaces: str) -> None:
        """Creates an app with these private namespaces."""
        self.send("POST", "/apps", {"app_id": app})
        for name in namespaces:
            self.namespace(app, name)

    def namespace(self, app: str, name: str, *, public: bool = False) -> None:
        self.send("POST", f"{self.of(app)}/namespaces", {"name": name, "public": public})

    def cluster(self, app: str, name: str) -> None:
        self.send("POST", f"{self.of(app)}/clusters", {"name": name})

    def associate(self, app: str, name: str, *, cluster: str = "default") -> None:
        """Gives an app its own overlay on another app's public namespace."""
        self.send("POST", f"{self.of(app)}/clusters/{cluster}/namespaces", {"name": name})

    def write(self, app: str, namespace: str, content: Mapping[str, str], *, cluster: str = "default") -> int:
        """Replaces a draft and returns its revision. The content of a document is ``{"content": text}``."""
        document = namespace.rpartition(".")[2] in ("json", "yml", "yaml", "xml", "txt")
        text = content["content"] if document else "".join(entry(*item) + "\n" for item in content.items())
        place, body = self.place(app, namespace, cluster), text.encode()
        lines = [
            f"PUT /api/v1{place}/text HTTP/1.1",
            "Host: config.example",
            f"Authorization: Bearer {BOOTSTRAP_TOKEN}",
            f"If-Match: {self.send('GET', place).headers['etag']}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
        ]
        with Wire(self.node.port) as wire:
            wire.send("\r\n".join([*lines, "", ""]).encode() + body)
            answer = wire.receive()
        assert answer.status == 200, answer
        return int(answer.headers["etag"].strip('"'))

    def publish(self, app: str, namespace: str, content: Mapping[str, str], *, cluster: str = "default") -> Released:
        """Makes `content` the release and returns when the node serves it."""
        return self.publish_together(app, {namespace: content}, cluster=cluster)[0]

    def publish_together(
        self, app: str, contents: Mapping[str, Mapping[str, str]], *, cluster: str = "default"
    ) -> list[Released]:
        """Makes several releases with one publish."""
        targets = [
            {
                "app": app,
                "cluster": cluster,
                "namespace": name,
                "revision": self.write(app, name, content, cluster=cluster),
                "may_empty": True,
            }
            for name, content in contents.items()
        ]
        answer = self.send("POST", f"/environments/{self._environment}/releases", {"namespaces": targets})
        made = [_released(one) for one in answer.json()["releases"]]
        for name, one in zip(contents, made, strict=True):
            self.await_served(app, name, one.notification_id, cluster=cluster)
        return made

    def roll_back(self, app: str, namespace: str, *, to: Released, live: Released) -> Released:
        answer = self.send("POST", f"{self.place(app, namespace)}/rollback", {"to": to.id, "live": live.id})
        made = _released(answer.json())
        self.await_served(app, namespace, made.notification_id)
        return made

    def await_served(self, app: str, namespace: str, id_: int, *, cluster: str = "default") -> None:
        """Returns when the node tells of this id: a poll that knows all but it is answered then."""
        with Wire(self.node.port) as wire:
            assert wire.get(self.prefix + poll(app, {namespace: id_ - 1}, cluster=cluster)).status == 200

    # --- the management API -----------------------------------------------------------------------

    def of(self, app: str) -> str:
        return f"/environments/{self._environment}/apps/{app}"

    def place(self, app: str, namespace: str, cluster: str = "default") -> str:
        return f"{self.of(app)}/clusters/{cluster}/namespaces/{namespace}"

    def send(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Sends one request that has to succeed."""
        answer = self.node.request(method, f"/api/v1{path}", body, headers=headers)
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {answer.body!r}"
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)


# --- what clients ask for ---------------------------------------------------------------------------


def configs(app: str, namespace: str = "application", *, cluster: str = "default", **query: str) -> str:
    """The target of /configs."""
    return f"/configs/{_path(app, cluster, namespace)}{_query(query)}"


def files(app: str, namespace: str = "application", *, form: str = "", cluster: str = "default", **query: str) -> str:
    """The target of /configfiles; the form is empty, ``json`` or ``raw``."""
    folder = f"configfiles/{form}" if form else "configfiles"
    return f"/{folder}/{_path(app, cluster, namespace)}{_query(query)}"


def poll(
    app: str, seen: Mapping[str, int] | Iterable[Mapping[str, object]], *, cluster: str = "default", **query: str
) -> str:
    """The target of /notifications/v2; ``seen`` are ids by namespace, or entries as they are to be sent."""
    entries: list[Any] = (
        [{"namespaceName": name, "notificationId": id_} for name, id_ in seen.items()]
        if isinstance(seen, Mapping)
        else list(seen)
    )
    asked = {"appId": app, "cluster": cluster, "notifications": json.dumps(entries), **query}
    return f"/notifications/v2{_query(asked)}"


def legacy_poll(app: str, known: int | None = None, *, cluster: str = "default", **query: str) -> str:
    """The target of /notifications, which watches one namespace."""
    asked = {"appId": app, "cluster": cluster} | ({} if known is None else {"notificationId": str(known)})
    return f"/notifications{_query(asked | query)}"


def watch_key(app: str, namespace: str = "application", cluster: str = "default") -> str:
    return f"{app}+{cluster}+{namespace}"


def _path(*segments: str) -> str:
    return "/".join(quote(each, safe="") for each in segments)


def _query(pairs: Mapping[str, str]) -> str:
    return "?" + "&".join(f"{name}={quote_plus(value)}" for name, value in pairs.items()) if pairs else ""


def _released(told: Mapping[str, Any]) -> Released:
    return Released(told["release_id"], told["release_key"], told["notification_id"])
