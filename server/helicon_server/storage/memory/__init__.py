"""Storage in plain dictionaries, for unit tests of what stands on the contract."""

from __future__ import annotations

from .database import MemoryDatabase

__all__ = ["MemoryDatabase"]
