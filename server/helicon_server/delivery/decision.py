"""The one synchronous decision over a request: answer these bytes, hold this poll, or wait for something first.

A hit costs a look-up by the raw path, the reading of a short query, and prepared bytes: no task, no lock, no
database, no copy of a value. Whatever is unusual takes the longer way through ``_decide``. Each shell calls
``decide`` and only carries out what it says (docs/decisions/0003-one-decision-two-shells.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from helicon.protocol.merge import join_release_keys
from helicon.protocol.names import CONTENT_KEY, format_of, is_document, is_name, strip_properties
from helicon.protocol.properties import render
from helicon_server.delivery.answers import (
    NOT_MODIFIED,
    config_answer,
    container_error,
    file_answer,
    handler_error,
    target_too_long,
)
from helicon_server.delivery.directory import Directory
from helicon_server.delivery.index import EnvironmentView, Resolution
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, CatchUp, Defer, Elsewhere, Load, Outcome, Park
from helicon_server.delivery.polls import BadNotificationsError, collapse, compare, parse_notifications
from helicon_server.delivery.requests import (
    NAME_LIMIT,
    TARGET_LIMIT,
    BadTargetError,
    HeaderOf,
    Request,
    Route,
    Surface,
    form_decoded,
    parse_path,
    parse_query,
    parse_query_lazily,
)
from helicon_server.delivery.store import Content, Kept, ReleaseId, ReleaseStore, identity, merged
from helicon_server.delivery.told import newest_named, wanted_message

_READS: Final = ("GET", "HEAD")
_HIT_LIMIT: Final = 50_000  # remembered paths; they are found again when dropped
_HIT_BYTES: Final = 16 * 1024 * 1024  # of all remembered paths, roughly: escapes can make one thousands of bytes long
_HIT_OVERHEAD: Final = 300  # bytes of the objects around one
_NO_CONTENT: Final = Answer(404, (), b"")  # stands in the store for a document without its one entry
_NO_PARAMETERS: Final[dict[str, str]] = {}
_NOTHING: Final[Mapping[ReleaseId, Content]] = {}


class _Hit:
    """What a path was answered with at one version of its environment."""

    __slots__ = ("cluster", "conditional", "kept", "release_key", "version", "view")

    def __init__(self, view: EnvironmentView, cluster: str, release_key: str, kept: Kept, *, conditional: bool) -> None:
        self.view = view
        self.version = view.version
        self.cluster = cluster
        self.release_key = release_key
        self.kept = kept
        self.conditional = conditional  # /configs knows releaseKey and messages, /configfiles does not


class Decider:
    """Decides requests from the indexes and the store; changes nothing but what it remembers of paths."""

    def __init__(self, directory: Directory, store: ReleaseStore, options: DeliveryOptions) -> None:
        self.draining = False  # new polls are refused, reads go on
        self._directory = directory
        self._store = store
        self._options = options
        self._hits: dict[bytes | tuple[bytes, str], _Hit] = {}
        self.hit_bytes = 0  # of them, an upper bound

    def decide(self, method: str, target: bytes, header: HeaderOf, peer: str) -> Outcome:
        """Decides one request. ``target`` is the raw target as received; nothing of it is decoded yet."""
        path, _, query = target.partition(b"?")
        hit = self._hits.get(path)
        if hit is not None and method in _READS:
            answer = self._hit(hit, path, query)
            if answer is not None:
                return answer
        return self._decide(Request(method, target, header, peer), _NOTHING, may_wait=True)

    def decide_again(self, request: Request, contents: Mapping[ReleaseId, Content]) -> Outcome:
        """Decides a deferred request after its wait; ``contents`` are at hand even where the store kept none."""
        return self._decide(request, contents, may_wait=False)

    # --- the short way ----------------------------------------------------------------------------

    def _hit(self, hit: _Hit, path: bytes, query: bytes) -> Answer | None:
        parameters = parse_query_lazily(query) if query else _NO_PARAMETERS
        if parameters is None:
            return None
        data_center = parameters.get("dataCenter")
        if data_center and form_decoded(data_center) != hit.cluster:
            other = self._hits.get((path, form_decoded(data_center)))
            if other is None:
                return None
            hit = other
        if hit.version != hit.view.version:
            return None
        if hit.conditional:
            messages = parameters.get("messages")
            if messages and newest_named(messages) > hit.view.follower.seen_id:
                return None
            release_key = parameters.get("releaseKey")
            if release_key and form_decoded(release_key) == hit.release_key:
                return NOT_MODIFIED
        kept = hit.kept
        kept.used = True
        return kept.answer

    def _remember(self, request: Request, data_center: str, hit: _Hit) -> None:
        # A character beyond ASCII takes four bytes at most, in the names as in the path's escapes.
        cost = 2 * len(request.path) + 4 * (len(data_center) + len(hit.cluster)) + _HIT_OVERHEAD
        if len(self._hits) >= _HIT_LIMIT or self.hit_bytes + cost > _HIT_BYTES:
            self._hits.clear()
            self.hit_bytes = 0
        self.hit_bytes += cost
        if data_center and data_center != hit.cluster:
            self._hits[(request.path, data_center)] = hit
            # The short way begins with the bare path; without an entry there the one above is never found.
            self._hits.setdefault(request.path, _stale(hit))
        else:
            self._hits[request.path] = hit

    # --- the long way -----------------------------------------------------------------------------

    def _decide(self, request: Request, contents: Mapping[ReleaseId, Content], *, may_wait: bool) -> Outcome:
        path = request.path
        if len(request.target) > TARGET_LIMIT:
            return target_too_long(path)
        try:
            route = parse_path(path)
        except BadTargetError as error:
            return container_error(400, error.code, error.message, path)
        if route.surface is Surface.HEALTH:
            return Defer(request, Elsewhere())
        view = self._directory.find(route.environment)
        if view is None:
            return self._no_environment(route, path)
        if route.surface is Surface.SERVICES:
            return Defer(request, Elsewhere())
        if route.surface is Surface.UNKNOWN:
            return container_error(404, "unknown_path", "There is no such path in the client protocol.", path)
        if request.method not in _READS:
            message = f"Request method '{request.method}' is not supported."
            return handler_error(400, "method_not_supported", message, "MethodNotSupported")
        if route.surface is Surface.NOTIFICATIONS_V2:
            return self._poll(view, request, may_wait=may_wait)
        return self._read(view, route, request, contents, may_wait=may_wait)

    def _no_environment(self, route: Route, path: bytes) -> Answer:
        if not self._directory.complete:
            message = "The databases are not loaded yet."
            return container_error(503, "not_loaded", message, path, retry_after_s=self._options.retry_after_s)
        if route.environment is None:
            message = "The default environment of this server does not exist."
        else:
            message = "There is no such environment on this server."
        return container_error(404, "unknown_environment", message, path)

    def _read(
        self,
        view: EnvironmentView,
        route: Route,
        request: Request,
        contents: Mapping[ReleaseId, Content],
        *,
        may_wait: bool,
    ) -> Answer | Defer:
        if not is_name(route.app):
            return _invalid_app_id(request.path)
        parameters = parse_query(request.query)
        data_center = parameters.get("dataCenter", "")
        if _too_long(route.app, route.cluster, route.namespace, data_center):
            return _name_too_long(request.path)
        conditional = route.surface is Surface.CONFIGS
        if conditional and may_wait:
            wanted = wanted_message(view, route, data_center, parameters.get("messages", ""))
            if wanted > view.follower.seen_id:
                if view.follower.away_since is not None:
                    return self._behind(request.path)  # nothing to wait for, and anybody can name an id
                return Defer(request, CatchUp(view, wanted, self._behind(request.path)))
        resolution = view.resolve(route.app, route.cluster, data_center, route.namespace)
        if not resolution.releases:
            message = "Nothing is released under this app id, cluster and namespace."
            return container_error(404, "not_released", message, request.path)
        release_key = _release_key(resolution)
        if conditional and parameters.get("releaseKey") == release_key:
            return NOT_MODIFIED
        kept = self._prepare(view, route, resolution, release_key, contents)
        if kept is None:
            return Defer(request, Load(view, resolution.releases))
        answer = kept.answer
        assert answer is not None, "it was found or prepared in this very call"
        if answer is _NO_CONTENT:
            return container_error(404, "no_content", "The release has no content.", request.path)
        if self._store.keeps(len(answer.body)):
            self._remember(request, data_center, _Hit(view, route.cluster, release_key, kept, conditional=conditional))
        return answer

    def _prepare(
        self,
        view: EnvironmentView,
        route: Route,
        resolution: Resolution,
        release_key: str,
        contents: Mapping[ReleaseId, Content],
    ) -> Kept | None:
        """The prepared answer, made if need be; None when a content is not in memory."""
        own, public = resolution.own, resolution.public
        cluster = own.ref.cluster if own is not None else route.cluster  # section 4.5
        made_of: tuple[object, ...]
        if route.surface is Surface.CONFIGS:
            made_of = (view.follower, route.surface, route.app, cluster, route.namespace)
        else:
            made_of = (view.follower, route.surface, format_of(strip_properties(route.namespace)))
        made_of += (own.release_key if own else None, public.release_key if public else None)
        kept = self._store.prepared(made_of)
        if kept is not None:
            kept.used = True
            return kept
        found: list[Content | None] = []
        for release in (own, public):
            if release is None:
                found.append(None)
                continue
            key = identity(view.follower, release)
            content = contents.get(key) or self._store.content(key)
            if content is None:
                return None
            found.append(content)
        content = merged(found[0], found[1])
        if route.surface is Surface.CONFIGS:
            answer = config_answer(route.app, cluster, route.namespace, content.encoded, release_key)
        else:
            answer = _file(route, content)
        return self._store.put_prepared(made_of, answer)

    def _poll(self, view: EnvironmentView, request: Request, *, may_wait: bool) -> Answer | Park | Defer:
        parameters = parse_query(request.query)
        app = parameters.get("appId", "")
        if not is_name(app):
            return _invalid_app_id(request.path)
        for name in ("cluster", "notifications"):
            if name not in parameters:
                message = f"Required parameter '{name}' is not present."
                return handler_error(500, "missing_parameter", message, "MissingParameter")
        cluster, data_center = parameters["cluster"], parameters.get("dataCenter", "")
        if _too_long(app, cluster, data_center):
            return _name_too_long(request.path)
        try:
            entries = collapse(view, app, parse_notifications(parameters["notifications"]))
        except BadNotificationsError as error:
            return handler_error(400, "invalid_notifications", str(error), "BadRequest")
        watched = tuple([view.watched(app, cluster, data_center, name) for name, _ in entries])
        known = tuple([seen for _, seen in entries])
        news = compare(view, watched, known)
        if news is not None:
            return news
        if self.draining:
            message = "This server is stopping; ask another one."
            return container_error(503, "draining", message, request.path, retry_after_s=self._options.retry_after_s)
        beyond = max(known)
        if may_wait and beyond > view.follower.seen_id:
            # Held now, it would be woken by the very release that its client has been told of by another node. An id
            # that a look does not find is of a server that was rebuilt: that client is held, and told lower ids.
            return Defer(request, CatchUp(view, beyond, NOT_MODIFIED))
        return Park(view, watched, known, self._options.hold_s, request.peer)

    def _behind(self, path: bytes) -> Answer:
        message = "The client knows a newer release than this server; ask another one."
        return container_error(503, "behind", message, path, retry_after_s=self._options.retry_after_s)


def _invalid_app_id(path: bytes) -> Answer:
    return container_error(400, "invalid_app_id", "The app id is missing or holds characters that no app id has.", path)


def _too_long(*names: str) -> bool:
    return any(len(name) > NAME_LIMIT for name in names)


def _name_too_long(path: bytes) -> Answer:
    return container_error(400, "name_too_long", f"A name is longer than {NAME_LIMIT} characters.", path)


def _release_key(resolution: Resolution) -> str:
    own, public = resolution.own, resolution.public
    return join_release_keys(own.release_key if own else None, public.release_key if public else None)


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


def _stale(hit: _Hit) -> _Hit:
    """A copy that is never current and so is never answered."""
    copy = _Hit(hit.view, hit.cluster, hit.release_key, hit.kept, conditional=hit.conditional)
    copy.version = -1
    return copy
