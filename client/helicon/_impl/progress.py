"""Decides what a client may believe about the version it holds. Pure: time comes in as an argument.

A notice may come from one server and the release be read from another that is behind. Whoever then takes
the notice for done keeps the old value until the next publish, perhaps for ever. So two ids are kept:

- `seen` goes out with every poll, so that the client is woken for what is newer than that;
- `confirmed` is what the values in hand are known to satisfy, and goes into status and backup.

`seen` only advances when the server that promised the id has answered with that id in the request. When it
says "unchanged" that may be true (a gray rule, a release of another cluster) or stale (a cache), so the
namespace is looked at again a few times in growing steps before it counts as confirmed.
"""

from __future__ import annotations

from helicon.protocol.merge import is_older
from helicon.protocol.names import NO_NOTIFICATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.address import Address
    from helicon.protocol.messages import Notification

RECHECK_SECONDS = (0.2, 0.6, 2.0, 8.0)
"""Waits between the looks at a namespace whose notice brought nothing new; each is stretched by chance."""

RECHECK_RETRY_SECONDS = 5.0
"""Wait after a look that no server answered."""

REFRESH_SECONDS = 300.0
"""How often a namespace is looked at without any notice (protocol, section 15.1)."""


class Progress:
    """Tracks one namespace."""

    __slots__ = ("_look", "_suspect", "confirmed", "details", "due", "promised", "promiser", "seen")

    def __init__(self, now: float, confirmed: int = NO_NOTIFICATION) -> None:
        self.confirmed = confirmed
        self.seen = confirmed
        self.promised: int | None = None
        """The id of a notice that has not been followed up yet."""
        self.promiser: Address | None = None
        """The server whose word counts for the newest id."""
        self.details: dict[str, int] = {}
        self.due = now + REFRESH_SECONDS
        """When the namespace is to be looked at without a new notice, in monotonic seconds."""
        self._look = len(RECHECK_SECONDS)
        self._suspect: str | None = None

    @property
    def in_doubt(self) -> bool:
        """Says whether looks are still to come before the id in `seen` counts as confirmed."""
        return self._look < len(RECHECK_SECONDS)

    def noticed(self, notification: Notification, server: Address) -> None:
        """Takes a notice in. A lower id than before means a server whose ids began anew: it is adopted."""
        if notification.notification_id < self.seen:
            self.details = {}
        for key, mark in notification.details.items():
            self.details[key] = max(mark, self.details.get(key, mark))
        self.promised, self.promiser = notification.notification_id, server
        self._suspect = None

    def accepts(self, release_key: str, held: str | None, server: Address) -> bool:
        """Says whether a release that differs from the one held may replace it.

        An older one is taken from the server that sent a notice, for that is what a rollback looks like. Any
        other older one comes from a server that is behind; only when that goes on for all looks is it the
        new truth, as after a restore of the servers.
        """
        if held is None or not is_older(release_key, held):
            return True
        awaited = self.promised is not None or (self.in_doubt and self._suspect is None)
        if awaited and server == self.promiser:
            return True
        if self.promised is not None:
            return False
        if self._suspect == release_key:
            return not self.in_doubt
        self._suspect = release_key
        self._look = 0
        return False

    def answered(self, server: Address, *, changed: bool, now: float, unit: float) -> bool:
        """Draws the conclusion from an answer; False means that the notice is still to be followed up."""
        trusted = self.promiser is None or server == self.promiser
        if self.promised is not None:
            if not changed and not trusted:
                return False
            self.seen, self.promised = self.promised, None
            # Even the promiser may say "unchanged" from a cache, and another server may change to less
            # than was promised; only a change from the promiser itself settles the matter at once.
            self._look = len(RECHECK_SECONDS) if changed and trusted else 0
        elif changed or self._suspect is not None:
            self._look = len(RECHECK_SECONDS)
        elif self.in_doubt:
            self._look += 1
        self._suspect = None
        if not self.in_doubt:
            self.confirmed = self.seen
        self._plan(now, unit)
        return True

    def distrusted(self, now: float, unit: float) -> None:
        """Plans the next look after an answer that was not accepted."""
        self._look = min(self._look + 1, len(RECHECK_SECONDS))
        wait = RECHECK_SECONDS[self._look - 1]
        self.due = now + wait * (1.0 + unit)

    def postponed(self, now: float, unit: float) -> None:
        """Lets polls go on after a notice that could not be followed up; `confirmed` stays behind."""
        if self.promised is not None:
            self.seen, self.promised = self.promised, None
            self._look = 0
        self.unanswered(now, unit)

    def resume(self) -> None:
        """Goes back to what is confirmed, after a loss of the servers: what is open is announced again."""
        if self.in_doubt:
            self.seen = self.confirmed
        self.promised = None

    def unanswered(self, now: float, unit: float) -> None:
        """Plans the next look after one that no server answered."""
        self.due = now + RECHECK_RETRY_SECONDS * (1.0 + unit)

    def _plan(self, now: float, unit: float) -> None:
        wait = RECHECK_SECONDS[self._look] if self.in_doubt else REFRESH_SECONDS
        self.due = now + wait * (1.0 + unit)
