"""A gray release in the tests of clients: a branch that selects by label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tests.support.management import DEFAULT_ENVIRONMENT
from tests.support.server import ServerProcess


@dataclass(frozen=True, slots=True)
class GrayRelease:
    """A published branch and the notification id of its release."""

    node: ServerProcess
    place: str
    notification_id: int

    def abandon(self) -> None:
        """Deletes the branch; its clients get the namespace's release again."""
        revision = self.node.request("GET", self.place).json()["revision"]
        answer = self.node.request("DELETE", self.place, headers={"If-Match": f'"{revision}"'})
        assert answer.status == HTTPStatus.NO_CONTENT, answer.body


def release_gray(node: ServerProcess, app: str, label: str, content: Mapping[str, str]) -> GrayRelease:
    """Releases other values of `application` to the clients that name themselves with a label."""
    namespace = f"/api/v1/environments/{DEFAULT_ENVIRONMENT}/apps/{app}/clusters/default/namespaces/application"
    rules = [{"client_app": app, "labels": [label]}]
    made = _created(node, f"{namespace}/branches", {"rules": rules, "set": dict(content)})
    place = f"{namespace}/branches/{made['name']}"
    published = _created(node, f"{place}/publish", {"revision": made["revision"]})
    return GrayRelease(node, place, published["notification_id"])


def _created(node: ServerProcess, path: str, body: object) -> dict[str, Any]:
    answer = node.request("POST", path, body)
    assert answer.status == HTTPStatus.CREATED, answer.body
    told: dict[str, Any] = answer.json()
    return told
