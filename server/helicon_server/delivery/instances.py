"""What is noted of running clients, behind their answers (Apollo client protocol, section 14).

A note costs a look-up; what is new, or has not been stored for a while, waits in a bounded queue and is written in
batches by a task of its own. No request waits for it, and nothing is kept for a database that is away: clients ask
again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from helicon_server.domain.errors import HeliconError
from helicon_server.domain.instance import VALID_FOR, InstanceRelease
from helicon_server.storage.contract import ConfigDatabase

if TYPE_CHECKING:
    from helicon_server.delivery.index import EnvironmentView, Resolution

UNCHANGED_S: Final = 600.0  # an instance that is served the same release is stored again after this
_PENDING_LIMIT: Final = 10_000
_KNOWN_LIMIT: Final = 50_000  # instances remembered as stored; one that is forgotten is stored once more
_BATCH: Final = 500
_PERIOD_S: Final = 5.0
_DEADLINE_S: Final = 10.0  # of one batch
_FORGET_PERIOD_S: Final = 3600.0
_LAST_FLUSH_S: Final = 2.0
_LONGEST_TEXT: Final = 128  # characters of a label or an address that a client names

_Identity = tuple[str, str, str, str, str, str, str]
_log = structlog.get_logger("helicon.delivery")


class InstanceRecorder:
    """Notes of one node. All calls belong to one event loop. ``clock`` is monotonic, in seconds."""

    def __init__(self, period_s: float = _PERIOD_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.dropped = 0  # records that were never written, for metrics
        self.written = 0
        self._period_s = period_s
        self._clock = clock
        self._pending: dict[str, OrderedDict[_Identity, InstanceRelease]] = {}  # by database
        self._count = 0  # of all of them
        self._known: OrderedDict[_Identity, tuple[str, float]] = OrderedDict()
        self._databases: Mapping[str, ConfigDatabase] = {}
        self._forgot_at: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    # --- notes ------------------------------------------------------------------------------------

    def on_served(
        self,
        view: EnvironmentView,
        app: str,
        cluster: str,
        data_center: str,
        ip: str,
        label: str,
        resolution: Resolution,
    ) -> None:
        """Notes that an instance was served these releases, or holds them already. Never raises, never waits.

        Of a namespace that inherits, the release that wins is noted: a record names one release of each namespace,
        and the one below would take its place with every request. An instance without an address is none that could
        be told from others.
        """
        if not ip or len(ip) > _LONGEST_TEXT or len(label) > _LONGEST_TEXT:
            return
        now = self._clock()
        for release in (resolution.own or resolution.own_default, resolution.public or resolution.public_default):
            if release is None:
                continue
            ref = release.ref
            identity = (view.name, app, cluster, data_center, ip, ref.app, ref.namespace)
            known = self._known.get(identity)
            if known is not None and known[0] == release.release_key and now - known[1] < UNCHANGED_S:
                continue
            self._known[identity] = (release.release_key, now)
            self._known.move_to_end(identity)
            if len(self._known) > _KNOWN_LIMIT:
                self._known.popitem(last=False)
            at = datetime.now(UTC)
            self._put(
                view.follower.database.name,
                identity,
                InstanceRelease(
                    view.name, app, cluster, data_center, ip, label,
                    ref.app, ref.cluster, ref.namespace, release.release_key, at, at,
                ),
            )  # fmt: skip

    def _put(self, database: str, identity: _Identity, record: InstanceRelease) -> None:
        pending = self._pending.setdefault(database, OrderedDict())
        before = len(pending)
        pending[identity] = record
        pending.move_to_end(identity)
        self._count += len(pending) - before
        if self._count > _PENDING_LIMIT:
            longest = max(self._pending.values(), key=len)
            oldest, _ = longest.popitem(last=False)
            self._known.pop(oldest, None)
            self._count -= 1
            self.dropped += 1

    # --- writing ----------------------------------------------------------------------------------

    def start(self, databases: Iterable[ConfigDatabase]) -> None:
        """Begins to write behind."""
        self._databases = {database.name: database for database in databases}
        self._task = asyncio.create_task(self._run(), name="helicon-instances")

    async def stop(self) -> None:
        """Writes what is there, in bounded time. Safe to call twice."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            async with asyncio.timeout(_LAST_FLUSH_S):
                await self.flush()
        except TimeoutError:
            _log.warning("delivery.instances_dropped", records=self._count)

    async def flush(self) -> None:
        """Writes all that waits; what a database does not take is dropped and counted."""
        for name, database in self._databases.items():
            pending = self._pending.get(name)
            while pending:
                batch = [pending.popitem(last=False) for _ in range(min(_BATCH, len(pending)))]
                self._count -= len(batch)
                if await self._write(database, [record for _, record in batch]):
                    continue
                dropped = [*batch, *pending.items()]
                self._count -= len(pending)
                pending.clear()
                self.dropped += len(dropped)
                for identity, _ in dropped:  # noted again with the next request
                    self._known.pop(identity, None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period_s * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - one record that cannot be stored must not end all the others
                _log.error("delivery.instances_failed", error=repr(type(error)), exc_info=True)

    async def _write(self, database: ConfigDatabase, records: list[InstanceRelease]) -> bool:
        try:
            async with asyncio.timeout(_DEADLINE_S), database.write() as tx:
                await tx.instances.record(records)
                if self._is_time_to_forget(database.name):
                    await tx.instances.forget_before(datetime.now(UTC) - VALID_FOR)
        except (HeliconError, TimeoutError) as error:
            _log.debug("delivery.instances_dropped", database=database.name, error=type(error).__name__)
            return False
        self.written += len(records)
        return True

    def _is_time_to_forget(self, database: str) -> bool:
        """Now and then; the first time some while after the start, so that a crash loop does not write much."""
        now = self._clock()
        if now - self._forgot_at.setdefault(database, now) < _FORGET_PERIOD_S:
            return False
        self._forgot_at[database] = now
        return True
