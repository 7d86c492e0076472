"""Contents as the database gives them, held to the hash that was stored with them (fault C6).

One flipped bit must not reach a client: a content that does not fit its hash is treated as one that is not there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import structlog

from helicon_server.domain.errors import HeliconError, Unavailable
from helicon_server.domain.model import Release
from helicon_server.domain.release import content_sha256
from helicon_server.storage.contract import ConfigDatabase

CONTENTS_PER_READ: Final = 200
_BREATH: Final = 256 * 1024  # characters checked before the event loop gets its turn

_log = structlog.get_logger("helicon.delivery")


class ContentCorruptError(HeliconError):
    """The content of a release does not fit its hash, and there is no good copy here."""

    default_code = "release_corrupt"


@dataclass(frozen=True, slots=True)
class Contents:
    """Releases that are as they were published, by id, and the ids of those that are not."""

    good: Mapping[int, Release]
    corrupt: frozenset[int]


async def read_contents(database: ConfigDatabase, release_ids: Sequence[int]) -> Contents:
    """Reads releases by id and checks each; unknown ids are in neither set. Raises Unavailable."""
    good: dict[int, Release] = {}
    corrupt: set[int] = set()
    unchecked = 0
    for start in range(0, len(release_ids), CONTENTS_PER_READ):
        found, unreadable = await _read(database, release_ids[start : start + CONTENTS_PER_READ])
        corrupt |= unreadable
        for release_id, release in found.items():
            if intact(release):
                good[release_id] = release
            else:
                corrupt.add(release_id)
            unchecked += release.head.size
            if unchecked > _BREATH:
                unchecked = 0
                await asyncio.sleep(0)
    for release_id in sorted(corrupt):
        _log.error("delivery.content_corrupt", database=database.name, release_id=release_id)
    return Contents(good, frozenset(corrupt))


def intact(release: Release) -> bool:
    """Tells whether a content is the one that was published."""
    expected = release.head.content_sha256
    # The fast encoder writes the same bytes; the slow one has the last word.
    quick = hashlib.sha256(orjson.dumps(dict(release.configurations), option=orjson.OPT_SORT_KEYS)).hexdigest()
    return quick == expected or content_sha256(release.configurations) == expected


async def _read(database: ConfigDatabase, release_ids: Sequence[int]) -> tuple[Mapping[int, Release], set[int]]:
    """Reads at most some hundred; one that cannot even be decoded spoils a whole read, so it is looked for."""
    try:
        async with database.read() as tx:
            return await tx.releases.contents(release_ids), set()
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever decoding raises: of one row it condemns that row alone
        _log.warning("delivery.contents_unreadable", database=database.name, error=type(error).__name__)
    if len(release_ids) == 1:
        return {}, set(release_ids)
    middle = len(release_ids) // 2
    first, bad = await _read(database, release_ids[:middle])
    second, worse = await _read(database, release_ids[middle:])
    return {**first, **second}, bad | worse
