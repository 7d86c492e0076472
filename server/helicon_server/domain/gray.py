"""Gray releases: branches of a namespace, their rules, and whom a rule selects.

A branch holds what it changes of its namespace (``overlay``, ``removed``); its release is complete, merged when it is
published and again when the namespace is (Apollo client protocol, section 10). Beyond Apollo, a namespace may have
several branches at once, and a rule may name CIDR blocks and a percentage of the instances.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from .names import NamespaceRef

EVERYBODY: Final = "*"  # in a list of addresses or labels
BUCKETS: Final = 10_000  # a percentage has two decimals


@dataclass(frozen=True, slots=True)
class GrayRule:
    """Selects instances of one client app: by address, by label, or a share of all of them; one match is enough.

    ``ips`` holds addresses, CIDR blocks or ``*``; ``labels`` labels or ``*``. ``percent`` is 0 to 100 with two
    decimals, None for no share.
    """

    client_app: str
    ips: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class GrayBranch:
    """A branch of a namespace. Its ``name`` stands in the place of the cluster in what its clients are answered."""

    id: int  # 0 until stored
    ref: NamespaceRef  # of the namespace that it is a branch of
    name: str  # 14-digit UTC time, '-', 16 hex digits (protocol, section 2)
    title: str
    priority: int  # the smallest is tried first; of equal ones the older branch
    rules: tuple[GrayRule, ...]
    overlay: Mapping[str, str]  # keys that the branch adds or changes; a document's has the one key ``content``
    removed: tuple[str, ...]  # keys that the branch leaves out
    release_id: int | None  # None until it is published: then it is seen by nobody
    revision: int  # grows by one with every change, begins at 1
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    # What its release was made of: the draft above may have moved on, and a new release of the namespace takes these.
    live_overlay: Mapping[str, str] = field(default_factory=dict)
    live_removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveBranch:
    """A published branch as delivery needs it. ``ref`` is the namespace's; ``name`` the branch's."""

    id: int
    ref: NamespaceRef
    name: str
    priority: int
    rules: tuple[GrayRule, ...]
    release_id: int
    release_key: str
    size: int

    @property
    def order(self) -> tuple[int, int]:
        """Branches are tried in this order."""
        return self.priority, self.id


def bucket(branch: str, client_app: str, ip: str) -> int:
    """Which of the 10,000 buckets an instance falls into for a branch, always the same one.

    A rule of ``percent`` selects the buckets below ``percent * 100``, so that a larger percentage only adds instances.
    The branch's name is part of it: shares of several branches are independent of one another.
    """
    digest = hashlib.sha256(f"{branch}\n{client_app.lower()}\n{ip}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS
