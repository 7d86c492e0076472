"""What a batch of messages is about: names only stand in them, so the rows are read with the batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from helicon_server.delivery.folding import fold
from helicon_server.delivery.gray import branch_release
from helicon_server.domain.access_key import AccessKey
from helicon_server.domain.gray import LiveBranch
from helicon_server.domain.model import Environment, LiveRelease, Message, MessageKind, NamespaceDefinition
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import ConfigRead


@dataclass(frozen=True, slots=True)
class Changes:
    """What the messages are about, as the database holds it now."""

    environments: Sequence[Environment]  # all of them; empty when no message is about one
    definitions: Mapping[tuple[str, str], Sequence[NamespaceDefinition]]  # by environment and app
    access_keys: Mapping[tuple[str, str], Sequence[AccessKey]]  # by environment and app
    live: Mapping[str, LiveRelease]  # by folded reference
    branches: Mapping[str, Sequence[LiveBranch]]  # by folded reference of their namespace

    @property
    def releases(self) -> Sequence[LiveRelease]:
        """Every release in it, those of branches too."""
        return [*self.live.values(), *gray_releases(self.branches, self.live)]


async def read_changes(tx: ConfigRead, messages: Sequence[Message], known: Collection[str]) -> Changes:
    """Reads it; ``known`` are the environments that the node has."""
    all_known = all(m.environment in known and m.kind is not MessageKind.ENVIRONMENT for m in messages)
    environments = () if all_known else await tx.environments.list()
    definitions = {of: await tx.definitions.list(*of) for of in _apps(messages, MessageKind.DEFINITION)}
    keys = {of: await tx.access_keys.list(*of) for of in _apps(messages, MessageKind.ACCESS_KEY)}
    refs = sorted({ref_of(m) for m in messages if m.kind is MessageKind.RELEASE}, key=str)
    if not refs:
        return Changes(environments, definitions, keys, {}, {})
    live = {fold(str(release.ref)): release for release in await tx.namespaces.live_of(refs)}
    branches: dict[str, list[LiveBranch]] = {}
    for branch in await tx.branches.live_of(refs):
        branches.setdefault(fold(str(branch.ref)), []).append(branch)
    return Changes(environments, definitions, keys, live, branches)


def gray_releases(
    branches: Mapping[str, Sequence[LiveBranch]], live: Mapping[str, LiveRelease]
) -> Iterable[LiveRelease]:
    """The releases of branches, as new as those of their namespaces."""
    for name, of_name in branches.items():
        head = live.get(name)
        for branch in of_name:
            yield branch_release(branch, 0 if head is None else head.message_id)


def ref_of(message: Message) -> NamespaceRef:
    """The namespace that a RELEASE message is about."""
    return NamespaceRef(message.environment, message.app, message.cluster, message.namespace)


def _apps(messages: Sequence[Message], kind: MessageKind) -> Sequence[tuple[str, str]]:
    return sorted({(message.environment, message.app) for message in messages if message.kind is kind})
