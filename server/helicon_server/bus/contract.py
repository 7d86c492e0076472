"""The bus: tells a node that messages may have appeared in a config database.

A hint carries nothing and may be lost, late or repeated; whoever follows the message table reads it anyway on a
timer and after every reconnect. The table is the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Bus(Protocol):
    """Hints for one config database. All calls belong to the event loop that called ``start``."""

    async def start(self, on_hint: Callable[[], None]) -> None:
        """Begins to listen; ``on_hint`` is called in the event loop and must return at once.

        Returns without waiting for the neighbour: a bus whose database is away connects later, by itself, and
        hints once it is connected.
        """
        ...

    def hint(self) -> None:
        """Says that this process committed messages. Never blocks, never raises."""
        ...

    async def stop(self) -> None:
        """Ends within a second; no hint is delivered afterwards."""
        ...
