"""What a start has in hand before it builds anything: releases, and where they came from."""

from __future__ import annotations

SERVER, BACKUP, NONE = "server", "backup", "none"


class Part:
    """One namespace of a start, as a server or the backup gave it."""

    __slots__ = ("configurations", "namespace", "release_key")

    def __init__(self, namespace: str, configurations: dict[str, str], release_key: str) -> None:
        self.namespace = namespace
        self.configurations = configurations
        self.release_key = release_key


class Loaded:
    """The configuration of one start: all namespaces from one source, never mixed."""

    __slots__ = ("fetched_at", "namespaces", "parts", "source", "where")

    def __init__(
        self, parts: list[Part], source: str, *, namespaces: tuple[str, ...], where: str, fetched_at: float | None
    ) -> None:
        self.parts = parts
        self.source = source
        self.namespaces = namespaces
        self.where = where
        self.fetched_at = fetched_at

    def releases(self) -> dict[str, str]:
        """Gives the release key of each namespace."""
        return {part.namespace: part.release_key for part in self.parts}

    def described(self) -> str:
        """Says in words where the values came from and which releases they are."""
        releases = ", ".join([f"{name} {key}" for name, key in self.releases().items()])
        return f"{self.where} ({releases})" if releases else self.where
