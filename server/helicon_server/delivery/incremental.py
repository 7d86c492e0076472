"""Incremental sync: what changed since the release that a client holds (Apollo client protocol, section 5).

Only from a base that is certain: every release that the client names was found, and belongs to what this request
reads. Everything else is answered in full.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from helicon.protocol.merge import split_release_key
from helicon_server.delivery.folding import fold
from helicon_server.delivery.index import EnvironmentView
from helicon_server.delivery.store import Content, ReleaseId, ReleaseStore, identity
from helicon_server.domain.errors import HeliconError
from helicon_server.domain.names import NamespaceRef

KEYS_LIMIT: Final = 8  # of one client; four releases contribute at most
_KEY: Final = re.compile(r"\d{14}-[0-9a-f]{16}")
_REMEMBERED: Final = 10_000  # keys, known and unknown
_UNKNOWN_FOR_S: Final = 30.0
_DEADLINE_S: Final = 2.0  # of one look; a full answer is there at once
_LOADS_AT_ONCE: Final = 8  # anybody can name keys that never were; beyond it answers are full ones

_Known = tuple[EnvironmentView, str]


@dataclass(frozen=True, slots=True)
class Base:
    """A release that a client holds: what it is of, and where its content is kept."""

    ref: NamespaceRef  # the cluster is the branch's name for a gray release
    id: ReleaseId


class Found(NamedTuple):
    """What is in memory of the releases that a client holds, and the keys of what is not."""

    contents: list[Content]
    missing: tuple[str, ...]


class Bases:
    """Finds historic releases by their keys, in memory first. All calls belong to one event loop."""

    def __init__(self, store: ReleaseStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[_Known, Base | float] = OrderedDict()  # the time until which a key counts as unknown
        self._loading = 0

    def contents(
        self,
        view: EnvironmentView,
        keys: Sequence[str],
        loaded: Mapping[str, tuple[Base, Content]],
        of: Collection[str],
    ) -> Found | None:
        """The contents of these releases, and the keys that must be loaded first.

        None when there is no base: a key is unknown, or belongs to none of the namespaces ``of``, which are
        ``base_name()`` of an app and a namespace. ``loaded`` is at hand even where the store kept nothing.
        """
        found: list[Content] = []
        missing: list[str] = []
        for key in keys:
            at_hand = loaded.get(key)
            if at_hand is not None:
                base, content = at_hand
            else:
                known = self._find(view, key)
                if isinstance(known, float):
                    return None
                stored = None if known is None else self._store.content(known.id)
                if known is None or stored is None:
                    missing.append(key)
                    continue
                base, content = known, stored
            if base_name(base.ref.app, base.ref.namespace) not in of:
                return None
            found.append(content)
        return Found(found, tuple(missing))

    async def load(self, view: EnvironmentView, keys: Collection[str]) -> dict[str, tuple[Base, Content]]:
        """Reads releases from the database; what is not there, or cannot be read now, is left out."""
        if self._loading >= _LOADS_AT_ONCE:
            return {}
        self._loading += 1
        try:
            async with asyncio.timeout(_DEADLINE_S), view.follower.database.read() as tx:
                releases = await tx.releases.by_keys(view.name, list(keys)[:KEYS_LIMIT])
        except (HeliconError, TimeoutError):
            return {}
        finally:
            self._loading -= 1
        loaded: dict[str, tuple[Base, Content]] = {}
        for key in keys:
            release = releases.get(key)
            if release is None:
                self._remember(view, key, self._clock() + _UNKNOWN_FOR_S)
                continue
            base = Base(release.head.ref, (view.follower, release.head.id, key))
            content = self._store.take(view.follower, release)
            if content is None:  # damaged: nothing can be told by it
                continue
            self._remember(view, key, base)
            loaded[key] = base, content
        return loaded

    def _find(self, view: EnvironmentView, key: str) -> Base | float | None:
        """A release, the time until which it is known not to exist, or None when nobody knows."""
        lately = view.replaced(key)
        if lately is not None:
            return Base(lately.ref, identity(view.follower, lately))
        known = self._known.get((view, key))
        if isinstance(known, float) and known <= self._clock():
            return None
        return known

    def _remember(self, view: EnvironmentView, key: str, what: Base | float) -> None:
        self._known[view, key] = what
        self._known.move_to_end((view, key))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def held_keys(release_key: str) -> list[str] | None:
    """The release keys of which a client's is made; None for what no server of this kind has given."""
    keys = split_release_key(release_key)
    if not keys or len(keys) > KEYS_LIMIT or not all(_KEY.fullmatch(key) for key in keys):
        return None
    return keys


def base_name(app: str, namespace: str) -> str:
    """A namespace of an app, whichever its cluster: what a client of the app may be told the changes of."""
    return fold(f"{app}+{namespace}")
