"""Access keys: made, switched, deleted; a secret is shown once and then nowhere."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.api.client import ENVIRONMENT, Api, fresh, pages

BROUGHT = "brought-from-Apollo,no-log-may-show!"
ABSENT = 999_999_999


@pytest.fixture
def keys(api: Api) -> str:
    """The path of the access keys of a new app."""
    return path_of(api.app())


def path_of(app: str, environment: str = ENVIRONMENT) -> str:
    return f"/environments/{environment}/apps/{app}/access-keys"


def audit(api: Api, app: str) -> list[tuple[str, dict[str, Any]]]:
    """Action and detail of the audit entries of an app's keys, oldest first."""
    entries = [e for e in pages(api, f"/environments/{ENVIRONMENT}/audit") if e["app"] == app]
    return [(e["action"], e["detail"]) for e in reversed(entries)]


def test_key__created__shows_its_secret_once(api: Api, keys: str) -> None:
    """32 hexadecimal digits, as Apollo's portal makes them; no later answer holds them."""
    answer = api.call("POST", keys, {"mode": "filter"})
    assert answer.status_code == 201
    made = answer.json()
    secret = made.pop("secret")
    assert re.fullmatch(r"[0-9a-f]{32}", secret)
    assert (made["mode"], made["enabled"], made["created_by"]) == ("filter", True, "token:bootstrap")
    assert answer.headers["cache-control"] == "no-store"

    listed = api.call("GET", keys)
    assert listed.json() == {"items": [made]}
    changed = api.call("PATCH", f"{keys}/{made['id']}", {"enabled": False})
    assert changed.json() == made | {"enabled": False}
    assert secret not in listed.text + changed.text


def test_keys__of_apps_and_environments__are_apart(api: Api) -> None:
    """The key of one place is no key of another, and cannot be changed by its id from there."""
    here, there = api.app(), api.app()
    made = api.ok("POST", path_of(here), {"mode": "observer"})
    for elsewhere in (path_of(there), path_of(here, "PRO")):
        assert api.ok("GET", elsewhere) == {"items": []}
        for method, body in (("PATCH", {"enabled": False}), ("DELETE", None)):
            answer = api.call(method, f"{elsewhere}/{made['id']}", body)
            assert (answer.status_code, answer.json()["code"]) == (404, "access_key_not_found")
    assert [key["id"] for key in api.ok("GET", path_of(here, "dev"))["items"]] == [made["id"]]


def test_key__brought_from_elsewhere__keeps_its_secret(api: Api, keys: str) -> None:
    """For a move from Apollo: the clients keep what they have."""
    made = api.ok("POST", keys, {"mode": "observer", "enabled": False, "secret": BROUGHT})
    assert (made["secret"], made["enabled"]) == (BROUGHT, False)


@pytest.mark.parametrize(
    "secret",
    ["", "x" * 15, "x" * 129, "with blank 16 char", "line-feed-at-the-end\n", "ümlaut-ümlaut-ümlaut", "nul\0" * 8],
)
def test_key__unfit_secret__is_refused_without_being_shown(api: Api, keys: str, secret: str) -> None:
    """Short ones can be guessed; others do not survive a settings file."""
    answer = api.call("POST", keys, {"mode": "filter", "secret": secret})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_secret")
    assert not secret or secret not in answer.text
    assert api.ok("GET", keys) == {"items": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mode": "block"},
        {"mode": "FILTER"},
        {"mode": None},
        {"mode": 1},
        {"mode": "filter", "enabled": "yes"},
        {"mode": "filter", "enabled": None},
        {"mode": "filter", "secret": 1},
        {"mode": "filter", "secrets": BROUGHT},
        [],
    ],
)
def test_key__unsound_request__is_refused_without_the_secret(api: Api, keys: str, body: object) -> None:
    """The mode must be said: a key that refuses is not made by accident."""
    if isinstance(body, dict):
        body = {"secret": BROUGHT} | body if "secret" not in body else body
    answer = api.call("POST", keys, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert BROUGHT not in answer.text
    assert api.ok("GET", keys) == {"items": []}


def test_key__changed__keeps_what_was_not_named(api: Api, keys: str) -> None:
    made = api.ok("POST", keys, {"mode": "observer"})
    one = f"{keys}/{made['id']}"
    for change, expected in (
        ({"enabled": False}, ("observer", False)),
        ({"mode": "filter"}, ("filter", False)),
        ({"enabled": True, "mode": "filter"}, ("filter", True)),
        ({"mode": "observer", "enabled": None}, ("observer", True)),
    ):
        answered = api.ok("PATCH", one, change)
        assert (answered["mode"], answered["enabled"]) == expected
        assert api.ok("GET", keys)["items"] == [answered]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "nothing_to_change"),
        ({"mode": None, "enabled": None}, "nothing_to_change"),
        ({"enabled": 1}, "invalid_request"),
        ({"mode": "off"}, "invalid_request"),
        ({"secret": BROUGHT}, "invalid_request"),
    ],
)
def test_change__unsound__is_refused(api: Api, keys: str, body: object, code: str) -> None:
    """A secret cannot be changed: a second key is made beside the first, and the clients move one by one."""
    made = api.ok("POST", keys, {"mode": "observer"})
    answer = api.call("PATCH", f"{keys}/{made['id']}", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert BROUGHT not in answer.text
    assert api.ok("GET", keys)["items"][0]["enabled"] is True


def test_delete__enabled_key__is_refused_until_it_is_disabled(api: Api, keys: str) -> None:
    """Apollo's rule: one slip must not lock out every client."""
    made = api.ok("POST", keys, {"mode": "filter"})
    one = f"{keys}/{made['id']}"
    answer = api.call("DELETE", one)
    assert (answer.status_code, answer.json()["code"]) == (409, "access_key_enabled")
    assert len(api.ok("GET", keys)["items"]) == 1
    api.ok("PATCH", one, {"enabled": False})
    assert api.call("DELETE", one).status_code == 204
    assert api.ok("GET", keys) == {"items": []}
    assert api.call("DELETE", one).json()["code"] == "access_key_not_found"


@pytest.mark.parametrize("key", ["0", "-1", "1.0", "x", "%20", "٣", "9" * 18, "9" * 40, str(ABSENT)])
def test_key__no_id__is_not_found(api: Api, keys: str, key: str) -> None:
    for method, body in (("PATCH", {"enabled": True}), ("DELETE", None)):
        answer = api.call(method, f"{keys}/{key}", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "access_key_not_found")


def test_keys__sixth_of_an_app__is_refused_with_the_limit(api: Api, keys: str) -> None:
    """Disabled ones count; a deleted one makes room."""
    made = [api.ok("POST", keys, {"mode": "observer", "enabled": False}) for _ in range(5)]
    answer = api.call("POST", keys, {"mode": "filter"})
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (409, "too_many_access_keys", 5)
    assert len(api.ok("GET", keys)["items"]) == 5
    api.ok("DELETE", f"{keys}/{made[0]['id']}")
    assert api.call("POST", keys, {"mode": "filter"}).status_code == 201


def test_keys__made_by_many_at_once__are_five(api: Api, keys: str) -> None:
    """Two requests cannot both make the fifth."""
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: api.call("POST", keys, {"mode": "observer"}), range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 5
    assert len({answer.json()["secret"] for answer in answers if answer.status_code == 201}) == 5
    assert len(api.ok("GET", keys)["items"]) == 5


def test_delete_and_enable__at_once__leave_no_enabled_key_deleted(api: Api, keys: str) -> None:
    """Whoever comes second sees what the first did."""
    for _ in range(8):
        made = api.ok("POST", keys, {"mode": "filter", "enabled": False})
        one = f"{keys}/{made['id']}"
        with ThreadPoolExecutor(2) as pool:
            enabled = pool.submit(api.call, "PATCH", one, {"enabled": True})
            deleted = pool.submit(api.call, "DELETE", one)
        assert (enabled.result().status_code, deleted.result().status_code) in ((200, 409), (404, 204))
        if deleted.result().status_code == 409:
            api.ok("PATCH", one, {"enabled": False})
            api.ok("DELETE", one)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (path_of("{absent}"), 404, "app_not_found"),
        (path_of("{app}", "NOPE"), 404, "environment_not_found"),
        (path_of("{app}", "a.b"), 400, "invalid_environment"),
        (path_of("a%20b"), 400, "invalid_app_id"),
        (path_of("ApolloNoAppIdPlaceHolder"), 400, "app_id_reserved"),
        (path_of("apollonoappidplaceholder"), 400, "app_id_reserved"),
    ],
)
def test_place__unknown__is_named(api: Api, path: str, status: int, code: str) -> None:
    """The placeholder is the app id of clients that have none: nobody owns it."""
    path = path.format(absent=fresh("app"), app=api.app())
    for method, where, body in (
        ("GET", path, None),
        ("POST", path, {"mode": "filter"}),
        ("PATCH", path + "/1", {"enabled": True}),
        ("DELETE", path + "/1", None),
    ):
        answer = api.call(method, where, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), method


def test_audit__tells_each_change_and_no_secret(api: Api) -> None:
    """Who switched an app's keys when; a refused request leaves nothing."""
    app = api.app()
    made = api.ok("POST", path_of(app), {"mode": "observer", "secret": BROUGHT})
    other = api.ok("POST", path_of(app), {"mode": "filter", "enabled": False})
    one = f"{path_of(app)}/{made['id']}"
    api.call("DELETE", one)
    api.ok("PATCH", one, {"enabled": False})
    api.ok("DELETE", one)
    told = audit(api, app)
    assert told == [
        ("access_key.create", {"key": made["id"], "mode": "observer", "enabled": True}),
        ("access_key.create", {"key": other["id"], "mode": "filter", "enabled": False}),
        ("access_key.update", {"key": made["id"], "mode": "observer", "enabled": False}),
        ("access_key.delete", {"key": made["id"], "mode": "observer", "enabled": False}),
    ]
    for secret in (BROUGHT, other["secret"]):
        assert secret not in str(pages(api, f"/environments/{ENVIRONMENT}/audit"))


def test_secret__is_in_no_log_and_in_no_file_in_clear(api: Api, keys: str) -> None:
    """Neither the brought nor the made one; the embedded database's files hold sealed texts only."""
    brought = fresh("a-secret-to-be-looked-for")
    api.ok("POST", keys, {"mode": "filter", "secret": brought})
    made = api.ok("POST", keys, {"mode": "filter"}, headers={"Idempotency-Key": fresh("key")})["secret"]
    api.call("POST", keys, {"mode": "filter", "secret": brought, "more": 1})
    secrets = [brought.encode(), made.encode()]
    stored = [file.read_bytes() for file in api.node.data_dir.rglob("*") if file.is_file()]
    for content in (api.node.stderr.encode(), api.node.stdout.encode(), *stored):
        assert not any(secret in content for secret in secrets)
    if api.node.database_url is None:
        assert any(b"s1." in content for content in stored), "the test looks in the right place"
