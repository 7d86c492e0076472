"""Decides long polls: answer what is new, or hold (Apollo client protocol, sections 7 and 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from helicon.protocol.names import DEFAULT_NAMESPACE, NO_NOTIFICATION
from helicon_server.delivery.answers import NOT_MODIFIED, container_error, handler_error, name_too_long
from helicon_server.delivery.index import EnvironmentView
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, CatchUp, Defer, Park
from helicon_server.delivery.polls import (
    BadNotificationsError,
    Watched,
    collapse,
    compare,
    notification_id,
    parse_notifications,
)
from helicon_server.delivery.requests import NAME_LIMIT, Request

_REQUIRED: Final = ("cluster", "notifications")


class LongPolls:
    """Decides polls whose app is known and whose signature was checked."""

    def __init__(self, options: DeliveryOptions) -> None:
        self.draining = False  # new polls are refused, reads go on
        self._options = options

    def v2(
        self, view: EnvironmentView, request: Request, app: str, parameters: Mapping[str, str], *, may_wait: bool
    ) -> Answer | Park | Defer:
        """Decides a poll for any number of namespaces (section 7)."""
        for name in _REQUIRED:
            if name not in parameters:
                return _missing(name)
        cluster, data_center = parameters["cluster"], parameters.get("dataCenter", "")
        if max(len(app), len(cluster), len(data_center)) > NAME_LIMIT:
            return name_too_long(request.path)
        try:
            entries = collapse(view, app, parse_notifications(parameters["notifications"]))
        except BadNotificationsError as error:
            return handler_error(400, "invalid_notifications", str(error), "BadRequest")
        watched = tuple([view.watched(app, cluster, data_center, name) for name, _ in entries])
        known = tuple([seen for _, seen in entries])
        return self._held(view, request, watched, known, self._options.hold_s, may_wait=may_wait)

    def legacy(
        self, view: EnvironmentView, request: Request, app: str, parameters: Mapping[str, str], *, may_wait: bool
    ) -> Answer | Park | Defer:
        """Decides a poll for one namespace, as very old clients send it (section 8)."""
        if "cluster" not in parameters:
            return _missing("cluster")
        cluster, data_center = parameters["cluster"], parameters.get("dataCenter", "")
        namespace = parameters.get("namespace") or DEFAULT_NAMESPACE
        if max(len(app), len(cluster), len(data_center), len(namespace)) > NAME_LIMIT:
            return name_too_long(request.path)
        try:
            known = notification_id(parameters.get("notificationId") or str(NO_NOTIFICATION))
        except BadNotificationsError as error:
            return handler_error(500, "invalid_parameter", str(error), "TypeMismatch")
        watched = view.watched_alone(app, cluster, data_center, namespace)
        if may_wait and known > view.follower.seen_id:
            # Compared now, it would be told the older id that this node knows: ids never go back for a client.
            return Defer(request, CatchUp(view, known, NOT_MODIFIED, self._options.legacy_hold_s))
        return self._held(view, request, (watched,), (known,), self._options.legacy_hold_s, may_wait=may_wait)

    def _held(
        self,
        view: EnvironmentView,
        request: Request,
        watched: tuple[Watched, ...],
        known: tuple[int, ...],
        hold_s: float,
        *,
        may_wait: bool,
    ) -> Answer | Park | Defer:
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
            return Defer(request, CatchUp(view, beyond, NOT_MODIFIED, hold_s))
        return Park(view, watched, known, hold_s, request.peer, request.path, request.target, request.header)


def _missing(name: str) -> Answer:
    return handler_error(500, "missing_parameter", f"Required parameter '{name}' is not present.", "MissingParameter")
