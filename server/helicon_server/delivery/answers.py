"""Shapes answers: content types, prepared bodies and the error bodies of the client protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import cycle
from typing import Final

import orjson

from helicon.protocol.changes import INCREMENTAL_SYNC
from helicon.protocol.names import format_of
from helicon_server.delivery.outcomes import Answer, Header
from helicon_server.delivery.requests import NAME_LIMIT, PATH_LIMIT, TARGET_LIMIT, Surface

JSON_TYPE: Final = b"application/json;charset=UTF-8"
TEXT_TYPE: Final = b"text/plain;charset=UTF-8"

# By the suffix of the requested name (Apollo client protocol, section 6).
_RAW_TYPES: Final = {
    "json": JSON_TYPE,
    "yaml": b"application/yaml;charset=UTF-8",
    "yml": b"application/yaml;charset=UTF-8",
    "xml": b"application/xml;charset=UTF-8",
}
# People's documents are served as they are: a browser must neither guess another type nor run what is inside.
_INERT: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
)
RETRY_SPREAD_S: Final = 5
"""How many different numbers of seconds refused clients are told."""

_VARY: Final[tuple[Header, ...]] = ((b"vary", b"accept-encoding"),)
PACKED_FROM: Final = 1024
"""Bytes of a body that is compressed where the client offers it; a smaller one fits into one packet anyway."""

_LATER: Final = cycle(range(RETRY_SPREAD_S))

_PATH_SHOWN_LIMIT: Final = 2_000

NOT_MODIFIED: Final = Answer(304, (), b"")


def ok(content_type: bytes, body: bytes, extra: tuple[Header, ...] = ()) -> Answer:
    """A 200 answer with these bytes."""
    return Answer(200, _headers(content_type, body, extra), body)


def json_answer(status: int, value: object, extra: tuple[Header, ...] = (), code: str = "") -> Answer:
    """An answer with a JSON body; ``code`` is that of a refusal."""
    body = orjson.dumps(value)
    return Answer(status, _headers(JSON_TYPE, body, extra), body, code)


def config_answer(app: str, cluster: str, namespace: str, configurations: bytes, release_key: str) -> Answer:
    """The full answer of ``/configs`` (section 4.5); ``configurations`` is encoded JSON already."""
    head = orjson.dumps({"appId": app, "cluster": cluster, "namespaceName": namespace})
    body = b"".join(
        (head[:-1], b',"configurations":', configurations, b',"releaseKey":', orjson.dumps(release_key), b"}")
    )
    return ok(JSON_TYPE, body, _vary(body))


def changes_answer(
    app: str, cluster: str, namespace: str, changes: Sequence[Mapping[str, str]], release_key: str
) -> Answer:
    """The incremental answer of ``/configs`` (section 5)."""
    body = orjson.dumps(
        {
            "appId": app,
            "cluster": cluster,
            "namespaceName": namespace,
            "releaseKey": release_key,
            "configSyncType": INCREMENTAL_SYNC,
            "configurationChanges": changes,
        }
    )
    return ok(JSON_TYPE, body, _vary(body))


def file_answer(surface: Surface, namespace: str, body: bytes) -> Answer:
    """An answer of one of the ``/configfiles`` forms; ``namespace`` is spelled as requested."""
    extra = _INERT + _vary(body)
    if surface is Surface.FILE_JSON:
        return ok(JSON_TYPE, body, extra)
    if surface is Surface.FILE_RAW:
        return ok(_RAW_TYPES.get(format_of(namespace), TEXT_TYPE), body, extra)
    return ok(TEXT_TYPE, body, extra)


def handler_error(status: int, code: str, message: str, exception: str) -> Answer:
    """The error body of Apollo's handlers (section 1.3), with our stable code added."""
    return json_answer(
        status,
        {"status": status, "message": message, "timestamp": _now(), "exception": exception, "code": code},
        code=code,
    )


def container_error(status: int, code: str, message: str, path: bytes, *, retry_after_s: int | None = None) -> Answer:
    """The error body of Apollo's container (section 1.3), with our stable code and a message added.

    ``retry_after_s`` is the least that is said: answers in a row say up to four seconds more, one after the other, so
    that ten thousand clients that were refused in one moment do not come back in one.
    """
    extra: tuple[Header, ...] = ()
    if retry_after_s is not None:
        extra = ((b"retry-after", str(retry_after_s + next(_LATER)).encode()),)
    body: Mapping[str, object] = {
        "timestamp": _now(),
        "status": status,
        "error": HTTPStatus(status).phrase,
        "path": path[:_PATH_SHOWN_LIMIT].decode("ascii", "replace"),
        "code": code,
        "message": message,
    }
    return json_answer(status, body, extra, code)


def target_too_long(path: bytes) -> Answer:
    """The refusal of a target that no part of this server takes."""
    message = f"A target has {TARGET_LIMIT} bytes at most, its path {PATH_LIMIT}; watch fewer namespaces with one poll."
    return container_error(400, "target_too_long", message, path)


def name_too_long(path: bytes) -> Answer:
    """The refusal of a name that none can be as long as."""
    return container_error(400, "name_too_long", f"A name is longer than {NAME_LIMIT} characters.", path)


def _vary(body: bytes) -> tuple[Header, ...]:
    return _VARY if len(body) >= PACKED_FROM else ()


def _headers(content_type: bytes, body: bytes, extra: tuple[Header, ...]) -> tuple[Header, ...]:
    return ((b"content-type", content_type), (b"content-length", str(len(body)).encode()), *extra)


def _now() -> str:
    # The protocol's errors carry a time without zone; ours is UTC.
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
