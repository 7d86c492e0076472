"""The one synchronous decision over a request: answer these bytes, hold this poll, or wait for something first.

A hit costs a look-up by the raw path, the reading of a short query, and prepared bytes: no task, no lock, no
database, no copy of a value. Whatever is unusual takes the longer way through ``_decide``. Each shell calls
``decide`` and only carries out what it says (docs/decisions/0003-one-decision-two-shells.md).
"""

from __future__ import annotations

from typing import Final

from helicon.protocol.names import is_name
from helicon_server.delivery.access import AccessGuard
from helicon_server.delivery.answers import container_error, handler_error, target_too_long
from helicon_server.delivery.compress import Compressor
from helicon_server.delivery.directory import Directory
from helicon_server.delivery.incremental import Bases
from helicon_server.delivery.long_polls import LongPolls
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Defer, Elsewhere, Outcome, Park
from helicon_server.delivery.reads import Reads
from helicon_server.delivery.requests import (
    PATH_LIMIT,
    TARGET_LIMIT,
    BadTargetError,
    HeaderOf,
    Request,
    Route,
    Surface,
    parse_path,
    parse_query,
)
from helicon_server.delivery.short_polls import ShortPolls
from helicon_server.delivery.short_way import OnServed, ShortWay
from helicon_server.delivery.store import ReleaseStore
from helicon_server.delivery.waited import NOT_YET, Waited

_READS: Final = ("GET", "HEAD")
_SERVED: Final = (200, 304)
_POLLS: Final = (Surface.NOTIFICATIONS, Surface.NOTIFICATIONS_V2)
_POLL: Final = b"/notifications/v2"  # a read whose path ends so, too, is remembered nowhere and goes the long way


class Decider:
    """Decides requests from the indexes and the store; changes nothing but what it remembers of paths."""

    def __init__(
        self,
        directory: Directory,
        store: ReleaseStore,
        options: DeliveryOptions,
        guard: AccessGuard,
        on_served: OnServed | None = None,
    ) -> None:
        self.long_way = 0  # decisions that no remembered path answered, for metrics
        self.long_reads = 0  # reads that were answered the long way at once, for metrics
        self.waited_reads = 0  # the same behind a wait
        self.bases = Bases(store)
        self.compressor = Compressor(store)
        self.short_way = ShortWay(guard, self.compressor, on_served)
        self.polls = LongPolls(options)
        self._short_polls = ShortPolls(guard, directory, self.polls)
        self._reads = Reads(store, options, self.short_way, self.compressor, self.bases, on_served)
        self._guard = guard
        self._directory = directory
        self._options = options

    def decide(self, method: str, target: bytes, header: HeaderOf, peer: str) -> Outcome:
        """Decides one request. ``target`` is the raw target as received; nothing of it is decoded yet."""
        path, _, query = target.partition(b"?")
        if method in _READS:
            known: Answer | Park | None
            if path.endswith(_POLL):
                known = self._short_polls.park(path, query, target, header, peer)
            else:
                known = self.short_way.answer(path, query, target, header, peer)
            if known is not None:
                return known
        return self._decide(Request(method, target, header, peer), NOT_YET)

    def decide_again(self, request: Request, waited: Waited) -> Outcome:
        """Decides a deferred request after its wait."""
        return self._decide(request, waited)

    def _decide(self, request: Request, waited: Waited) -> Outcome:
        self.long_way += 1
        path = request.path
        if len(request.target) > TARGET_LIMIT or len(path) > PATH_LIMIT:
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
        parameters = parse_query(request.query)
        polls = route.surface in _POLLS
        app = parameters.get("appId", "") if polls else route.app
        if not is_name(app):
            message = "The app id is missing or holds characters that no app id has."
            return container_error(400, "invalid_app_id", message, path)
        keys = view.access(app)
        if keys is not None:
            # In front of everything that looks something up: without a signature nobody learns what there is.
            refusal = self._guard.refusal(keys, request.target, request.header, request.peer)
            if refusal is not None:
                return refusal
        if not polls:
            return self._counted(self._reads.decide(view, route, request, parameters, waited), waited)
        if route.surface is Surface.NOTIFICATIONS:
            return self.polls.legacy(view, request, app, parameters, may_wait=not waited.again)
        outcome = self.polls.v2(view, request, app, parameters, may_wait=not waited.again)
        if isinstance(outcome, Park):
            self._short_polls.remember(request, route.environment, keys, outcome)
        return outcome

    def _counted(self, outcome: Answer | Defer, waited: Waited) -> Answer | Defer:
        if isinstance(outcome, Answer) and outcome.status in _SERVED:
            if waited.again:
                self.waited_reads += 1
            else:
                self.long_reads += 1
        return outcome

    def _no_environment(self, route: Route, path: bytes) -> Answer:
        if not self._directory.complete:
            message = "The databases are not loaded yet."
            return container_error(503, "not_loaded", message, path, retry_after_s=self._options.retry_after_s)
        if route.environment is None:
            message = "The default environment of this server does not exist."
        else:
            message = "There is no such environment on this server."
        return container_error(404, "unknown_environment", message, path)
