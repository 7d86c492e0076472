"""What one environment holds, as the requests need it: definitions, live releases, newest message ids.

Everything is keyed by folded names. Names compare ignoring case throughout: app ids and clusters are unique ignoring
case in storage, Apollo's own look-ups ignore case on its usual database, and one rule for reads and watches means
that a client is never told of a release that it cannot read (Apollo client protocol, sections 3 and 7.3).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helicon.protocol.names import (
    DEFAULT_CLUSTER,
    DEFAULT_NAMESPACE,
    NO_APP_ID_PLACEHOLDER,
    strip_properties,
    watch_key,
)
from helicon_server.delivery.polls import Watched
from helicon_server.domain.model import LiveRelease, NamespaceDefinition
from helicon_server.domain.names import NamespaceRef

if TYPE_CHECKING:
    from helicon_server.delivery.follower import Follower

_WATCHED_LIMIT = 20_000  # remembered watches; they are rebuilt when dropped
_PLACEHOLDER = NO_APP_ID_PLACEHOLDER.lower()


def fold(text: str) -> str:
    """The form under which two names are the same name.

    Stored names are ASCII. Text beyond ASCII stays as it is and so matches nothing: lower-casing it could turn a
    foreign letter into an ASCII one (the Kelvin sign into ``k``).
    """
    return text.lower() if text.isascii() else text


@dataclass(frozen=True, slots=True)
class Resolution:
    """The live releases that answer a read: the app's own and the public one under it (section 4.2)."""

    own: LiveRelease | None
    public: LiveRelease | None

    @property
    def releases(self) -> tuple[LiveRelease, ...]:
        """Own first, then public: the order of the merged release key (section 4.4)."""
        return tuple(release for release in (self.own, self.public) if release is not None)


@dataclass(frozen=True, slots=True)
class _Public:
    owner: str
    name: str


class EnvironmentView:
    """The index of one environment. Read by requests, changed only by the follower of its database."""

    __slots__ = ("_heads", "_newest", "_own", "_public", "_watched", "follower", "gone", "name", "version")

    def __init__(self, name: str, follower: Follower) -> None:
        self.name = name
        self.follower = follower
        self.version = 0  # grows with every change; what was derived from an older one is derived again
        self.gone = False  # the database holds this environment no more
        self._heads: dict[str, LiveRelease] = {}
        self._newest: dict[str, int] = {}
        self._own: dict[str, dict[str, NamespaceDefinition]] = {}  # app -> name -> definition
        self._public: dict[str, _Public] = {}
        self._watched: dict[tuple[str, str, str, str], Watched] = {}

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
        self._watched.clear()
        self.version += 1

    def replace_all(
        self, definitions: Mapping[str, Sequence[NamespaceDefinition]], live: Iterable[LiveRelease]
    ) -> set[str]:
        """Takes over a whole state, ``definitions`` by app; returns the keys whose newest message is another one now.

        The newest messages of namespaces that serve nothing any more stay.
        """
        self._own.clear()
        self._public.clear()
        self._heads.clear()
        self._watched.clear()
        self.version += 1
        for app, owned in definitions.items():
            self.replace_definitions(app, owned)
        return {key for release in live if (key := self.put(release.ref, release, release.message_id)) is not None}

    def put(self, ref: NamespaceRef, live: LiveRelease | None, message_id: int) -> str | None:
        """Takes over what a namespace serves now; None means that it serves nothing any more.

        Returns its key when ``message_id`` is news, else None: a message that was read twice wakes nobody twice.
        """
        key = self.key(ref.app, ref.cluster, ref.namespace)
        if live is None:
            self._heads.pop(key, None)
        else:
            self._heads[key] = live
        self.version += 1
        if self._newest.get(key) == message_id:
            return None
        self._newest[key] = message_id
        return key

    # --- reads ------------------------------------------------------------------------------------

    def key(self, app: str, cluster: str, namespace: str) -> str:
        """The folded watch key, told apart by environment; what the index and the hub are keyed by.

        Unambiguous although it is joined text: no stored name holds ``+`` or ``/``.
        """
        return fold(f"{self.name}/{watch_key(app, cluster, namespace)}")

    def newest(self, key: str) -> int | None:
        """The id of the newest message of a key that ``key()`` made; None when it never had one."""
        return self._newest.get(key)

    def live_releases(self) -> Iterable[LiveRelease]:
        """Every live release of the environment, in no particular order."""
        return list(self._heads.values())

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

    def resolve(self, app: str, cluster: str, data_center: str, namespace: str) -> Resolution:
        """Finds what answers a read (section 4.2). ``namespace`` is as requested, an empty data centre is none."""
        name = self.normalise(app, namespace)
        clusters = _cluster_order(cluster, data_center)
        own = None if fold(app) == _PLACEHOLDER else self._find(app, clusters, name)
        owner = self.public_owner(app, name)
        public = None if owner is None else self._find(owner, clusters, name)
        return Resolution(own, public)

    def watched(self, app: str, cluster: str, data_center: str, namespace: str) -> Watched:
        """The watch keys of one namespace for one client (section 7.3); equal polls share one object."""
        identity = (app, cluster, data_center, namespace)
        found = self._watched.get(identity)
        if found is not None:
            return found
        name = self.normalise(app, namespace)
        apps = [] if fold(app) == _PLACEHOLDER else [app]
        owner = self.public_owner(app, name)
        if owner is not None:
            apps.append(owner)
        spelled = [watch_key(each, of, name) for each in apps for of in _cluster_order(cluster, data_center)]
        keys = tuple(fold(f"{self.name}/{key}") for key in spelled)
        made = Watched(strip_properties(namespace), tuple(spelled), keys, identity)
        if len(self._watched) >= _WATCHED_LIMIT:
            self._watched.clear()
        self._watched[identity] = made
        return made

    def outdated(self, watched: Iterable[Watched], names: Collection[str] | None) -> bool:
        """Tells whether one of these would watch other keys today; only folded ``names`` can, None means all."""
        return self.gone or any(
            self.watched(*each.asked).keys != each.keys for each in watched if names is None or fold(each.name) in names
        )

    def _find(self, app: str, clusters: Sequence[str], namespace: str) -> LiveRelease | None:
        for cluster in clusters:
            found = self._heads.get(self.key(app, cluster, namespace))
            if found is not None:
                return found
        return None


def _cluster_order(cluster: str, data_center: str) -> list[str]:
    order = [cluster] if cluster != DEFAULT_CLUSTER else []
    if data_center and data_center not in (cluster, DEFAULT_CLUSTER):
        order.append(data_center)
    order.append(DEFAULT_CLUSTER)
    return order
