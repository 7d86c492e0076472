"""The one family tree of domain errors.

Every class has a stable ``code`` that clients may rely on; an instance may narrow it (``invalid_name`` →
``app_id_reserved``). The HTTP face maps classes to statuses in one table; nothing here knows HTTP. Messages are
written for the person who sent the request and never contain values of items, secrets or tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class HeliconError(Exception):
    """Root of everything that Helicon refuses or fails at on purpose."""

    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details: Mapping[str, object] = details or {}


class InvalidInput(HeliconError):
    """The request can never succeed as it stands."""

    default_code = "invalid_input"


class InvalidName(InvalidInput):
    """A name breaks the naming rules (Apollo client protocol, sections 2 and 13)."""

    default_code = "invalid_name"


class InvalidDocument(InvalidInput):
    """A text does not parse in its format; ``details["problems"]`` has code, message, line and column of each."""

    default_code = "invalid_document"


class LimitExceeded(InvalidInput):
    """A value, body or list is larger than the limit that ``details["limit"]`` names."""

    default_code = "limit_exceeded"


class Unauthenticated(HeliconError):
    """Nobody, or nobody known, is asking."""

    default_code = "unauthenticated"


class Forbidden(HeliconError):
    """The actor is known but lacks the right."""

    default_code = "forbidden"


class NotFound(HeliconError):
    """What the request names does not exist."""

    default_code = "not_found"


class Conflict(HeliconError):
    """The request contradicts the present state."""

    default_code = "conflict"


class StaleRevision(Conflict):
    """A write named a draft revision that is no longer current; ``details`` carries both sides."""

    default_code = "stale_revision"


class PreconditionRequired(HeliconError):
    """A write did not say which revision it saw."""

    default_code = "revision_required"


class TooManyRequests(HeliconError):
    """A bound on attempts or concurrency is reached; ``details["retry_after_s"]`` says when to come back."""

    default_code = "too_many_requests"


class Unavailable(HeliconError):
    """A neighbour (the database) does not answer; the request changed nothing and may be repeated."""

    default_code = "database_unavailable"
