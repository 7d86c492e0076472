"""What a node serves of one database, as the snapshot wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from helicon_server.delivery.integrity import read_contents
from helicon_server.delivery.parts import Head, Part, PartName
from helicon_server.delivery.snapshot.book import Wanted

if TYPE_CHECKING:
    from helicon_server.delivery.follower import Follower
    from helicon_server.delivery.store import ReleaseStore


class ServedByFollower:
    """The state of a follower, and contents from memory or, beyond its budget, from the database."""

    def __init__(self, follower: Follower, store: ReleaseStore) -> None:
        self._follower = follower
        self._store = store

    def head(self) -> Head:
        return self._follower.head()

    def part_names(self) -> Iterator[PartName]:
        return self._follower.environments.part_names()

    def part(self, name: PartName) -> Part | None:
        return self._follower.environments.part(name)

    async def contents(self, wanted: Sequence[Wanted]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        missing: dict[int, str] = {}
        for each in wanted:
            content = self._store.content((self._follower, each.release_id, each.release_key))
            if content is None:
                missing[each.release_id] = each.release_key
            else:
                found[each.release_key] = content.encoded
        if missing:
            releases, _ = await read_contents(self._follower.database, list(missing))
            for release_id, release in releases.items():
                content = self._store.take(self._follower, release)
                if content is not None and release.head.key == missing[release_id]:
                    found[release.head.key] = content.encoded
        return found
