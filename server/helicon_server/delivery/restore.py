"""A database that was set back to an older state: how nodes see it and how clients learn of it.

Clients compare ids, and an id must never go backwards for them (architecture, promise 1; Apollo client protocol,
section 7.2). So nothing that the older state holds may be served under the id that it had: the counter is raised
above every id that somebody may have been told, and each namespace that is another one now gets a new message. That
is stored with the namespace, so that other nodes and nodes that start later tell the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

from helicon_server.delivery.folding import fold
from helicon_server.domain.access_key import AccessKey
from helicon_server.domain.gray import LiveBranch
from helicon_server.domain.model import Environment, LiveRelease, Message, MessageKind, NamespaceDefinition
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigDatabase, ConfigRead

ROOM: Final = 1_000_000
"""More messages than are published between a backup and its restore.

Other nodes and their clients may know ids beyond those of this node, so the counter is raised by as much above them.
"""

_HasRef = TypeVar("_HasRef", LiveRelease, LiveBranch)
_TOGETHER: Final = 200  # namespaces lifted in one transaction; publishes wait for it


@dataclass(frozen=True, slots=True)
class State:
    """All that a database holds for delivery, without contents."""

    environments: Mapping[str, bool]  # by name: whether incremental sync is on
    definitions: Mapping[str, Mapping[str, Sequence[NamespaceDefinition]]]  # by environment and app
    live: Sequence[LiveRelease]
    branches: Sequence[LiveBranch]
    access_keys: Sequence[AccessKey]  # their secrets sealed
    newest_id: int
    newest: Message | None  # None also when only a newer version knows its kind
    origin: datetime | None = None  # when its oldest environment was made: no other database has the same


@dataclass(frozen=True, slots=True)
class Mark:
    """How one namespace stands: what it serves, and the id that tells so; None when only branches are published."""

    ref: NamespaceRef = field(compare=False)
    release_key: str
    message_id: int | None
    branches: tuple[LiveBranch, ...]  # in their order


async def was_set_back(tx: ConfigRead, known: State) -> bool:
    """Tells whether the message table no longer holds what it held when ``known`` was its state.

    A lower newest id would not tell: as many messages may have been appended since. The last one read does.
    """
    if known.newest is None:
        return await tx.messages.newest_id() < known.newest_id
    found = await tx.messages.after(known.newest.id - 1, limit=1)
    return not found or found[0] != known.newest


async def read_state(tx: ConfigRead) -> State:
    """Reads all of it, with a few statements."""
    found = await tx.environments.list()
    environments = {environment.name: environment.incremental for environment in found}
    definitions: dict[str, dict[str, list[NamespaceDefinition]]] = {}
    for definition in await tx.definitions.all():
        definitions.setdefault(definition.environment, {}).setdefault(definition.app, []).append(definition)
    live = await tx.namespaces.live()
    branches = await tx.branches.live()
    access_keys = await tx.access_keys.all()
    newest_id = await tx.messages.newest_id()
    newest = await tx.messages.after(newest_id - 1, limit=1)
    anchor = newest[0] if newest else None
    return State(environments, definitions, live, branches, access_keys, newest_id, anchor, origin_of(found))


def origin_of(environments: Iterable[Environment]) -> datetime | None:
    """What tells databases apart: it stays when one is moved, renamed or set back."""
    return min((environment.created_at for environment in environments), default=None)


def marks_of(state: State) -> dict[str, Mark]:
    """Every namespace of a state that serves something."""
    branches: dict[str, list[LiveBranch]] = {}
    for branch in sorted(state.branches, key=lambda each: each.order):
        branches.setdefault(fold(str(branch.ref)), []).append(branch)
    marks = {name: Mark(of[0].ref, "", None, tuple(of)) for name, of in branches.items()}
    for release in state.live:
        name = fold(str(release.ref))
        marks[name] = Mark(release.ref, release.release_key, release.message_id, tuple(branches.get(name, ())))
    return marks


def by_environment(items: Iterable[_HasRef]) -> dict[str, list[_HasRef]]:
    """Groups what belongs to namespaces."""
    grouped: dict[str, list[_HasRef]] = {}
    for each in items:
        grouped.setdefault(each.ref.environment, []).append(each)
    return grouped


async def lift(database: ConfigDatabase, refs: Sequence[NamespaceRef], above: int) -> dict[NamespaceRef, int]:
    """Raises the counter far above ``above`` and appends a RELEASE message for each namespace.

    Returns the new ids. Namespaces that have a greater id already are left out: another node was here first. Those
    that are gone get a message too, for their clients hold something that no longer exists.
    """
    lifted: dict[NamespaceRef, int] = {}
    for start in range(0, max(len(refs), 1), _TOGETHER):
        some = refs[start : start + _TOGETHER]
        async with database.write() as tx:
            # Rows before messages, in the order of a publish; the other way round the two could deadlock.
            found = await tx.namespaces.lock(some)
            behind = [
                (ref, namespace)
                for ref, namespace in zip(some, found, strict=True)
                if namespace is None or (namespace.message_id or 0) <= above
            ]
            await tx.messages.raise_to(above + ROOM)
            ids = await tx.messages.append(MessageKind.RELEASE, [ref for ref, _ in behind])
            for (_, namespace), message_id in zip(behind, ids, strict=True):
                if namespace is not None and namespace.release_id is not None:
                    await tx.namespaces.touch(replace(namespace, message_id=message_id))
        lifted.update(zip((ref for ref, _ in behind), ids, strict=True))
    return lifted
