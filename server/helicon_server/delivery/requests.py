"""The one parser of request targets of the client protocol (Apollo client protocol, section 1.2).

The path is read strictly and decoded once: what two readers could understand differently is refused, so that no
spelling of a path can slip past a check that sits on the parsed app id. The query is read leniently, because clients
in the wild send stray ``&`` and empty parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote_plus, unquote_to_bytes

# Bytes of path and query. Apollo takes 10,240 for the whole head; this is a poll of a thousand names of eighty
# characters, each with some eighty bytes of escaped JSON around it.
TARGET_LIMIT = 160 * 1024
PATH_LIMIT = 60 * 1024  # bytes of the path alone; servers' own parsers of paths end at 65,535
NAME_LIMIT = 139  # characters of one name in a request: of the longest stored one, with ".properties" behind it

HeaderOf = Callable[[bytes], bytes | None]
"""Finds the first header of a lower-case name."""

_ENVIRONMENT_PREFIX = "envs"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[/\\%;\x00-\x1f\x7f]")


class Surface(Enum):
    """Which operation of the client protocol a path names."""

    CONFIGS = auto()
    FILE_PROPERTIES = auto()
    FILE_JSON = auto()
    FILE_RAW = auto()
    NOTIFICATIONS = auto()
    NOTIFICATIONS_V2 = auto()
    SERVICES = auto()
    HEALTH = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came off the wire. ``peer`` is the address at the other end of the socket."""

    method: str
    target: bytes
    header: HeaderOf
    peer: str

    @property
    def path(self) -> bytes:
        """The raw path, not decoded."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """The raw query without its question mark; empty when there is none."""
        return self.target.partition(b"?")[2]


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed path. ``environment`` is the prefix in upper case, None for the default environment."""

    surface: Surface
    environment: str | None
    app: str = ""
    cluster: str = ""
    namespace: str = ""
    tail: tuple[str, ...] = ()  # the segments behind the first, for discovery and health


class BadTargetError(ValueError):
    """A path that is refused as it stands; ``code`` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse_path(raw: bytes) -> Route:
    """Reads a raw path. Raises BadTargetError for what the protocol's firewall refuses (section 1.2)."""
    segments = _segments(raw)
    environment: str | None = None
    if segments[0] == _ENVIRONMENT_PREFIX and len(segments) > 1:
        environment = segments[1].upper()
        segments = segments[2:] or [""]
    match segments:
        case ["configs", app, cluster, namespace] if app and cluster and namespace:
            return Route(Surface.CONFIGS, environment, app, cluster, namespace)
        case ["configfiles", app, cluster, namespace] if app and cluster and namespace:
            return Route(Surface.FILE_PROPERTIES, environment, app, cluster, namespace)
        case ["configfiles", "json", app, cluster, namespace] if app and cluster and namespace:
            return Route(Surface.FILE_JSON, environment, app, cluster, namespace)
        case ["configfiles", "raw", app, cluster, namespace] if app and cluster and namespace:
            return Route(Surface.FILE_RAW, environment, app, cluster, namespace)
        case ["notifications"]:
            return Route(Surface.NOTIFICATIONS, environment)
        case ["notifications", "v2"]:
            return Route(Surface.NOTIFICATIONS_V2, environment)
        case ["services", *tail]:
            return Route(Surface.SERVICES, environment, tail=tuple(tail))
        case ["health", *tail]:
            return Route(Surface.HEALTH, environment, tail=tuple(tail))
        case _:
            return Route(Surface.UNKNOWN, environment)


def parse_query(raw: bytes) -> dict[str, str]:
    """Decodes a form-encoded query; the first of several equal names counts, nothing is ever an error."""
    parameters: dict[str, str] = {}
    for pair in raw.decode("latin-1").split("&"):
        name, separator, value = pair.partition("=")
        if separator:
            parameters.setdefault(form_decoded(name), form_decoded(value))
    return parameters


def parse_query_lazily(raw: bytes) -> dict[str, str] | None:
    """The same with values left encoded, for ``form_decoded`` to decode those that matter; None for encoded names.

    Decoding is most of the cost of a hit, and most of what clients send is not needed for one.
    """
    parameters: dict[str, str] = {}
    for pair in raw.decode("latin-1").split("&"):
        name, separator, value = pair.partition("=")
        if separator and name not in parameters:
            if "%" in name or "+" in name:
                return None
            parameters[name] = value
    return parameters


def form_decoded(text: str) -> str:
    """Decodes one name or value of a query that was read as Latin-1."""
    if "%" in text or "+" in text:
        if text.isascii():
            return unquote_plus(text)
        return unquote_plus(text.encode("latin-1").decode("utf-8", "replace"))
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def _segments(raw: bytes) -> list[str]:
    if not raw.isascii():
        raise BadTargetError("invalid_path", "The path holds bytes beyond ASCII; percent-encode them.")
    text = raw.decode("ascii")
    if not text.startswith("/"):
        raise BadTargetError("invalid_path", "The path must begin with '/'.")
    if "//" in text:
        raise BadTargetError("invalid_path", "The path holds '//'.")
    segments = text[1:].split("/")
    if "%" in text:
        segments = [_decoded(segment) for segment in segments]
    for segment in segments:
        if segment in (".", "..") or _FORBIDDEN.search(segment):
            raise BadTargetError(
                "invalid_path",
                "The path holds a dot segment, a slash or backslash inside a segment, '%', ';' or a control character.",
            )
    return segments


def _decoded(segment: str) -> str:
    if _BROKEN_ESCAPE.search(segment):
        raise BadTargetError("invalid_path", "The path holds '%' without two hexadecimal digits behind it.")
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise BadTargetError("invalid_path", "The path is not UTF-8.") from None
