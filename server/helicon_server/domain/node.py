"""Nodes and their heartbeats: how they find one another for discovery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Node:
    """One running node. ``url`` is what clients reach it under, without a trailing slash."""

    id: str  # of this start of the node; a node that starts again is another one
    url: str
    roles: tuple[str, ...]
    version: str
    started_at: datetime
    beat_at: datetime  # of the database's clock, so that clocks of nodes need not agree
