"""Classifies answers once: worth another try, or the servers' final word."""

from __future__ import annotations

from helicon._impl.backoff import RETRY_AFTER_CAP_SECONDS
from helicon._impl.errors import RefusedError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.address import Address
    from helicon._impl.errors import RequestError
    from helicon._impl.http1 import Answer


def classify(answer: Answer, server: Address, *, named_by: str, signed: bool) -> RequestError:
    """Classifies an answer that brings nothing and names the server that gave it.

    `named_by` says in words where its address came from, for somebody who has to correct it; `signed` whether the
    client has a secret to sign with.
    """
    error = _classified(answer, server, named_by, signed=signed)
    error.server = server
    return error


def _classified(answer: Answer, server: Address, named_by: str, *, signed: bool) -> RequestError:
    """Turns an answer that brings nothing into the error that says whether to try again.

    A 4xx counts as the servers' word only when its body could be theirs: a login page, or a proxy that
    cannot find its way, must neither end a start from the backup nor look like a revoked key.
    """
    status, url = answer.status, server.url
    if status == 429 or (status == 503 and "retry-after" in answer.headers):
        return UnavailableError(
            "overloaded", f"{url} asks for patience with {status}", retry_after=_retry_after(answer)
        )
    if 300 <= status < 400:
        return UnavailableError("redirect", f"{url} answers {status}; redirects are not followed")
    if status >= 500:
        return UnavailableError("server_error", f"{url} answers {status}")
    if status in (401, 403) and not _is_page(answer):
        from helicon._impl import denied  # imported late, as below: no start that goes well needs it

        return denied.explain(answer, server, signed=signed)
    if status == 404:
        from helicon._impl import not_found

        return not_found.explain(answer.body, server, named_by=named_by)
    if status in (400, 405, 414, 431) and not _is_page(answer):
        return RefusedError("refused", f"{url} refuses the request with {status}")
    return bad_answer(server, f"{status} did not come from a configuration server")


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "")
    seconds = float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    return None if seconds is None else min(seconds, RETRY_AFTER_CAP_SECONDS)


def _is_page(answer: Answer) -> bool:
    return "html" in answer.headers.get("content-type", "").lower() or answer.body[:256].lstrip()[:1] == b"<"


def bad_answer(server: Address, message: str) -> UnavailableError:
    """Builds the error for an answer that cannot be used."""
    return UnavailableError("bad_answer", f"{server.url}: {message}")
