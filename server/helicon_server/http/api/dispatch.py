"""The ASGI application of ``/api/v1``: matches, authenticates, parses, calls the handler, shapes the answer."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from helicon_server.auth import tokens
from helicon_server.auth.policy import authorize
from helicon_server.auth.sealing import Sealer
from helicon_server.auth.throttle import Throttle
from helicon_server.domain.actors import Actor, Origin
from helicon_server.domain.errors import HeliconError, InvalidInput, NotFound, PreconditionRequired, Unauthenticated
from helicon_server.http.problems import RequestProblem, problem
from helicon_server.services.context import Caller, Limits
from helicon_server.storage.contract import Storage

from .endpoint import Call, Endpoint, Reply
from .reading import read_input

PREFIX = "/api/v1"
_log = structlog.get_logger("helicon.api")
_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
_REVISION = re.compile(r'"([1-9][0-9]{0,9})"|([1-9][0-9]{0,9})')
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,128}")
_NOBODY = Actor("anonymous")


@dataclass(frozen=True, slots=True)
class Management:
    """What the management plane works with."""

    storage: Storage
    limits: Limits
    body_limit: int  # bytes of one request
    throttle: Throttle
    sealer: Sealer


def routes(endpoints: Iterable[Endpoint], management: Management) -> list[Route]:
    """One Starlette route for each path; the methods of a path share it, so that a wrong one is answered 405."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [Route(PREFIX + path, _Path(methods, management)) for path, methods in by_path.items()]


def unknown_path(request: Request) -> Response:
    """The answer to a path that is no endpoint."""
    nothing = RequestProblem(HTTPStatus.NOT_FOUND, "no_such_endpoint", "There is no such endpoint; see /api/docs.")
    return problem(nothing, _request_id(request))


class _Path:
    """Serves all methods of one path. Not a function, so that Starlette hands over every method as plain ASGI."""

    def __init__(self, methods: Mapping[str, Endpoint], management: Management) -> None:
        self._methods = dict(methods)
        self._management = management
        if "GET" in methods:
            self._methods.setdefault("HEAD", methods["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        request_id = _request_id(request)
        started = time.monotonic()
        actor = _NOBODY
        try:
            endpoint = self._endpoint(request.method)
            caller = await self._caller(request, endpoint, request_id)
            actor = caller.actor
            response = _response(endpoint, await self._call(request, endpoint, caller), request_id)
        except HeliconError as error:
            response = problem(error, request_id)
        except ClientDisconnect:
            return
        except Exception:  # noqa: BLE001  # the last line of defence: answered as 500, traced in the log
            _log.exception("request.failed", request_id=request_id, method=request.method, path=request.url.path)
            fault = HeliconError(
                "The server failed; its log has the details under this request id.", code="internal_error"
            )
            response = problem(fault, request_id)
        _log.info(
            "request",
            request_id=request_id,
            method=request.method,
            path=request.url.path,
            status=response.status_code,
            actor=actor.name,
            ms=round((time.monotonic() - started) * 1000, 1),
        )
        await response(scope, receive, send)

    def _endpoint(self, method: str) -> Endpoint:
        endpoint = self._methods.get(method)
        if endpoint is None:
            allow = ", ".join(sorted(self._methods))
            raise RequestProblem(
                HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", f"This path takes {allow}.", allow=allow
            )
        return endpoint

    async def _caller(self, request: Request, endpoint: Endpoint, request_id: str) -> Caller:
        """Authenticates before anything of the request is read, and refuses early who lacks the endpoint's right."""
        now = datetime.now(UTC)
        origin = Origin(request_id, request.client.host if request.client else "")
        if endpoint.right is None:
            return Caller(_NOBODY, origin, self._management.limits, now)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("Send a management token: `Authorization: Bearer <token>`.", code="token_missing")
        async with self._management.storage.control.peek() as tx:
            token = await tx.tokens.find(tokens.sha256_of(secret.strip()))
        actor = tokens.actor_of(token, now=now)
        authorize(actor, endpoint.right)
        return Caller(actor, origin, self._management.limits, now)

    async def _call(self, request: Request, endpoint: Endpoint, caller: Caller) -> Reply:
        management = self._management
        call = Call(
            caller=caller,
            input=await read_input(request, endpoint.input, management.body_limit),
            path=_path(request),
            revision=_revision(request, endpoint.revised) if endpoint.needs_revision else 0,
            idempotency_key=_idempotency_key(request) if endpoint.idempotent else None,
            storage=management.storage,
            throttle=management.throttle,
            sealer=management.sealer,
        )
        try:
            return await endpoint.handler(call)
        except NotFound as error:
            # Apps live in another database than namespaces, so the app is looked up only when something is missing.
            if error.code in ("namespace_not_found", "cluster_not_found") and "app" in call.path:
                await call.require_app()
            raise


def _response(endpoint: Endpoint, reply: Reply, request_id: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Request-Id": request_id, "X-Content-Type-Options": "nosniff"}
    if reply.revision is not None:
        headers["ETag"] = f'"{reply.revision}"'
    if reply.location is not None:
        headers["Location"] = PREFIX + reply.location
    status = (reply.status or endpoint.status).value
    if reply.body is None:
        return Response(None, status, headers)
    if isinstance(reply.body, str):
        return Response(reply.body, status, headers, media_type="text/plain; charset=utf-8")
    return Response(reply.body.model_dump_json(), status, headers, media_type="application/json")


def _request_id(request: Request) -> str:
    """The caller's X-Request-Id when it is harmless, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _path(request: Request) -> Mapping[str, str]:
    if any("\0" in part for part in request.path_params.values()):
        raise InvalidInput("The path holds a NUL, which no name and no key may.", code="invalid_path")
    return request.path_params


def _revision(request: Request, of_what: str) -> int:
    given = request.headers.get("if-match")
    if given is None:
        raise PreconditionRequired(
            f'Send the revision of the {of_what} that you saw: `If-Match: "<revision>"`; every read answers it as ETag.'
        )
    match = _REVISION.fullmatch(given.strip())
    if match is None:
        raise InvalidInput("If-Match must hold one revision number.", code="invalid_revision")
    return int(match[1] or match[2])


def _idempotency_key(request: Request) -> str | None:
    given = request.headers.get("idempotency-key")
    if given is not None and not _IDEMPOTENCY_KEY.fullmatch(given):
        raise InvalidInput("Idempotency-Key must be 1 to 128 visible ASCII characters.", code="invalid_idempotency_key")
    return given
