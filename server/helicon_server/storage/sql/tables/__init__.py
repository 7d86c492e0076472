"""The tables as they are at the newest revision; ``tests/migration`` holds the migrations to them.

One MetaData: every database holds all tables, whichever group it serves (see ``helicon_migrations``).
"""

from __future__ import annotations

from .audit import audit
from .config import clusters, definitions, environments, idempotency, items, messages, namespaces, releases
from .control import apps, tokens, users
from .delivery import access_keys, branches, instances, nodes
from .types import NAMING, metadata

__all__ = [
    "NAMING",
    "access_keys",
    "apps",
    "audit",
    "branches",
    "clusters",
    "definitions",
    "environments",
    "idempotency",
    "instances",
    "items",
    "messages",
    "metadata",
    "namespaces",
    "nodes",
    "releases",
    "tokens",
    "users",
]
