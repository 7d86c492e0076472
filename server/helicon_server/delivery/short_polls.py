"""The short way of polls: what a query was understood as, at one version of its environment.

After a release thousands of clients poll again with the very same app, cluster and ids. Decoding those once and
comparing them once is enough: as long as the environment's version is the same, nothing can be new. The signature, the
drain and the ids that a client was told elsewhere are looked at for each of them, with the same functions as on the
long way (docs/decisions/0003-one-decision-two-shells.md).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from helicon_server.delivery.access import AccessGuard, AppKeys
from helicon_server.delivery.directory import Directory
from helicon_server.delivery.index import EnvironmentView
from helicon_server.delivery.long_polls import LongPolls
from helicon_server.delivery.outcomes import Answer, Park
from helicon_server.delivery.polls import Watched
from helicon_server.delivery.requests import HeaderOf, Request, parse_query_lazily

_KNOWN_LIMIT: Final = 10_000  # remembered polls; they are understood again when dropped
_KNOWN_BYTES: Final = 8 * 1024 * 1024  # of all of them, roughly
_OVERHEAD: Final = 1_000  # bytes of the objects around one
_LONGEST: Final = 2_048  # bytes of a target; a poll of very many names is understood anew each time

_Asked = tuple[bytes, str | None, str | None, str | None, str | None]
"""The raw path, and the parameters that a poll is made of as they were sent: app, cluster, data centre, ids."""


class _Known(NamedTuple):
    environment: str | None
    view: EnvironmentView
    version: int
    keys: AppKeys | None
    watched: tuple[Watched, ...]
    ids: tuple[int, ...]
    newest: int  # of the ids
    hold_s: float


class ShortPolls:
    """Remembers polls that had nothing to be told; changes nothing else."""

    def __init__(self, guard: AccessGuard, directory: Directory, polls: LongPolls) -> None:
        self._guard = guard
        self._directory = directory
        self._polls = polls
        self._known: dict[_Asked, _Known] = {}
        self.remembered_bytes = 0  # an upper bound

    def __len__(self) -> int:
        return len(self._known)

    def park(self, path: bytes, query: bytes, target: bytes, header: HeaderOf, peer: str) -> Answer | Park | None:
        """Holds a poll of which it is known that there is nothing new, or refuses it; None sends it the long way."""
        asked = None if len(target) > _LONGEST else _asked(path, query)
        known = None if asked is None else self._known.get(asked)
        if known is None:
            return None
        environment, view, version, keys, watched, ids, newest, hold_s = known
        if view.version != version or self._directory.find(environment) is not view:
            return None
        if keys is not None:
            refusal = self._guard.refusal(keys, target, header, peer)
            if refusal is not None:
                return refusal
        if self._polls.draining or newest > view.follower.seen_id:
            return None
        return Park(view, watched, ids, hold_s, peer, path, target, header)

    def remember(self, request: Request, environment: str | None, keys: AppKeys | None, park: Park) -> None:
        """Remembers a v2 poll that was compared just now; ``keys`` are the access keys of its app."""
        target = request.target
        asked = None if len(target) > _LONGEST else _asked(request.path, request.query)
        if asked is None:
            return
        if asked not in self._known:
            cost = 2 * len(target) + _OVERHEAD + sum([each.cost for each in park.watched])
            if len(self._known) >= _KNOWN_LIMIT or self.remembered_bytes + cost > _KNOWN_BYTES:
                self._known.clear()
                self.remembered_bytes = 0
            self.remembered_bytes += cost
        view, ids = park.view, park.known
        self._known[asked] = _Known(environment, view, view.version, keys, park.watched, ids, max(ids), park.hold_s)


def _asked(path: bytes, query: bytes) -> _Asked | None:
    """What a poll is told from others by; None for encoded names of parameters."""
    parameters = parse_query_lazily(query)
    if parameters is None:
        return None
    get = parameters.get
    return path, get("appId"), get("cluster"), get("dataCenter"), get("notifications")
