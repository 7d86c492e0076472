"""Access keys: with them the clients of an app sign their requests (Apollo client protocol, section 11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

KEYS_PER_APP: Final = 5


class AccessKeyMode(StrEnum):
    """What a key does to a request that it does not fit."""

    FILTER = "filter"  # refuses it
    OBSERVER = "observer"  # only notes it in the log


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key of an app in one environment. The secret is stored under the master key only."""

    id: int  # 0 until stored
    environment: str
    app: str
    uid: str  # random; binds ``sealed`` to this row
    sealed: str  # the secret under envelope encryption
    mode: AccessKeyMode
    enabled: bool
    created_at: datetime
    created_by: str


class SecretUnreadable(Exception):
    """The secret of a key cannot be opened by this node. Carries no detail: a detail could only help a forger."""
