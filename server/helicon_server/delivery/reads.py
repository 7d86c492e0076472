"""Decides reads: which releases answer, 304 or bytes, in full or what changed (sections 4 to 6 of the protocol)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from helicon.protocol.changes import changes_between
from helicon.protocol.merge import join_release_keys, merge_all
from helicon.protocol.names import CONTENT_KEY, format_of, is_document, strip_properties
from helicon.protocol.properties import render
from helicon_server.delivery.ahead import is_ahead
from helicon_server.delivery.answers import (
    NOT_MODIFIED,
    changes_answer,
    config_answer,
    container_error,
    file_answer,
    name_too_long,
)
from helicon_server.delivery.asking import Asking, asking
from helicon_server.delivery.compress import Compressor
from helicon_server.delivery.incremental import Bases, base_name, held_keys
from helicon_server.delivery.index import EnvironmentView, Resolution
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, CatchUp, Defer, Load, LoadBases, Look
from helicon_server.delivery.requests import NAME_LIMIT, Request, Route, Surface
from helicon_server.delivery.short_way import Hit, OnServed, ShortWay
from helicon_server.delivery.store import Content, Kept, ReleaseStore, identity, merged
from helicon_server.delivery.told import wanted_message
from helicon_server.delivery.waited import Waited

_NO_CONTENT: Final = Answer(404, (), b"")  # stands in the store for a document without its one entry
_ABSENT: Final = Kept(_NO_CONTENT, 0)  # of a path whose answer nobody has asked for since it changed
_ABSENT.answer = None


class Reads:
    """Decides reads whose app is known and whose signature was checked."""

    def __init__(
        self,
        store: ReleaseStore,
        options: DeliveryOptions,
        short_way: ShortWay,
        compressor: Compressor,
        bases: Bases,
        on_served: OnServed | None,
    ) -> None:
        self._store = store
        self._options = options
        self._short_way = short_way
        self._compressor = compressor
        self._bases = bases
        self._on_served = on_served

    def decide(
        self, view: EnvironmentView, route: Route, request: Request, parameters: Mapping[str, str], waited: Waited
    ) -> Answer | Defer:
        """Decides one read; ``parameters`` are decoded."""
        data_center = parameters.get("dataCenter", "")
        if max(len(route.app), len(route.cluster), len(route.namespace), len(data_center)) > NAME_LIMIT:
            return name_too_long(request.path)
        conditional = route.surface is Surface.CONFIGS
        if conditional and not waited.again:
            wanted = wanted_message(view, route, data_center, parameters.get("messages", ""))
            if wanted > view.follower.seen_id:
                if view.follower.away_since is not None:
                    return self._behind(request.path)  # nothing to wait for, and anybody can name an id
                return Defer(request, CatchUp(view, wanted, self._behind(request.path)))
        client = asking(parameters.get("ip", ""), parameters.get("label", ""), request.header, request.peer)
        resolution = view.resolve(route.app, route.cluster, data_center, route.namespace, client, waited.gone)
        release_key = join_release_keys(*[release.release_key for release in resolution.releases])
        held = parameters.get("releaseKey", "") if conditional else ""
        if is_ahead(held, release_key) and not waited.again and view.follower.away_since is None:
            return Defer(request, Look(view))
        if not resolution.releases:
            message = "Nothing is released under this app id, cluster and namespace."
            return container_error(404, "not_released", message, request.path)
        if held == release_key:
            self._tell(view, route, data_center, client, resolution)
            # Most reads end here. Without an answer at hand the short way still knows what is current.
            kept = self._store.prepared(_made_of(view, route, resolution, release_key)) or _ABSENT
            self._remember(view, route, request, data_center, client, resolution, release_key, kept)
            return NOT_MODIFIED
        step: Kept | Defer | None = None
        if held and view.incremental:
            step = self._changes(view, route, request, resolution, release_key, held, waited)
        whole = step is None
        if step is None:
            step = self._whole(view, route, request, resolution, release_key, waited)
        if isinstance(step, Defer):
            return step
        if step.answer is _NO_CONTENT:
            return container_error(404, "no_content", "The release has no content.", request.path)
        self._tell(view, route, data_center, client, resolution)
        if whole and step.stored:
            self._remember(view, route, request, data_center, client, resolution, release_key, step)
        answer = self._compressor.pick(step, request.header)
        assert answer is not None, "it was found or prepared in this very call"
        return answer

    # --- in full ----------------------------------------------------------------------------------

    def _whole(
        self,
        view: EnvironmentView,
        route: Route,
        request: Request,
        resolution: Resolution,
        release_key: str,
        waited: Waited,
    ) -> Kept | Defer:
        made_of = _made_of(view, route, resolution, release_key)
        kept = self._store.prepared(made_of)
        if kept is not None:
            kept.used = True
            return kept
        contents = self._contents(view, resolution, waited)
        if contents is None:
            return Defer(request, Load(view, resolution.releases))
        content = merged(contents)
        if route.surface is Surface.CONFIGS:
            cluster = _cluster(route, resolution)
            answer = config_answer(route.app, cluster, route.namespace, content.encoded, release_key)
        else:
            answer = _file(route, content)
        return self._store.put_prepared(made_of, answer)

    def _contents(self, view: EnvironmentView, resolution: Resolution, waited: Waited) -> Sequence[Content] | None:
        """The contents of all releases, the winning one first; None when one is not in memory."""
        found = []
        for release in resolution.releases:
            key = identity(view.follower, release)
            content = waited.contents.get(key) or self._store.content(key)
            if content is None:
                return None
            found.append(content)
        return found

    # --- what changed -----------------------------------------------------------------------------

    def _changes(
        self,
        view: EnvironmentView,
        route: Route,
        request: Request,
        resolution: Resolution,
        release_key: str,
        held: str,
        waited: Waited,
    ) -> Kept | Defer | None:
        """The answer that tells only what changed, or what it needs; None when a full one is due (section 5)."""
        keys = held_keys(held)
        if keys is None:
            return None
        cluster = _cluster(route, resolution)
        made_of = (view.follower, "changes", route.app, cluster, route.namespace, release_key, held)
        kept = self._store.prepared(made_of)
        if kept is not None:
            kept.used = True
            return kept
        name = view.normalise(route.app, route.namespace)
        owner = view.public_owner(route.app, name)
        of = {base_name(app, name) for app in (route.app, owner) if app is not None}
        base = self._bases.contents(view, keys, waited.bases or {}, of)
        if base is None:
            return None
        if base.missing:
            return Defer(request, LoadBases(view, base.missing)) if waited.bases is None else None
        contents = self._contents(view, resolution, waited)
        if contents is None:
            return Defer(request, Load(view, resolution.releases))
        before = merge_all([each.configurations() for each in base.contents])
        if not before:
            return None
        now = merged(contents).configurations()
        changes = changes_between(before, now)
        return self._store.put_prepared(
            made_of, changes_answer(route.app, cluster, route.namespace, changes, release_key)
        )

    # --- parts ------------------------------------------------------------------------------------

    def _tell(
        self, view: EnvironmentView, route: Route, data_center: str, client: Asking, resolution: Resolution
    ) -> None:
        if self._on_served is not None:
            self._on_served(view, route.app, route.cluster, data_center, client.ip, client.label, resolution)

    def _remember(
        self,
        view: EnvironmentView,
        route: Route,
        request: Request,
        data_center: str,
        client: Asking,
        resolution: Resolution,
        release_key: str,
        kept: Kept,
    ) -> None:
        names = (route.app, route.cluster, data_center)
        conditional = route.surface is Surface.CONFIGS
        hit = Hit(view, *names, resolution, release_key, kept, conditional=conditional)
        self._short_way.remember(request, hit, view.gray_rules(*names, route.namespace), client)

    def _behind(self, path: bytes) -> Answer:
        message = "The client knows a newer release than this server; ask another one."
        return container_error(503, "behind", message, path, retry_after_s=self._options.retry_after_s)


def _made_of(view: EnvironmentView, route: Route, resolution: Resolution, release_key: str) -> tuple[object, ...]:
    """What a prepared answer is found under: all that its bytes depend on."""
    if route.surface is Surface.CONFIGS:
        names = (route.app, _cluster(route, resolution), route.namespace)
        return (view.follower, route.surface, *names, release_key)
    return (view.follower, route.surface, format_of(strip_properties(route.namespace)), release_key)


def _cluster(route: Route, resolution: Resolution) -> str:
    return resolution.own.ref.cluster if resolution.own is not None else route.cluster  # section 4.5


def _file(route: Route, content: Content) -> Answer:
    name = strip_properties(route.namespace)
    if route.surface is Surface.FILE_JSON:
        return file_answer(route.surface, name, content.encoded)
    configurations = content.configurations()
    if route.surface is Surface.FILE_RAW and is_document(name):
        if CONTENT_KEY not in configurations:
            return _NO_CONTENT
        text = configurations[CONTENT_KEY]
    else:
        text = render(configurations)
    return file_answer(route.surface, name, text.encode())
