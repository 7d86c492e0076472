"""Holds what a client knows about one namespace, and takes new releases in."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from helicon._impl.backup import Copy, NoCopy, identity_of
from helicon._impl.progress import Progress
from helicon.events import ChangeEvent, difference
from helicon.snapshot import Snapshot, Source
from helicon.status import NamespaceStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from helicon._impl.backup import Backup
    from helicon._impl.errors import RequestError
    from helicon._impl.settings import ClientSettings
    from helicon.protocol.answers import ConfigAnswer

LOG = logging.getLogger("helicon")

_FINAL = ("off", "too_large")
"""Reasons not to keep a release that another try does not change."""


class NamespaceState:
    """One namespace of one client. Only the polling thread takes releases in; anybody may read."""

    def __init__(
        self,
        name: str,
        settings: ClientSettings,
        backup: Backup,
        report: Callable[[str, str, str], None],
    ) -> None:
        self.name = name
        self.snapshot = Snapshot(name, {}, None, Source.NONE, report)
        self.progress = Progress(time.monotonic())
        self.settled = threading.Event()
        """Set once it is clear what the namespace starts with, be it nothing."""
        self.asked = False
        """Whether any server has said anything about this namespace, also that it has no release."""
        self.refused: RequestError | None = None
        """The servers' refusal, while it lasts."""
        self.last_error: RequestError | None = None
        self.on_change: Callable[[ChangeEvent], None] = _nobody
        self._backup = backup
        self._backup_problem: NoCopy | None = None
        self._identity = identity_of(settings, name)
        self._report = report
        self._lock = threading.Lock()
        self._saved: tuple[str, int] | None = None
        """The release and id that the backup holds, or for good cannot hold."""
        self._not_kept: str | None = None
        """Why the last write failed, so that it is told once and not at every try."""
        self._confirmed_at: float | None = None
        self._age_then = 0.0

    def take(self, config: ConfigAnswer) -> None:
        """Makes a release the current one and tells listeners what it changed."""
        with self._lock:
            before = self.snapshot
            self.snapshot = Snapshot(self.name, config.configurations, config.release_key, Source.SERVER, self._report)
        changes = difference(before.as_dict(), config.configurations)
        if changes:
            event = ChangeEvent(self.name, before.release_key, config.release_key, changes)
            self.on_change(event)

    def confirm(self, now: float) -> None:
        """Notes that a server has just said that the values are current."""
        with self._lock:
            self._confirmed_at, self._age_then = now, 0.0
            if self.snapshot.source is Source.BACKUP:
                known = self.snapshot.as_dict()
                self.snapshot = Snapshot(self.name, known, self.snapshot.release_key, Source.SERVER, self._report)
        self.last_error = self.refused = None
        self.asked = True

    def keep(self) -> None:
        """Writes the release to the backup when that does not hold it yet.

        Called after each look, so a write that failed is tried again at the next one: disks get room again, and
        folders are mounted late.
        """
        snapshot, confirmed = self.snapshot, self.progress.confirmed
        if snapshot.source is not Source.SERVER or snapshot.release_key is None:
            return
        if self._saved == (snapshot.release_key, confirmed):
            return
        copy = Copy(snapshot.as_dict(), snapshot.release_key, confirmed, time.time())
        problem, before = self._backup.save(self._identity, copy), self._not_kept
        self._backup_problem = problem
        self._not_kept = None if problem is None or problem.reason == "off" else problem.reason
        if problem is None or problem.reason in _FINAL:
            self._saved = (snapshot.release_key, confirmed)
        if problem is not None and self._not_kept not in (None, before):
            LOG.warning("backup_not_kept namespace=%s reason=%s: %s", self.name, *problem)
        elif problem is None and before is not None:
            LOG.info("backup_kept_again namespace=%s release=%s", self.name, snapshot.release_key)

    def load_backup(self) -> bool:
        """Takes the copy on disk when nothing better is known; says whether there are values now."""
        with self._lock:
            if self.snapshot.source is not Source.NONE:
                return True
            found = self._backup.load(self._identity)
            if isinstance(found, NoCopy):
                self._backup_problem = found
                return False
            self.snapshot = Snapshot(self.name, found.configurations, found.release_key, Source.BACKUP, self._report)
            self.progress.confirmed = self.progress.seen = found.notification_id
            self._saved = (found.release_key, found.notification_id)
            self._confirmed_at = time.monotonic()
            # A clock that was set back makes the copy look as if from the future; its age is then unknown.
            self._age_then = max(0.0, time.time() - found.saved_at)
        return True

    def status(self, now: float) -> NamespaceStatus:
        """Describes the state at a monotonic moment."""
        with self._lock:
            snapshot, since, then = self.snapshot, self._confirmed_at, self._age_then
        error = self.last_error
        return NamespaceStatus(
            namespace=self.name,
            source=snapshot.source,
            release_key=snapshot.release_key,
            notification_id=self.progress.confirmed,
            age_seconds=None if since is None else then + max(0.0, now - since),
            last_error=f"{error.code}: {error.message}" if error else None,
            backup_problem=f"{self._backup_problem.reason}: {self._backup_problem.message}"
            if self._backup_problem
            else None,
        )

    def after_fork(self) -> None:
        """Replaces the locks, which a thread of the parent may have held."""
        self._lock = threading.Lock()
        settled = threading.Event()
        if self.settled.is_set():
            settled.set()
        self.settled = settled


def _nobody(_: ChangeEvent) -> None:
    """Stands in until a listener is registered."""
