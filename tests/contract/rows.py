"""Rows with sensible defaults, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from helicon_server.domain.access_key import AccessKey, AccessKeyMode
from helicon_server.domain.actors import ALL_RIGHTS
from helicon_server.domain.formats import Format
from helicon_server.domain.gray import GrayBranch, GrayRule
from helicon_server.domain.instance import InstanceRelease
from helicon_server.domain.model import (
    App,
    AuditEntry,
    Cluster,
    Environment,
    IdempotentAnswer,
    Item,
    ItemType,
    MessageKind,
    Namespace,
    NamespaceDefinition,
    Operation,
    Release,
    ReleaseHead,
    Token,
    User,
)
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.node import Node
from tests.contract.database import Write

# Microseconds and another zone on purpose: both must come back as the same instant, in UTC.
NOW = datetime(2026, 3, 1, 12, 30, 45, 678901, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
REF = NamespaceRef("DEV", "order-service", "default", "application")


def app(app_id: str = "order-service") -> App:
    return App(app_id, "订单 service", "Trade", "alice", NOW, "user:alice")


def user(name: str = "alice") -> User:
    return User(name, "$argon2id$…", ALL_RIGHTS, NOW)


def token(name: str = "ci", sha256: str = "aa") -> Token:
    return Token(0, name, "hel_12", sha256, ALL_RIGHTS, NOW, "user:alice", LATER, None)


def audit(action: str = "item.update", environment: str = "DEV") -> AuditEntry:
    detail = {"keys": ["z", "a"], "count": 2, "deep": {"键": None}}
    return AuditEntry(
        0, NOW, "user:alice", action, environment, "order-service", "default", "redis", detail, "r1", "::1"
    )


def environment(name: str = "DEV", position: int = 0, **changes: Any) -> Environment:
    return replace(Environment(name, position, NOW), **changes)


def cluster(name: str = "SHAJQ", app: str = "order-service", environment: str = "DEV") -> Cluster:
    return Cluster(environment, app, name, NOW, "user:alice")


def definition(name: str = "application", app: str = "order-service", **changes: Any) -> NamespaceDefinition:
    made = NamespaceDefinition("DEV", app, name, Format.of_namespace(name), False, "what for", NOW, "user:alice")
    return replace(made, **changes)


def namespace(ref: NamespaceRef = REF, **changes: Any) -> Namespace:
    made = Namespace(0, ref, Format.of_namespace(ref.namespace), 1, None, None, None, NOW, "user:alice")
    return replace(made, **changes)


def item(key: str | None = "timeout", position: int = 0, value: str = "2500", **changes: Any) -> Item:
    made = Item(0, position, key, value, ItemType.STRING, "", None, 1, NOW, "user:alice")
    return replace(made, **changes)


def release(namespace: Namespace, configurations: Mapping[str, str] | None = None, **changes: Any) -> Release:
    head = ReleaseHead(
        0,
        "20260301123045-0123456789abcdef",
        namespace.ref,
        namespace.id,
        Operation.PUBLISH,
        "Release",
        "why",
        None,
        None,
        namespace.revision,
        "sha",
        11,
        NOW,
        "user:alice",
    )
    content = {"timeout": "2500"} if configurations is None else configurations
    return Release(replace(head, **changes), content)


async def published(tx: Write, ref: NamespaceRef = REF, content: Mapping[str, str] | None = None) -> Namespace:
    """Makes a namespace with one live release."""
    made = await tx.namespaces.insert(namespace(ref))
    stored = await tx.releases.insert(release(made, content))
    [message_id] = await tx.messages.append(MessageKind.RELEASE, [ref])
    live = replace(made, release_id=stored.head.id, released_revision=1, message_id=message_id)
    await tx.namespaces.touch(live)
    return live


def answer(release_id: int) -> IdempotentAnswer:
    return IdempotentAnswer("sha", {"release_id": release_id})


RULES = (
    GrayRule("order-service", ("10.0.0.0/8", "::1"), ("灰度", "*"), 12.5),
    GrayRule("other", percent=0.0),
    GrayRule("third", ("*",)),
)


def branch(name: str = "20260301123045-00000000000000b1", ref: NamespaceRef = REF, **changes: Any) -> GrayBranch:
    overlay = {"z": "1", "a": "two\n中文"}
    made = GrayBranch(
        0, ref, name, "Try it", 10, RULES, overlay, ("gone", "也"), None, 1, NOW, "user:alice", NOW, "user:alice"
    )
    return replace(made, **changes)


def access_key(app: str = "order-service", **changes: Any) -> AccessKey:
    made = AccessKey(0, "DEV", app, "uid-1", "sealed…", AccessKeyMode.FILTER, True, NOW, "user:alice")
    return replace(made, **changes)


def node(id_: str = "n1", **changes: Any) -> Node:
    made = Node(id_, "http://10.0.0.1:8080", ("delivery", "management"), "1.2.3", NOW, NOW)
    return replace(made, **changes)


def seen(ip: str = "10.0.0.1", **changes: Any) -> InstanceRelease:
    made = InstanceRelease(
        "DEV", "order-service", "default", "", ip, "", "order-service", "default", "application", "k1", NOW, NOW
    )
    return replace(made, **changes)
