"""Who acts, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Right(StrEnum):
    """One separately grantable right."""

    VIEW = "view"  # see drafts, releases, history and diffs
    EDIT = "edit"  # change drafts
    PUBLISH = "publish"  # make releases, roll back
    MANAGE = "manage"  # create apps, environments, clusters, namespaces, tokens; read the audit


ALL_RIGHTS: frozenset[Right] = frozenset(Right)


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of a management request: a user or a token, with the rights it was given."""

    name: str  # "user:admin", "token:ci", "system:bootstrap"; what audit rows show
    rights: frozenset[Right] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for audit rows and logs."""

    request_id: str
    peer: str  # client address as the socket saw it, or "local" for commands on the server


SYSTEM = Actor("system:bootstrap", ALL_RIGHTS)
