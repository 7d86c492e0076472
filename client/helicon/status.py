"""Holds what a client says about itself. Plain values, to be shown on a status page or put into metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from helicon.snapshot import Source


class Connection(StrEnum):
    """How a client stands to its servers."""

    CONNECTING = "connecting"
    """No server has answered yet."""
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    """Servers answered before and do not now; reads go on from memory."""
    DENIED = "denied"
    """The servers refuse the access key."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class NamespaceStatus:
    """What is known of one namespace."""

    namespace: str
    source: Source
    release_key: str | None
    notification_id: int
    """The newest notification that the values are known to satisfy; -1 when none is known."""
    age_seconds: float | None
    """Since a server last confirmed the values; None when nothing is known."""
    last_error: str | None
    """Code and sentence of what last went wrong, until the next success."""
    backup_problem: str | None
    """Why there is no backup of this namespace; None while it is kept, or before it was tried."""


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """What is known of one client."""

    app_id: str
    cluster: str
    connection: Connection
    server: str | None
    """The server that answered last."""
    last_error: str | None
    """Code and sentence of what last went wrong, with the servers or else with one of the namespaces, until the next
    success. None when all is well."""
    failures: int
    """Failed rounds in a row."""
    namespaces: Mapping[str, NamespaceStatus]
    bad_values: int
    """Reads that gave the default because the value did not convert; each release and type counted once."""
    bad_bindings: int
    """Releases that did not fit a class they are bound to, so that the earlier values stayed."""
    listener_errors: int
    """Listeners that raised."""
    listeners_busy: int
    """Listeners that are running now; one that stays here is stuck."""
    events_coalesced: int
    """Events folded into others because a listener was too slow to take each."""

    @property
    def source(self) -> Source:
        """The weakest source of all namespaces: `server` only when every one came from a server."""
        order = (Source.NONE, Source.BACKUP, Source.SERVER)
        return min((entry.source for entry in self.namespaces.values()), key=order.index, default=Source.NONE)
