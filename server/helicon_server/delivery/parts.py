"""What is served of one database in parts: one for each namespace and each app, and what stands above them all.

A change touches few of them, so whoever keeps a copy of everything takes over those, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from helicon_server.delivery.restore import State
from helicon_server.domain.access_key import AccessKey
from helicon_server.domain.gray import LiveBranch
from helicon_server.domain.model import LiveRelease, Message, NamespaceDefinition


class PartName(NamedTuple):
    """Names a part: the environment as it is spelled, and the folded watch key of a namespace or the folded app."""

    kind: Literal["namespace", "app"]
    environment: str
    key: str


@dataclass(frozen=True, slots=True)
class NamespacePart:
    """What a namespace serves: its live release, and its branches in their order."""

    live: LiveRelease | None
    branches: Sequence[LiveBranch]


@dataclass(frozen=True, slots=True)
class AppPart:
    """What belongs to an app: its definitions, and its access keys with their secrets sealed."""

    environment: str
    app: str
    definitions: Sequence[NamespaceDefinition]
    access_keys: Sequence[AccessKey]


Part = NamespacePart | AppPart


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the parts; the fields are those of ``State``."""

    environments: Mapping[str, bool]
    newest_id: int
    newest: Message | None
    origin: datetime | None


def state_of(head: Head, namespaces: Iterable[NamespacePart], apps: Iterable[AppPart]) -> State:
    """The state that these make up together."""
    definitions: dict[str, dict[str, Sequence[NamespaceDefinition]]] = {name: {} for name in head.environments}
    access_keys: list[AccessKey] = []
    for each in apps:
        if each.definitions:
            definitions.setdefault(each.environment, {})[each.app] = each.definitions
        access_keys += each.access_keys
    live: list[LiveRelease] = []
    branches: list[LiveBranch] = []
    for namespace in namespaces:
        if namespace.live is not None:
            live.append(namespace.live)
        branches += namespace.branches
    return State(head.environments, definitions, live, branches, access_keys, head.newest_id, head.newest, head.origin)
