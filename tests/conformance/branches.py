"""Gray branches as operators handle them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.world import Released, World


@dataclass(slots=True)
class Branch:
    """A branch of a namespace, and what was asked of it last."""

    world: World
    app: str
    namespace: str
    name: str
    revision: int
    wanted: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.world.place(self.app, self.namespace)}/branches/{self.name}"

    def publish(self) -> Released:
        """Makes the branch's release and returns when the node serves it."""
        told = self.world.send("POST", f"{self.place}/publish", {"revision": self.revision}).json()
        self.revision = self._read()
        made = Released(told["release_id"], told["release_key"], told["notification_id"])
        self.world.await_served(self.app, self.namespace, made.notification_id)
        return made

    def change(self, **wanted: object) -> None:
        """Changes rules or content; those who are selected hear of it as of a release."""
        self.wanted |= wanted
        headers = {"If-Match": f'"{self.revision}"'}
        self.revision = self.world.send("PUT", self.place, self.wanted, headers=headers).json()["revision"]

    def delete(self) -> None:
        self.world.send("DELETE", self.place, headers={"If-Match": f'"{self._read()}"'})

    def _read(self) -> int:
        revision: int = self.world.send("GET", self.place).json()["revision"]
        return revision


def rule(
    app: str, *, ips: Sequence[str] = (), labels: Sequence[str] = (), percent: float | None = None
) -> dict[str, object]:
    return {"client_app": app, "ips": list(ips), "labels": list(labels), "percent": percent}


def make_branch(
    world: World,
    app: str,
    rules: Sequence[Mapping[str, object]],
    content: Mapping[str, str],
    *,
    namespace: str = "application",
    remove: Sequence[str] = (),
    priority: int = 100,
) -> Branch:
    """Creates a branch, which nobody sees until it is published."""
    wanted = {
        "title": "",
        "priority": priority,
        "rules": list(rules),
        "set": dict(content),
        "remove": list(remove),
    }
    told = world.send("POST", f"{world.place(app, namespace)}/branches", wanted).json()
    return Branch(world, app, namespace, told["name"], told["revision"], wanted)
