"""The request itself: bodies too large, of the wrong type, paths and headers that no honest client sends."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.api.client import ENVIRONMENT, PREFIX, Api, Place, fresh, raw_request
from tests.support.server import BOOTSTRAP_TOKEN

BODY_LIMIT = 6 * 1_048_576 + 65_536
AUTHORISED = f"Authorization: Bearer {BOOTSTRAP_TOKEN}\r\n"


def raw(api: Api, target: str, *, method: str = "GET", headers: str = AUTHORISED, body: bytes = b"") -> tuple[int, str]:
    """Status and code of a request whose target and headers are sent as they are."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: node\r\n{headers}{length}Connection: close\r\n\r\n"
    status, answer = raw_request(api.node, head.encode("latin-1") + body)
    _, _, content = answer.partition("\r\n\r\n")
    return status, str(json.loads(content).get("code", "")) if content.startswith("{") else content


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_body__over_the_limit__is_refused_with_the_limit(api: Api, place: Place, chunked: bool) -> None:
    """Declared, it is refused before a byte of it is read; chunked, as soon as it is too long."""
    before = place.state()

    def pieces() -> Iterator[bytes]:
        for _ in range(BODY_LIMIT // 65_536 + 1):
            yield b"x" * 65_536

    content = pieces() if chunked else b"x" * (BODY_LIMIT + 1)
    answer = place.write_text(content)  # type: ignore[arg-type]  # httpx sends an iterator in chunks
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (413, "body_too_large", BODY_LIMIT)
    assert place.state() == before


def test_body__declared_far_over_the_limit__is_answered_without_waiting_for_it(api: Api) -> None:
    """Whoever declares a gigabyte must not be waited for."""
    headers = AUTHORISED + f"Content-Type: application/json\r\nContent-Length: {10**9}\r\n"
    assert raw(api, f"{PREFIX}/apps", method="POST", headers=headers) == (413, "body_too_large")


def test_body__of_a_request_without_the_right__is_not_read(api: Api) -> None:
    """Nobody makes the server work for a body before it knows who sends it."""
    headers = f"Content-Type: application/json\r\nContent-Length: {10**9}\r\n"
    assert raw(api, f"{PREFIX}/apps", method="POST", headers=headers) == (401, "token_missing")


@pytest.mark.parametrize(
    "given",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonp",
        "*/*",
    ],
)
def test_content_type__wrong_for_json__is_refused_with_the_right_one(api: Api, given: str) -> None:
    """A form cannot be sent from another site's page."""
    app = fresh("app")
    content = json.dumps({"app_id": app})
    answer = api.call("POST", "/apps", content=content, headers={"Content-Type": given})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.json()["expected"] == "application/json"
    assert api.call("GET", f"/apps/{app}").status_code == 404


@pytest.mark.parametrize(
    "given", ["application/json", "text/html", "text/plain; charset=iso-8859-1", "text/plain; charset=utf-16"]
)
def test_content_type__wrong_for_text__is_refused_with_the_right_one(place: Place, given: str) -> None:
    """Another character set would be read as UTF-8 and stored wrong."""
    before = place.state()
    answer = place.write_text("a=1\n", headers={"Content-Type": given})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.json()["expected"] == "text/plain"
    assert place.state() == before


@pytest.mark.parametrize(
    "given", ["text/plain", "Text/Plain; Charset=UTF-8", 'text/plain;charset="utf-8"; format=fixed']
)
def test_content_type__of_text_in_utf_8__is_understood(place: Place, given: str) -> None:
    """However it is spelled."""
    assert place.write_text("键=值\n", headers={"Content-Type": given}).status_code == 200
    assert place.text == "键=值\n"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/apps", "GET, HEAD, POST"),
        ("DELETE", "/apps/{app}", "GET, HEAD"),
        ("PATCH", "/environments", "GET, HEAD, POST"),
        ("OPTIONS", "/apps", "GET, HEAD, POST"),
        ("GET", "/sign-in", "POST"),
        ("HEAD", "/sign-in", "POST"),
        ("TRACE", "/audit", "GET, HEAD"),
        ("POST", "/tokens/x", "DELETE"),
    ],
)
def test_method__wrong__is_refused_with_those_that_fit(
    api: Api, place: Place, method: str, path: str, allow: str
) -> None:
    """With and without a token: the methods of a path are no secret, its contents are."""
    answer = api.call(method, path.format(app=place.app))
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    if method != "HEAD":
        assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/apps/", "/apps/x/", "//apps", "/./apps", "/../v1/apps", "/apps/..", "/%2e%2e/v1/apps", "/Apps",
     "/apps%2f", "/apps;x=1", "/apps/%2e%2e/%2e%2e/etc/passwd", "/environments/DEV/apps/x/clusters/"],
)  # fmt: skip
def test_path__that_is_no_endpoint__is_not_found_and_never_led_elsewhere(api: Api, path: str) -> None:
    """One spelling of each path: another one is neither a way round a check nor answered with a redirect."""
    for headers in (AUTHORISED, "", AUTHORISED + "Host: evil.example\r\n"):
        status, code = raw(api, PREFIX + path, headers=headers)
        assert (status, code) in (
            (404, "no_such_endpoint"),
            (404, "app_not_found"),
            (400, "invalid_app_id"),
            (401, "token_missing"),
        )
        if headers:
            assert status != 401


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/../v1/audit",
        "//api/v1/audit",
        "/api//v1/audit",
        "/api/v1/audit/",
        "/api/v1/audit;/health",
        "/API/v1/audit",
        "/health/../api/v1/audit",
        "/configs/../api/v1/audit",
        "/api/v1/audit%00",
        "/api/v1/%61udit%2f",
    ],
)
def test_path__trick__opens_nothing_without_a_token(api: Api, target: str) -> None:
    """Whatever the server makes of it, it is no list of who did what."""
    status, content = raw(api, target, headers="")
    assert status in (400, 401, 404)
    assert "items" not in content


def test_path__encoded_letters__are_the_same_path(api: Api) -> None:
    """Decoded once: `%61` is `a`, and `%2561` is not."""
    assert raw(api, "/api/v1/%61pps")[0] == 200
    assert raw(api, "/api/v1/%2561pps") == (404, "no_such_endpoint")
    assert raw(api, "/api/v1/%61pps", headers="") == (401, "token_missing")


def test_path__encoded_names__are_decoded_once(api: Api, place: Place) -> None:
    """A key that looks encoded is a key of its own."""
    made = raw(api, PREFIX + place.item("%2e%2e"), method="PUT", body=b'{"value": "v"}',
               headers=AUTHORISED + f"If-Match: {place.revision}\r\nContent-Type: application/json\r\n")  # fmt: skip
    assert made[0] == 201
    assert "%2e%2e" in place.text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("deploy-42_a.b", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ('"><script>', False),
        ("a\tb", False),
        ("ä", False),
        ("%0d%0aSet-Cookie:a=b", False),
    ],
)
def test_request_id__harmless_one_is_kept_and_any_other_replaced(api: Api, given: str, kept: bool) -> None:
    """It stands in logs and in the audit, where nobody may write what he likes."""
    answer = api.call("GET", "/apps/absent", headers={"X-Request-Id": given.encode("latin-1")})  # type: ignore[dict-item]  # httpx takes bytes
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    if not kept:
        assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize("host", ["[", "a b", "evil.example:99999", "", "[::1", "\u00e4"])
def test_host__hostile__changes_nothing(api: Api, host: str) -> None:
    """The name that a client calls the server by is used for nothing here."""
    request = f"GET {PREFIX}/apps HTTP/1.1\r\nHost: {host}\r\n{AUTHORISED}Connection: close\r\n\r\n"
    status, _ = raw_request(api.node, request.encode("latin-1"))
    assert status in (200, 400)
    missing = request.replace("/apps", "/nothing")
    status, answer = raw_request(api.node, missing.encode("latin-1"))
    assert status in (404, 400)
    assert "location:" not in answer.lower()


def test_authorization__hostile_bytes__are_an_unknown_token(api: Api) -> None:
    """Neither an error nor a way in."""
    for secret in ("\x80\xff", "a" * 8000, "hlc_' OR 1=1 --", "ß"):
        assert raw(api, f"{PREFIX}/apps", headers=f"Authorization: Bearer {secret}\r\n") == (401, "token_invalid")
    for nothing in ("Bearer ", "Bearer\t", " ", "Bearer \x0b"):
        assert raw(api, f"{PREFIX}/apps", headers=f"Authorization: {nothing}\r\n")[0] in (400, 401)


def test_node__after_all_that__still_works(api: Api, place: Place) -> None:
    """And its log holds no trace of a crash."""
    assert place.publish().status_code == 201
    assert api.call("GET", f"/environments/{ENVIRONMENT}/audit").status_code == 200
    assert not api.node.logs("request.failed")
    assert "Traceback" not in api.node.stderr
