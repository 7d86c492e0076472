"""What a memory database holds. A transaction writes into a copy that replaces the original when it commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from helicon_server.domain.access_key import AccessKey
from helicon_server.domain.gray import GrayBranch
from helicon_server.domain.instance import InstanceRelease
from helicon_server.domain.model import (
    App,
    AuditEntry,
    Cluster,
    Environment,
    IdempotentAnswer,
    Item,
    Message,
    Namespace,
    NamespaceDefinition,
    Release,
    Token,
    User,
)
from helicon_server.domain.node import Node


@dataclass(slots=True)
class State:
    """Rows by their identity. One sequence for all tables, so that a mix-up of ids never looks right."""

    apps: dict[str, App] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[int, Token] = field(default_factory=dict)
    audit: dict[int, AuditEntry] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    clusters: dict[tuple[str, str, str], Cluster] = field(default_factory=dict)
    definitions: dict[tuple[str, str, str], NamespaceDefinition] = field(default_factory=dict)
    namespaces: dict[int, Namespace] = field(default_factory=dict)
    items: dict[int, tuple[int, Item]] = field(default_factory=dict)  # with the namespace's id
    releases: dict[int, Release] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    idempotency: dict[tuple[str, str, str], IdempotentAnswer] = field(default_factory=dict)
    answered_at: dict[tuple[str, str, str], datetime] = field(default_factory=dict)  # beside ``idempotency``
    branches: dict[int, GrayBranch] = field(default_factory=dict)
    access_keys: dict[int, AccessKey] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    instances: dict[tuple[str, ...], InstanceRelease] = field(default_factory=dict)
    last_id: int = 0

    def copy(self) -> State:
        """Copies the tables, not the rows: those are immutable."""
        return State(
            apps=dict(self.apps),
            users=dict(self.users),
            tokens=dict(self.tokens),
            audit=dict(self.audit),
            environments=dict(self.environments),
            clusters=dict(self.clusters),
            definitions=dict(self.definitions),
            namespaces=dict(self.namespaces),
            items=dict(self.items),
            releases=dict(self.releases),
            messages=dict(self.messages),
            idempotency=dict(self.idempotency),
            answered_at=dict(self.answered_at),
            branches=dict(self.branches),
            access_keys=dict(self.access_keys),
            nodes=dict(self.nodes),
            instances=dict(self.instances),
            last_id=self.last_id,
        )

    def next_id(self) -> int:
        """The next identity, greater than every earlier one."""
        self.last_id += 1
        return self.last_id
