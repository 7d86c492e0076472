"""What a 404 means: the bodies that servers really send, and the guess at what an address was meant to be."""

from __future__ import annotations

import json

import pytest

from helicon._impl.address import parse_address
from helicon._impl.errors import AddressError, NotReleasedError, RequestError, UnavailableError
from helicon._impl.not_found import explain

SPRING = {"timestamp": "2025-01-01T08:00:00.123", "status": 404, "error": "Not Found", "path": "/configs/a/b/c"}
HANDLER = {"status": 404, "message": "no", "timestamp": "2025-01-01T08:00:00.123", "exception": "x.NotFoundException"}
PROBLEM = {"type": "urn:helicon:problem:no_such_endpoint", "status": 404, "code": "no_such_endpoint", "detail": "-"}


def explained(body: object, path: str = "") -> RequestError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return explain(raw, parse_address(f"http://config:8080{path}"), named_by="HELICON_META")


@pytest.mark.parametrize("body", [SPRING, HANDLER, {**SPRING, "code": "not_released"}])
def test_explain__apollo_or_the_code__is_not_released(body: object) -> None:
    error = explained(body)
    assert (type(error), error.code) == (NotReleasedError, "not_released")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"404 page not found",
        b"<html>404</html>",
        b"[" * 100_000,
        [],
        {},
        {"status": 404},
        {"status": "404", "path": "/configs"},
        {"kind": "Status", "status": "Failure", "code": 404},
        {**SPRING, "code": "NoSuchKey"},
        {**SPRING, "code": ["not_released"]},
    ],
)
def test_explain__anything_else__is_no_word_about_the_namespace(body: object) -> None:
    error = explained(body)
    assert (type(error), error.code) == (UnavailableError, "bad_answer")
    assert "http://config:8080" in error.message


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/env/PRO", "/envs/PRO"),
        ("/ENVS/pro", "/envs/pro"),
        ("/environments/PRO", "/envs/PRO"),
        ("/PRO", "/envs/PRO"),
        ("/base/env/PRO", "/base/envs/PRO"),
        ("/envs/PRO/configs", "/envs/PRO"),
        ("/api", "http://config:8080"),
        ("/api/v1", "http://config:8080"),
        ("/env", "http://config:8080"),
    ],
)
def test_explain__wrong_address__guesses_what_was_meant(path: str, meant: str) -> None:
    error = explained(PROBLEM, path)
    assert (type(error), error.code) == (AddressError, "wrong_address")
    assert error.message.endswith(f"{path}: HELICON_META is not the root of a server (did you mean {meant}?)")


def test_explain__wrong_address_without_a_path__guesses_nothing() -> None:
    assert explained({"code": "unknown_path"}).message.endswith("is not the root of a server")


@pytest.mark.parametrize(
    ("path", "named"), [("/envs/PROD", "environment PROD"), ("/a/envs/x-1", "environment x-1"), ("", "default")]
)
def test_explain__unknown_environment__names_it(path: str, named: str) -> None:
    error = explained({"status": 404, "code": "unknown_environment"}, path)
    assert (type(error), error.code) == (AddressError, "unknown_environment")
    assert f"no {named}" in error.message


def test_explain__node_that_serves_no_clients__is_worth_asking_another() -> None:
    error = explained({**SPRING, "code": "not_served_here"})
    assert (type(error), error.code) == (UnavailableError, "not_served_here")
