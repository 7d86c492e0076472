"""What one environment holds, as the requests need it: definitions, live releases, newest message ids.

Everything is keyed by folded names. Names compare ignoring case throughout: app ids and clusters are unique ignoring
case in storage, Apollo's own look-ups ignore case on its usual database, and one rule for reads and watches means
that a client is never told of a release that it cannot read (Apollo client protocol, sections 3 and 7.3).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from helicon.protocol.names import (
    DEFAULT_CLUSTER,
    DEFAULT_NAMESPACE,
    NO_APP_ID_PLACEHOLDER,
    is_name,
    strip_properties,
    watch_key,
)
from helicon_server.delivery.access import AppKeys, tightened
from helicon_server.delivery.asking import NOBODY, Asking
from helicon_server.delivery.folding import fold
from helicon_server.delivery.gray import AppRules, GraySelection
from helicon_server.delivery.polls import Watched
from helicon_server.delivery.remembered import REMEMBERED, new_number
from helicon_server.domain.gray import LiveBranch
from helicon_server.domain.model import LiveRelease, NamespaceDefinition
from helicon_server.domain.names import NAME_LENGTH_LIMIT, NamespaceRef

if TYPE_CHECKING:
    from helicon_server.delivery.follower import Follower

_REPLACED_LIMIT: Final = 10_000  # remembered releases that clients may still hold
_PLACEHOLDER: Final = NO_APP_ID_PLACEHOLDER.lower()


@dataclass(frozen=True, slots=True)
class Resolution:
    """The live releases that answer a read: the app's own and the public one under it (section 4.2).

    Where the namespace inherits, each is laid over its namesake of cluster ``default``, key by key.
    """

    own: LiveRelease | None
    public: LiveRelease | None
    own_default: LiveRelease | None = None
    public_default: LiveRelease | None = None

    @property
    def releases(self) -> tuple[LiveRelease, ...]:
        """The winning ones first: the order of the merged release key (section 4.4)."""
        tried = (self.own, self.own_default, self.public, self.public_default)
        return tuple([release for release in tried if release is not None])


@dataclass(frozen=True, slots=True)
class _Public:
    owner: str
    name: str


class EnvironmentView:
    """The index of one environment. Read by requests, changed only by the follower of its database."""

    __slots__ = (
        "_access",
        "_gray",
        "_heads",
        "_newest",
        "_own",
        "_public",
        "_replaced",
        "_watches",
        "follower",
        "gone",
        "incremental",
        "name",
        "version",
    )

    def __init__(self, name: str, follower: Follower) -> None:
        self.name = name
        self.follower = follower
        self.version = 0  # grows with every change; what was derived from an older one is derived again
        self.gone = False  # the database holds this environment no more
        self.incremental = False  # clients with a known release are sent only what changed (section 5)
        self._heads: dict[str, LiveRelease] = {}
        self._newest: dict[str, int] = {}
        self._own: dict[str, dict[str, NamespaceDefinition]] = {}  # app -> name -> definition
        self._public: dict[str, _Public] = {}
        self._watches = new_number()  # of those that are remembered and still hold; a new one forgets them
        self._gray: dict[str, GraySelection] = {}
        self._access: dict[str, AppKeys] = {}
        self._replaced: dict[str, LiveRelease] = {}  # by release key, oldest first

    # --- changes ----------------------------------------------------------------------------------

    def replace_definitions(self, app: str, definitions: Sequence[NamespaceDefinition]) -> None:
        """Takes over all definitions of one app; those that are gone are forgotten."""
        folded_app = fold(app)
        for old in self._own.pop(folded_app, {}).values():
            public = self._public.get(fold(old.name))
            if public is not None and fold(public.owner) == folded_app:
                del self._public[fold(old.name)]
        if definitions:
            self._own[folded_app] = {fold(definition.name): definition for definition in definitions}
        for definition in definitions:
            if definition.public:
                self._public[fold(definition.name)] = _Public(definition.app, definition.name)
        self._watches = new_number()
        self.version += 1

    def replace_access(self, app: str, keys: AppKeys | None) -> bool:
        """Takes over the access keys of one app; True when polls that are held may have to be signed otherwise."""
        before = self._access.pop(fold(app), None)
        if keys is not None:
            self._access[fold(app)] = keys
        self.version += 1
        return tightened(before, keys)

    def set_incremental(self, incremental: bool) -> None:
        """Switches incremental sync."""
        if incremental != self.incremental:
            self.incremental = incremental
            self.version += 1

    def replace_all(
        self,
        definitions: Mapping[str, Sequence[NamespaceDefinition]],
        live: Iterable[LiveRelease],
        branches: Iterable[LiveBranch] = (),
    ) -> set[str]:
        """Takes over a whole state, ``definitions`` by app; returns the keys whose newest message is another one now.

        The newest messages of namespaces that serve nothing any more stay. Access keys are not part of it.
        """
        self._own.clear()
        self._public.clear()
        self._heads.clear()
        self._gray.clear()
        self._watches = new_number()
        self.version += 1
        for app, owned in definitions.items():
            self.replace_definitions(app, owned)
        grouped: dict[str, list[LiveBranch]] = {}
        for branch in branches:
            grouped.setdefault(self.key_of(branch.ref), []).append(branch)
        for key, of_key in grouped.items():
            self._gray[key] = GraySelection(of_key)
        found = ((release, grouped.get(self.key_of(release.ref), ())) for release in live)
        fired = (self.put(release.ref, release, release.message_id, of_key) for release, of_key in found)
        return {key for key in fired if key is not None}

    def put(
        self, ref: NamespaceRef, live: LiveRelease | None, message_id: int, branches: Sequence[LiveBranch] = ()
    ) -> str | None:
        """Takes over what a namespace and its branches serve now; None means that it serves nothing any more.

        Returns its key when ``message_id`` is news, else None: a message that was read twice wakes nobody twice.
        """
        key = self.key_of(ref)
        replaced = self._heads.pop(key, None)
        if replaced is not None and self.incremental:
            self._remember(replaced)
        if live is not None:
            self._heads[key] = live
        gray = self._gray.get(key)
        if gray is not None and self.incremental and set(gray.branches) - set(branches):
            for release in gray.releases.values():
                self._remember(release)
        if not branches:
            self._gray.pop(key, None)
        elif gray is None or set(gray.branches) != set(branches):
            self._gray[key] = GraySelection(branches)
        self.version += 1
        if self._newest.get(key) == message_id:
            return None
        self._newest[key] = message_id
        return key

    def _remember(self, release: LiveRelease) -> None:
        if len(self._replaced) >= _REPLACED_LIMIT:
            del self._replaced[next(iter(self._replaced))]
        self._replaced[release.release_key] = release

    # --- reads ------------------------------------------------------------------------------------

    def key(self, app: str, cluster: str, namespace: str) -> str:
        """The folded watch key, told apart by environment; what the index and the hub are keyed by.

        Unambiguous although it is joined text: no stored name holds ``+`` or ``/``.
        """
        return fold(f"{self.name}/{watch_key(app, cluster, namespace)}")

    def key_of(self, ref: NamespaceRef) -> str:
        """The same of a namespace of this environment."""
        return self.key(ref.app, ref.cluster, ref.namespace)

    def access(self, app: str) -> AppKeys | None:
        """The enabled access keys of an app, None when it has none. The app is compared ignoring case."""
        return self._access.get(fold(app))

    def apps_with_access(self) -> frozenset[str]:
        """The apps, folded, that have an enabled access key."""
        return frozenset(self._access)

    def newest(self, key: str) -> int | None:
        """The id of the newest message of a key that ``key()`` made; None when it never had one."""
        return self._newest.get(key)

    def defining(self) -> Iterable[str]:
        """The apps, folded, that have definitions."""
        return list(self._own)

    def definitions_of(self, app: str) -> Sequence[NamespaceDefinition]:
        """All definitions of a folded app."""
        return list(self._own.get(app, {}).values())

    def serving(self) -> Iterable[str]:
        """The keys of all namespaces that serve a release or a branch, in no particular order."""
        return [*self._heads, *(self._gray.keys() - self._heads.keys())]

    def head(self, key: str) -> LiveRelease | None:
        """The live release of a key that ``key()`` made."""
        return self._heads.get(key)

    def live_releases(self) -> Iterable[LiveRelease]:
        """Every live release of the environment, in no particular order."""
        return list(self._heads.values())

    def gray_releases(self) -> Iterable[LiveRelease]:
        """Every live release of a branch, under the branch's name as its cluster."""
        return [release for gray in self._gray.values() for release in gray.releases.values()]

    def branches(self, key: str) -> tuple[LiveBranch, ...]:
        """The published branches of a namespace by the key that ``key()`` made, in their order."""
        gray = self._gray.get(key)
        return () if gray is None else gray.branches

    def branched(self) -> Iterable[NamespaceRef]:
        """The namespaces that have a published branch."""
        return [gray.branches[0].ref for gray in self._gray.values()]

    def replaced(self, release_key: str) -> LiveRelease | None:
        """A release that was live lately; kept only while incremental sync is on."""
        return self._replaced.get(release_key)

    def normalise(self, app: str, namespace: str) -> str:
        """The spelling under which a namespace is stored, else the client's, always without ``.properties``."""
        stripped = strip_properties(namespace)
        folded = fold(stripped)
        own = self._own.get(fold(app), {}).get(folded)
        if own is not None:
            return own.name
        public = self._public.get(folded)
        return stripped if public is None else public.name

    def public_owner(self, app: str, namespace: str) -> str | None:
        """The app whose public namespace lies under the requesting app's; None when there is none to look at.

        ``namespace`` is normalised. Names that belong to the requesting app have no other owner (section 3).
        """
        if namespace == DEFAULT_NAMESPACE:
            return None
        folded_app, folded = fold(app), fold(namespace)
        if folded_app != _PLACEHOLDER and folded in self._own.get(folded_app, {}):
            return None
        public = self._public.get(folded)
        if public is None or fold(public.owner) == folded_app:
            return None
        return public.owner

    def resolve(
        self,
        app: str,
        cluster: str,
        data_center: str,
        namespace: str,
        client: Asking = NOBODY,
        gone: Container[str] = (),
    ) -> Resolution:
        """Finds what answers a read (section 4.2). ``namespace`` is as requested, an empty data centre is none.

        Gray releases whose key is in ``gone`` are passed over: their content exists no more (section 10.2, step 4).
        """
        name = self.normalise(app, namespace)
        clusters = _cluster_order(cluster, data_center)
        own = own_default = public = public_default = None
        if fold(app) != _PLACEHOLDER:
            own, own_default = self._find(app, clusters, name, app, client, gone)
        owner = self.public_owner(app, name)
        if owner is not None:
            public, public_default = self._find(owner, clusters, name, app, client, gone)
        return Resolution(own, public, own_default, public_default)

    def gray_rules(self, app: str, cluster: str, data_center: str, namespace: str) -> tuple[AppRules, ...]:
        """Every rule that can decide what a client of ``app`` is answered to this read; mostly none.

        ``resolve`` gives the same for two clients that each of these select the same branch for.
        """
        if not self._gray:
            return ()
        found = []
        for key in self.watched(app, cluster, data_center, namespace).keys:
            gray = self._gray.get(key)
            rules = None if gray is None else gray.rules_for(app)
            if rules is not None:
                found.append(rules)
        return tuple(found)

    def watched(self, app: str, cluster: str, data_center: str, namespace: str) -> Watched:
        """The watch keys of one namespace for one client (section 7.3); equal polls share one object."""
        identity = (self._watches, app, cluster, data_center, namespace)
        found = REMEMBERED.find(identity)
        if found is not None:
            return found
        asked = (app, cluster, data_center, namespace)
        if not _storable(stripped := strip_properties(namespace)):
            return Watched(stripped, (), (), asked)  # nothing is ever published there
        name = self.normalise(app, namespace)
        apps = [] if fold(app) == _PLACEHOLDER else [app]
        owner = self.public_owner(app, name)
        if owner is not None:
            apps.append(owner)
        clusters = [of for of in _cluster_order(cluster, data_center) if _storable(of)]
        spelled = [watch_key(each, of, name) for each in apps if _storable(each) for of in clusters]
        keys = tuple([fold(f"{self.name}/{key}") for key in spelled])
        made = Watched(stripped, tuple(spelled), keys, asked)
        REMEMBERED.keep(identity, made)
        return made

    def watched_alone(self, app: str, cluster: str, data_center: str, namespace: str) -> Watched:
        """The same for the single-namespace poll (section 8), which compares names with their case.

        A key whose namespace is published under another spelling is left out: such a client is told of nothing, as
        by the original. Its reads ignore case nevertheless.
        """
        asked = (app, cluster, data_center, strip_properties(namespace))
        found = self.watched(*asked)
        kept = [
            (spelled, key)
            for spelled, key in zip(self._spelled_as_asked(asked, found), found.keys, strict=True)
            if (head := self._heads.get(key)) is None or _spelling(head.ref) == spelled
        ]
        return Watched(found.name, tuple(s for s, _ in kept), tuple(k for _, k in kept), asked, legacy=True)

    def _spelled_as_asked(self, asked: tuple[str, str, str, str], found: Watched) -> Sequence[str]:
        """The watch keys with the namespace as the client spells it; app and cluster are its own already."""
        return [spelled[: len(spelled) - len(asked[3])] + asked[3] for spelled in found.spelled]

    def outdated(self, watched: Iterable[Watched], names: Collection[str] | None) -> bool:
        """Tells whether one of these would watch other keys today; only folded ``names`` can, None means all."""
        return self.gone or any(
            (self.watched_alone if each.legacy else self.watched)(*each.asked).keys != each.keys
            for each in watched
            if names is None or fold(each.name) in names
        )

    def _find(
        self, app: str, clusters: Sequence[str], namespace: str, asks: str, client: Asking, gone: Container[str]
    ) -> tuple[LiveRelease | None, LiveRelease | None]:
        """What the first cluster with a release serves, and what it is laid over if the namespace inherits."""
        default = self.key(app, DEFAULT_CLUSTER, namespace)
        for cluster in clusters:
            key = self.key(app, cluster, namespace)
            found = self._serves(key, asks, client, gone)
            if found is not None:
                head = self._heads.get(key)
                inherits = head is not None and head.inherits and key != default
                return found, self._serves(default, asks, client, gone) if inherits else None
        return None, None

    def _serves(self, key: str, asks: str, client: Asking, gone: Container[str]) -> LiveRelease | None:
        """What a namespace serves to one client of the app ``asks``: its gray release, else the normal one."""
        gray = self._gray.get(key)
        rules = None if gray is None else gray.rules_for(asks)
        if gray is not None and rules is not None:
            branch = rules.select(client)
            if branch is not None and branch.release_key not in gone:
                return gray.releases[branch.name]
        return self._heads.get(key)


def _storable(name: str) -> bool:
    """Whether something can be stored under a name; what cannot never fires, and its keys would only take memory."""
    return len(name) <= NAME_LENGTH_LIMIT and is_name(name)


def _spelling(ref: NamespaceRef) -> str:
    return watch_key(ref.app, ref.cluster, ref.namespace)


def _cluster_order(cluster: str, data_center: str) -> list[str]:
    order = [cluster] if cluster != DEFAULT_CLUSTER else []
    if data_center and data_center not in (cluster, DEFAULT_CLUSTER):
        order.append(data_center)
    order.append(DEFAULT_CLUSTER)
    return order
