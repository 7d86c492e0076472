"""The nouns that storage keeps: apps, clusters, namespaces, items, releases, messages.

Times are aware datetimes in UTC. ``id`` fields are storage identities; names identify everything on the outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .actors import Right
from .formats import Format
from .names import NamespaceRef


@dataclass(frozen=True, slots=True)
class App:
    """A program that reads configuration."""

    app_id: str
    name: str
    department: str
    owner: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete, separate world of values."""

    name: str
    position: int
    created_at: datetime
    incremental: bool = False  # clients with a known release are sent only what changed (protocol, section 5)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A variant of an app's values inside an environment; ``default`` always exists and has no row."""

    environment: str
    app: str
    name: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class NamespaceDefinition:
    """Declares that an app owns a namespace of this name and format (Apollo's AppNamespace)."""

    environment: str
    app: str
    name: str
    format: Format
    public: bool
    comment: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace in one cluster: the draft's revision and a pointer to the live release.

    A namespace without a definition of the same app is *associated*: the app's overlay on a public one.
    """

    id: int
    ref: NamespaceRef
    format: Format
    revision: int  # of the draft; grows by one with every write, begins at 1
    release_id: int | None  # the live release
    released_revision: int | None  # the draft revision that the live release was made of
    message_id: int | None  # newest release message: the notification id clients compare
    updated_at: datetime
    updated_by: str
    inherits: bool = False  # its release is laid over that of cluster ``default``, key by key


FIRST_REVISION = 1  # of the draft of a new namespace


def new_namespace(ref: NamespaceRef, format_: Format, at: datetime, by: str) -> Namespace:
    """A namespace before its first edit: nothing drafted, nothing released."""
    return Namespace(0, ref, format_, FIRST_REVISION, None, None, None, at, by)


class ItemType(StrEnum):
    """How an item's value wants to be read and edited. Clients always receive strings."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"


CONTENT_KEY = "content"  # the one key of a document namespace (protocol, section 2)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a draft, in order.

    A properties draft holds an item per entry and one per comment or blank line (``key`` is None, ``raw`` is the
    line). A document draft holds one item whose key is ``content``. ``raw`` is the exact source text with its line
    terminator when it differs from the canonical form, else None.
    """

    id: int  # 0 until stored
    position: int
    key: str | None
    value: str
    type: ItemType
    comment: str
    raw: str | None
    revision: int  # draft revision that last changed it
    updated_at: datetime
    updated_by: str


class Operation(StrEnum):
    """What made a release."""

    PUBLISH = "publish"
    ROLLBACK = "rollback"
    GRAY = "gray"  # of a branch; its cluster is the branch's name


@dataclass(frozen=True, slots=True)
class ReleaseHead:
    """A release without its content: what history lists and delivery indexes."""

    id: int
    key: str  # 14-digit UTC time, '-', 16 hex digits (protocol, section 2)
    ref: NamespaceRef
    namespace_id: int
    operation: Operation
    title: str
    comment: str
    previous_id: int | None
    source_id: int | None  # the release whose content a rollback brought back, or that a branch was laid over
    draft_revision: int
    content_sha256: str  # of the canonical JSON of the configurations
    size: int  # characters of keys and values together
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Release:
    """An immutable numbered snapshot of one namespace in one cluster."""

    head: ReleaseHead
    configurations: Mapping[str, str]  # order kept


class MessageKind(StrEnum):
    """What a message tells the delivery nodes."""

    RELEASE = "release"  # a namespace serves something else (release, branch, rule); the id is the notification id
    DEFINITION = "definition"  # namespace definitions of the app changed; wakes nobody
    ENVIRONMENT = "environment"  # an environment was created or set otherwise; wakes nobody
    ACCESS_KEY = "access_key"  # the access keys of the app changed; wakes nobody


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the feed that delivery nodes follow. Ids grow in commit order; it wakes, it carries no data."""

    id: int
    kind: MessageKind
    environment: str
    app: str
    cluster: str
    namespace: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LiveRelease:
    """A row of the delivery index: which release a namespace serves, and its notification id."""

    ref: NamespaceRef
    release_id: int
    release_key: str
    message_id: int
    size: int
    inherits: bool = False  # laid over the release of cluster ``default``, key by key


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in."""

    name: str
    password_hash: str
    rights: frozenset[Right]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A management token; the secret itself is never stored, only ``sha256`` of it."""

    id: int
    name: str
    prefix: str  # first characters, to recognise it in lists
    sha256: str
    rights: frozenset[Right]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, from where. Values of items never enter ``detail``."""

    id: int  # 0 until stored
    at: datetime
    actor: str
    action: str  # "item.update", "release.publish", ...
    environment: str
    app: str
    cluster: str
    namespace: str
    detail: Mapping[str, object]
    request_id: str
    peer: str


@dataclass(frozen=True, slots=True)
class IdempotentAnswer:
    """What a request with this idempotency key was answered, and a hash of what it asked."""

    request_sha256: str
    answer: Mapping[str, object]
