"""The bus of a single process: whoever commits and whoever follows share an event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .contract import Bus
from .hints import Hints


class InProcessBus:
    """Hands the hints of this process on, and hears of no other."""

    def __init__(self) -> None:
        self._hints = Hints()

    async def start(self, on_hint: Callable[[], None]) -> None:
        self._hints.open(on_hint)

    def hint(self) -> None:
        self._hints.give()

    async def stop(self) -> None:
        self._hints.close()


if TYPE_CHECKING:

    def _keeps_the_contract(bus: InProcessBus) -> Bus:
        return bus
