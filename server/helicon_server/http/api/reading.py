"""Reads what a request carries: bounded, of the right type, with every fault named."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from helicon_server.domain.errors import InvalidInput
from helicon_server.domain.wording import for_people
from helicon_server.http.problems import RequestProblem

from .endpoint import TEXT, Query

TEXT_PLAIN = "text/plain"
_SHOWN_FAULTS = 20
_HOW = {
    "application/json": "Send the body as JSON in UTF-8; with curl: -H 'Content-Type: application/json'.",
    # curl's -d would strip the line ends of a file.
    TEXT_PLAIN: "Send the text as it is, in UTF-8; with curl: -H 'Content-Type: text/plain' --data-binary @FILE.",
}
_SIDES = "must be a release id, live or draft"  # the one pattern that inputs have


async def read_input(request: Request, wanted: type[BaseModel] | str | None, limit: int) -> BaseModel | str | None:
    """The query of a query model, the text of ``TEXT``, else the JSON body of a model.

    Raises RequestProblem 413 or 415, and InvalidInput ``broken_json``, ``invalid_request`` or ``invalid_encoding``.
    """
    if isinstance(wanted, type) and issubclass(wanted, Query):
        return _query(request, wanted)
    _query(request, Query)  # takes no parameter: a mistyped one must not pass unnoticed
    if wanted is None:
        return None
    if isinstance(wanted, str):
        assert wanted == TEXT
        _require_media_type(request, TEXT_PLAIN)
        return _decode(await _read(request, limit))
    try:
        _require_media_type(request, "application/json")
        return wanted.model_validate_json(await _read(request, limit))
    except ValidationError as error:
        raise _explain(error) from None


def _query(request: Request, wanted: type[Query]) -> Query:
    given = request.query_params.multi_items()
    named = dict(given)
    if len(named) < len(given):
        raise InvalidInput("A query parameter stands twice.", code="invalid_request")
    try:
        return wanted.model_validate(named)
    except ValidationError as error:
        raise _explain(error) from None


def _require_media_type(request: Request, wanted: str) -> None:
    media_type, _, parameters = request.headers.get("content-type", wanted).lower().partition(";")
    _, has_charset, charset = parameters.partition("charset=")
    utf_8 = not has_charset or charset.partition(";")[0].strip(' "') in ("utf-8", "utf8", "us-ascii")
    if media_type.strip() != wanted or not utf_8:
        raise RequestProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            _HOW[wanted],
            expected=wanted,
        )


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> RequestProblem:
    return RequestProblem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"The body may have {limit} bytes.", limit=limit
    )


def _decode(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The text is not UTF-8: byte {error.start} does not fit.",
            code="invalid_encoding",
            details={"byte": error.start},
        ) from None


def _explain(error: ValidationError) -> InvalidInput:
    """Names every fault by field and code. Values never appear: not the input, not pydantic's context."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        return InvalidInput(faults[0]["msg"], code="broken_json")
    # A name that is not known explains a name that is missing, so it comes first.
    faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
    named = [
        {
            "field": ".".join(str(part) for part in fault["loc"]),
            "code": fault["type"],
            "message": _SIDES if fault["type"] == "string_pattern_mismatch" else for_people(fault["msg"]),
        }
        for fault in faults[:_SHOWN_FAULTS]
    ]
    said = "; ".join(f"{fault['field']} {fault['message']}" for fault in named[:3])
    return InvalidInput(f"{said}.", code="invalid_request", details={"errors": named})
