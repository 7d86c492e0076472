"""How a release is named and recognised."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from .model import CONTENT_KEY


def new_release_key(at: datetime) -> str:
    """A fresh release key: 14-digit UTC time, '-', 16 hex digits (protocol, section 2). Every release has its own,
    rollbacks included, because many clients drop a copy whose key they hold already."""
    return f"{at.astimezone(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(8)}"


def content_sha256(configurations: Mapping[str, str]) -> str:
    """The identity of a content: hex SHA-256 of its JSON with sorted keys and no spaces."""
    text = json.dumps(dict(configurations), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def content_size(configurations: Mapping[str, str]) -> int:
    """Characters of all keys and values together."""
    return sum(len(key) + len(value) for key, value in configurations.items())


def is_blank(configurations: Mapping[str, str]) -> bool:
    """Tells whether a content has no key, or is a document without text."""
    return not configurations or (configurations.keys() == {CONTENT_KEY} and not configurations[CONTENT_KEY].strip())
