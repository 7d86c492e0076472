"""Databases that were away when the node started: seen to as soon as they answer.

Until its schema was looked at, nobody uses a database; when all have been, what a first start prepares is prepared.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from .domain.errors import HeliconError, Unavailable
from .storage.gated import GatedDatabase

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0

_log = structlog.get_logger("helicon.node")


class LateStart:
    """Lets databases in.

    ``kept_out_by`` tells in a word why one cannot be used: it does not answer, or has a schema that this version cannot
    work on. None lets it in.
    """

    def __init__(
        self,
        gates: Mapping[str, GatedDatabase],
        kept_out_by: Callable[[str], Awaitable[str | None]],
        *,
        on_open: Callable[[str], None],
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        self._gates = gates
        self._kept_out_by = kept_out_by
        self._on_open = on_open
        self._prepare = prepare
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> bool:
        """Lets in every database that fits; tells whether all are in."""
        for name, gate in self._gates.items():
            if gate.open:
                continue
            reason = await self._kept_out_by(name)
            if reason is None:
                gate.let_in()
                self._on_open(name)
            else:
                gate.reason = reason
        return all(gate.open for gate in self._gates.values())

    def start(self) -> None:
        """Goes on looking, and prepares the databases when all are in."""
        self._task = asyncio.create_task(self._run(), name="helicon-late-start")

    async def stop(self) -> None:
        """Safe to call twice and before ``start``."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        while not await self._round():
            failures += 1
            longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10))
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - no secret; nodes must not come in step

    async def _round(self) -> bool:
        try:
            if not await self.look():
                return False
            await self._prepare()
        except Unavailable:
            return False
        except HeliconError as error:
            # The node serves what it serves; what is wrong is told at the next start too, and stops that.
            _log.error("node.prepare_failed", code=error.code, message=error.message)
        except Exception as error:  # noqa: BLE001 - clients are served all the same
            _log.error("node.prepare_failed", error=repr(type(error)), exc_info=True)
            return False
        else:
            _log.info("node.databases_in")
        return True
