"""The environments of one database in memory: how a state, and later each batch of changes, becomes theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from helicon_server.delivery.access import OpenSecret, open_keys
from helicon_server.delivery.changes import Changes, ref_of
from helicon_server.delivery.folding import fold
from helicon_server.delivery.index import EnvironmentView
from helicon_server.delivery.parts import AppPart, Head, NamespacePart, Part, PartName
from helicon_server.delivery.restore import Mark, State, by_environment
from helicon_server.domain.access_key import AccessKey
from helicon_server.domain.model import Environment, Message, MessageKind

if TYPE_CHECKING:
    from helicon_server.delivery.follower import Follower


class Environments:
    """The indexes of one database. Nothing waits in here, so no request sees half of a change."""

    def __init__(
        self,
        follower: Follower,
        open_secret: OpenSecret,
        *,
        on_definitions: Callable[[EnvironmentView, frozenset[str] | None], None],
        on_access: Callable[[EnvironmentView, frozenset[str]], None],
    ) -> None:
        self.views: dict[str, EnvironmentView] = {}
        self._follower = follower
        self._open_secret = open_secret
        self._on_definitions = on_definitions
        self._on_access = on_access  # with the folded apps whose requests must be signed, or signed otherwise, now
        self._sealed: dict[tuple[str, str], Sequence[AccessKey]] = {}  # by environment and folded app

    # --- changes ----------------------------------------------------------------------------------

    def take_over(self, state: State) -> set[str]:
        """Puts a whole state in the place of the present one; returns the keys that have a new message."""
        fired = set()
        live = by_environment(state.live)
        branches = by_environment(state.branches)
        self._sealed.clear()
        keys: dict[str, dict[str, list[AccessKey]]] = {}
        for each in state.access_keys:
            keys.setdefault(each.environment, {}).setdefault(fold(each.app), []).append(each)
        for name in [name for name in self.views if name not in state.environments]:
            view = self.views.pop(name)
            view.gone = True
            view.replace_all({}, ())
            self._on_definitions(view, None)
        for name, incremental in state.environments.items():
            view = self.views.setdefault(name, EnvironmentView(name, self._follower))  # held polls know the old one
            view.set_incremental(incremental)
            of_apps = keys.get(name, {})
            self._take_keys(view, {app: of_apps.get(app, ()) for app in view.apps_with_access() | of_apps.keys()})
            fired |= view.replace_all(state.definitions.get(name, {}), live.get(name, ()), branches.get(name, ()))
        return fired

    def take_changes(self, messages: Sequence[Message], changes: Changes) -> tuple[set[str], bool]:
        """Takes over what messages are about; returns the keys that fired, and whether an environment appeared.

        The polls that the definitions among them concern are left to the caller, to be told behind the releases.
        """
        appeared = self._take_environments(changes.environments)
        # Before anything else: what was published behind a key is never seen without it.
        for (environment, app), keys in changes.access_keys.items():
            if environment in self.views:
                self._take_keys(self.views[environment], {fold(app): keys})
        for (environment, app), owned in changes.definitions.items():
            if environment in self.views:
                self.views[environment].replace_definitions(app, owned)
        return self._take_releases(messages, changes), appeared

    def _take_environments(self, environments: Sequence[Environment]) -> bool:
        appeared = False
        for each in environments:
            view = self.views.get(each.name)
            if view is None:
                view = self.views[each.name] = EnvironmentView(each.name, self._follower)
                appeared = True
            view.set_incremental(each.incremental)
        return appeared

    def _take_keys(self, view: EnvironmentView, keys: Mapping[str, Sequence[AccessKey]]) -> None:
        """Takes over all keys of some apps, and lets their polls go that may be refused now."""
        for app, owned in keys.items():
            self._sealed.pop((view.name, app), None)
            if owned:
                self._sealed[view.name, app] = owned
        changed = {app for app, owned in keys.items() if view.replace_access(app, open_keys(owned, self._open_secret))}
        if changed:
            self._on_access(view, frozenset(changed))

    def _take_releases(self, messages: Sequence[Message], changes: Changes) -> set[str]:
        newest = {ref_of(message): message.id for message in messages if message.kind is MessageKind.RELEASE}
        fired = set()
        for ref, message_id in newest.items():
            view = self.views.get(ref.environment)
            if view is None:
                continue
            release = changes.live.get(fold(str(ref)))
            newest_id = max(message_id, release.message_id) if release else message_id
            key = view.put(ref, release, newest_id, changes.branches.get(fold(str(ref)), ()))
            if key is not None:
                fired.add(key)
        return fired

    # --- what is there ----------------------------------------------------------------------------

    def head(self, newest_id: int, newest: Message | None, origin: datetime | None) -> Head:
        """What stands above the parts."""
        return Head({view.name: view.incremental for view in self.views.values()}, newest_id, newest, origin)

    def part_names(self) -> Iterator[PartName]:
        """Everything that is served at the time of the call, in parts; may be gone through in several turns."""
        keys = [(view.name, view.serving()) for view in self.views.values()]
        apps = {(view.name, app) for view in self.views.values() for app in view.defining()} | self._sealed.keys()
        namespaces = (PartName("namespace", name, key) for name, of_view in keys for key in of_view)
        return chain(namespaces, (PartName("app", *app) for app in apps))

    def part(self, name: PartName) -> Part | None:
        """One of them, None when there is none of this name."""
        view = self.views.get(name.environment)
        if view is None:
            return None
        if name.kind == "namespace":
            live, branches = view.head(name.key), view.branches(name.key)
            return None if live is None and not branches else NamespacePart(live, branches)
        definitions, access_keys = view.definitions_of(name.key), self._sealed.get((view.name, name.key), ())
        return AppPart(view.name, name.key, definitions, access_keys) if definitions or access_keys else None

    def parts_of(self, messages: Iterable[Message]) -> set[PartName]:
        """The parts that messages are about."""
        found = set()
        for message in messages:
            view = self.views.get(message.environment)
            if view is not None and message.kind is MessageKind.RELEASE:
                found.add(PartName("namespace", view.name, view.key_of(ref_of(message))))
            elif view is not None and message.kind is not MessageKind.ENVIRONMENT:
                found.add(PartName("app", view.name, fold(message.app)))
        return found

    def marks(self) -> dict[str, Mark]:
        """Every namespace that is served, by its folded reference, with the id that clients were told."""
        marks: dict[str, Mark] = {}
        for view in self.views.values():
            for ref in view.branched():
                marks[fold(str(ref))] = Mark(ref, "", None, view.branches(view.key_of(ref)))
            for release in view.live_releases():
                key = view.key_of(release.ref)
                mark = Mark(release.ref, release.release_key, view.newest(key), view.branches(key))
                marks[fold(str(release.ref))] = mark
        return marks
