"""What the file of a snapshot holds, as its writer knows it: so that a save writes only what is another one now."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from helicon_server.delivery.parts import NamespacePart, Part, PartName
from helicon_server.delivery.snapshot.encoding import encode, name_of

_MODULUS: Final = 1 << 256


@dataclass(frozen=True, slots=True)
class Wanted:
    """The content of a release that is served: its id in the database, its key and its characters."""

    release_id: int
    release_key: str
    size: int


@dataclass(frozen=True, slots=True)
class SavedPart:
    """An encoded part, with its checksum."""

    name: str
    sha256: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """What tells a whole set of parts from any other: how many they are, and the sum of their checksums."""

    count: int
    total: int  # modulo 2 ** 256

    def text(self) -> str:
        """The same, to be stored."""
        return f"{self.count}:{self.total:064x}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one save does."""

    put: Sequence[SavedPart]
    gone: Sequence[str]  # names of parts
    wanted: Sequence[Wanted]  # contents that the file lacks; to be added first
    forget: Collection[str]  # contents that nothing names any more, by release key
    seal: Seal  # of all parts afterwards
    releases: Mapping[str, tuple[str, ...]]  # by name of a part that was looked at
    full: bool


def sum_of_part(name: str, body: bytes) -> bytes:
    """The checksum of one part; its name is in it, so that no part passes for another."""
    return hashlib.sha256(name.encode() + b"\n" + body).digest()


def seal_of(sums: Iterable[bytes]) -> Seal:
    """The seal of the parts with these checksums, in any order."""
    count = total = 0
    for each in sums:
        count += 1
        total += int.from_bytes(each, "big")
    return Seal(count, total % _MODULUS)


class Book:
    """Belongs to the thread that writes. Begins with what was found in the file: parts by name, contents by key."""

    def __init__(self, sums: Mapping[str, bytes], contents: Iterable[str]) -> None:
        self.contents = set(contents)
        self._sums = dict(sums)
        self._seal = seal_of(sums.values())
        self._releases: dict[str, tuple[str, ...]] = {}  # by name of a part
        self._uses: Counter[str] = Counter()  # how many parts name a release
        self._fresh: set[str] = set()  # contents that were added for a state that is not saved yet

    def plan(self, parts: Mapping[PartName, Part | None], *, full: bool) -> Plan:
        """What brings the file from what it holds to these parts; None is one that is gone.

        ``full``: these are all, and what is not among them is gone too. The first plan must be.
        """
        put: list[SavedPart] = []
        gone: list[str] = []
        wanted: dict[str, Wanted] = {}
        releases: dict[str, tuple[str, ...]] = {}
        count, total = self._seal.count, self._seal.total
        for part_name, part in parts.items():
            name = name_of(part_name)
            old = self._sums.get(name)
            needs = list(_wanted(part))
            releases[name] = tuple([each.release_key for each in needs])
            wanted.update((each.release_key, each) for each in needs if each.release_key not in self.contents)
            if part is None:
                if old is not None:
                    gone.append(name)
                continue
            body = encode(part)
            new = sum_of_part(name, body)
            if new != old:
                put.append(SavedPart(name, new, body))
                count += old is None
                total += int.from_bytes(new, "big") - (0 if old is None else int.from_bytes(old, "big"))
        if full:
            there = {name_of(name) for name, part in parts.items() if part is not None}
            gone = [name for name in self._sums if name not in there]
        for name in gone:
            count -= 1
            total -= int.from_bytes(self._sums[name], "big")
        forget = self._unnamed(releases, full=full)
        return Plan(put, gone, list(wanted.values()), forget, Seal(count, total % _MODULUS), releases, full)

    def added(self, release_keys: Iterable[str]) -> None:
        """Notes contents that are in the file now."""
        keys = set(release_keys)
        self.contents |= keys
        self._fresh |= keys

    def saved(self, plan: Plan) -> None:
        """Notes that a plan was carried out."""
        if plan.full:
            self._releases.clear()
            self._uses.clear()
        for name, keys in plan.releases.items():
            self._uses.subtract(self._releases.pop(name, ()))
            if keys:
                self._releases[name] = keys
                self._uses.update(keys)
        for key in plan.forget:
            self._uses.pop(key, None)
        for name in plan.gone:
            del self._sums[name]
        self._sums.update((each.name, each.sha256) for each in plan.put)
        self._seal = plan.seal
        self.contents.difference_update(plan.forget)
        self._fresh.clear()

    def _unnamed(self, releases: Mapping[str, tuple[str, ...]], *, full: bool) -> set[str]:
        named = {key for keys in releases.values() for key in keys}
        if full:
            return self.contents - named
        before: Counter[str] = Counter()
        for name in releases:
            before.update(self._releases.get(name, ()))
        candidates = (before.keys() | self._fresh) & self.contents
        return {key for key in candidates if key not in named and self._uses[key] <= before[key]}


def _wanted(part: Part | None) -> Iterable[Wanted]:
    if not isinstance(part, NamespacePart):
        return
    for release in (part.live, *part.branches):
        if release is not None:
            yield Wanted(release.release_id, release.release_key, release.size)
