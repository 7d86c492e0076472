"""What a 401 means: the bodies that servers really send, and what a person should do."""

from __future__ import annotations

import json

import pytest

from helicon._impl.address import parse_address
from helicon._impl.denied import explain
from helicon._impl.errors import DeniedError
from helicon._impl.http1 import Answer

SPRING = {"timestamp": "2025-01-01T08:00:00.123", "status": 401, "error": "Unauthorized", "path": "/configs/a/b/c"}
OURS = {**SPRING, "message": "…"}


def explained(body: object, *, status: int = 401, signed: bool = True) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = explain(Answer(status, {}, raw, True), parse_address("http://config:8080"), signed=signed)
    assert (type(error), error.code) == (DeniedError, "denied")
    assert error.message.startswith(f"http://config:8080 answers {status}: ")
    return error.message


@pytest.mark.parametrize("body", [SPRING, {**OURS, "code": "request_time_skewed"}, b"", b"[" * 100_000])
def test_explain__client_without_a_secret__says_which_variable_to_set(body: object) -> None:
    """Whatever the server found first: a request without signature has no timestamp either."""
    assert "this client has none; set HELICON_ACCESS_KEY_SECRET" in explained(body, signed=False)


@pytest.mark.parametrize(
    "body", [{**OURS, "code": "request_time_skewed"}, {**SPRING, "message": "RequestTimeTooSkewed"}]
)
def test_explain__skewed__says_that_it_is_the_clock(body: object) -> None:
    message = explained(body)
    assert "clock" in message
    assert "SECRET" not in message


def test_explain__wrong_signature__says_what_to_compare() -> None:
    """Also the other cause, which nobody would think of."""
    message = explained({**OURS, "code": "invalid_signature"})
    assert "HELICON_ACCESS_KEY_SECRET" in message
    assert "proxy" in message


@pytest.mark.parametrize("body", [SPRING, {**SPRING, "message": "Unauthorized"}, b"", b"no", [], {"code": ["x"]}])
def test_explain__without_a_word_on_why__stays_general(body: object) -> None:
    assert explained(body).endswith("the access key is missing, wrong or revoked")


def test_explain__403__is_no_word_about_a_missing_secret() -> None:
    """Servers answer 401; a 403 is of something between."""
    assert explained(SPRING, status=403, signed=False).endswith("the access key is missing, wrong or revoked")
