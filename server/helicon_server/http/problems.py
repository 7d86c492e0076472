"""From domain errors to HTTP: the one table of statuses, and RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from starlette.responses import Response

from helicon_server.domain import errors

STATUS: dict[type[errors.HeliconError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of a class and of all classes below it; the nearest ancestor counts."""

RETRY_AFTER_UNAVAILABLE_S = 5


class RequestProblem(errors.HeliconError):
    """A fault of the HTTP request itself, with a status of its own."""

    def __init__(self, status: HTTPStatus, code: str, message: str, **details: object) -> None:
        super().__init__(message, code=code, details=details)
        self.status = status


def status_of(error: errors.HeliconError) -> HTTPStatus:
    """The status that an error is answered with."""
    if isinstance(error, RequestProblem):
        return error.status
    for class_ in type(error).__mro__:
        if class_ in STATUS:
            return STATUS[class_]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(error: errors.HeliconError, request_id: str) -> Response:
    """The problem document of an error: type, title, status, detail, code, request_id, and the error's details."""
    status = status_of(error)
    details = error.details
    headers = {"Cache-Control": "no-store", "X-Request-Id": request_id}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="helicon"'
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_UNAVAILABLE_S)
    if "retry_after_s" in details:
        headers["Retry-After"] = str(details["retry_after_s"])
    if "allow" in details:
        headers["Allow"] = str(details["allow"])
    standard = {
        "type": f"urn:helicon:problem:{error.code}",
        "title": status.phrase,
        "status": status.value,
        "detail": error.message,
        "code": error.code,
        "request_id": request_id,
    }
    # The reason first: details can be long, both sides of a conflict for example.
    document = {**standard, **{key: value for key, value in details.items() if key not in standard}}
    return Response(orjson.dumps(document), status.value, headers, media_type="application/problem+json")
