"""Who may do what: every endpoint against every right, and against those who are nobody. Default: no."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from helicon_server.auth import master_key, tokens
from helicon_server.auth.sealing import Sealer
from helicon_server.auth.throttle import Throttle
from helicon_server.domain.actors import ALL_RIGHTS, Right
from helicon_server.domain.model import Token
from helicon_server.http.api.dispatch import Management
from helicon_server.http.api.endpoint import Endpoint
from helicon_server.http.api.endpoints import ENDPOINTS
from helicon_server.http.site import management_site
from helicon_server.services.context import Limits
from helicon_server.storage.contract import Storage
from helicon_server.storage.memory import MemoryDatabase
from tests.integration.api.client import ENVIRONMENT, Api, Place, fresh
from tests.support.server import BOOTSTRAP_PASSWORD, MASTER_KEY

_DRAFT = "/environments/{environment}/apps/{app}/clusters/{cluster}/namespaces/{namespace}"
_KEYS = "/environments/{environment}/apps/{app}/access-keys"
_LISTED_FOR_MANAGERS = ("/tokens", "/audit", "/nodes", "/access-keys")
# What each endpoint is sent, so that a caller with the right is not refused for want of a sound request.
BODIES: Mapping[tuple[str, str], object] = {
    ("GET", "/apps"): None,
    ("POST", "/apps"): {"app_id": "{fresh}"},
    ("GET", "/apps/{app}"): None,
    ("GET", "/environments"): None,
    ("POST", "/environments"): {"name": "{fresh}"},
    ("GET", "/environments/{environment}/apps/{app}/clusters"): None,
    ("POST", "/environments/{environment}/apps/{app}/clusters"): {"name": "{fresh}"},
    ("POST", "/environments/{environment}/apps/{app}/namespaces"): {"name": "{fresh}"},
    ("GET", "/environments/{environment}/apps/{app}/clusters/{cluster}/namespaces"): None,
    ("POST", "/environments/{environment}/apps/{app}/clusters/{cluster}/namespaces"): {"name": "{public}"},
    ("GET", _DRAFT): None,
    ("GET", _DRAFT + "/items"): None,
    ("POST", _DRAFT + "/items"): {"key": "{fresh}", "value": "1"},
    ("GET", _DRAFT + "/items/{key:path}"): None,
    ("PUT", _DRAFT + "/items/{key:path}"): {"value": "1"},
    ("DELETE", _DRAFT + "/items/{key:path}"): None,
    ("GET", _DRAFT + "/text"): None,
    ("PUT", _DRAFT + "/text"): b"kept = 1\n",
    ("POST", "/environments/{environment}/releases"): {"namespaces": ["{target}"]},
    ("GET", _DRAFT + "/releases"): None,
    ("GET", _DRAFT + "/releases/{release}"): None,
    ("GET", _DRAFT + "/diff"): None,
    ("POST", _DRAFT + "/rollback"): {"to": 1, "live": 1},
    ("GET", _KEYS): None,
    ("POST", _KEYS): {"mode": "observer", "enabled": False},
    ("PATCH", _KEYS + "/{access_key}"): {"enabled": False},
    ("DELETE", _KEYS + "/{access_key}"): None,
    ("PUT", "/environments/{environment}/incremental-sync"): {"enabled": False},
    ("PUT", _DRAFT + "/inheritance"): {"inherits": False},
    ("GET", _DRAFT + "/instances"): None,
    ("GET", _DRAFT + "/branches"): None,
    ("POST", _DRAFT + "/branches"): {"priority": 1000},
    ("GET", _DRAFT + "/branches/{branch}"): None,
    ("PUT", _DRAFT + "/branches/{branch}"): {"title": "", "priority": 0, "rules": [], "set": {}, "remove": []},
    ("DELETE", _DRAFT + "/branches/{branch}"): None,
    ("POST", _DRAFT + "/branches/{branch}/publish"): {"revision": 1},
    ("GET", "/nodes"): None,
    ("POST", "/sign-in"): {"user": "admin", "password": BOOTSTRAP_PASSWORD},
    ("GET", "/tokens"): None,
    ("POST", "/tokens"): {"name": "{fresh}", "rights": ["manage"]},
    ("DELETE", "/tokens/{name}"): None,
    ("GET", "/audit"): None,
    ("GET", "/environments/{environment}/audit"): None,
}
# The decision, written down a second time, so that a slip in the table of endpoints is a failing test.
RIGHTS: Mapping[Right | None, set[tuple[str, str]]] = {
    None: {("POST", "/sign-in")},
    Right.VIEW: {(m, path) for m, path in BODIES if m == "GET" and not path.endswith(_LISTED_FOR_MANAGERS)},
    Right.EDIT: {(m, path) for m, path in BODIES if m != "GET" and ("/items" in path or "/text" in path)}
    | {("POST", _DRAFT + "/branches"), ("PUT", _DRAFT + "/branches/{branch}")},
    Right.PUBLISH: {("POST", "/environments/{environment}/releases"), ("POST", _DRAFT + "/rollback")}
    | {("PUT", _DRAFT + "/inheritance")}
    | {("DELETE", _DRAFT + "/branches/{branch}"), ("POST", _DRAFT + "/branches/{branch}/publish")},
}  # fmt: skip


@dataclass(slots=True)
class World:
    """One namespace to try everything on, a public one to overlay, and a token for each right."""

    place: Place
    release: int
    public: str
    tokens: Mapping[Right, str]

    def send(self, endpoint: Endpoint, token: str | None, **headers: str) -> httpx.Response:
        """A sound request to an endpoint."""
        path = endpoint.path.replace("{key:path}", "kept").format_map(
            {
                "environment": ENVIRONMENT,
                "app": self.place.app,
                "cluster": "default",
                "namespace": "application",
                "release": self.release,
                "name": "absent",
                "access_key": 999_999_999,
                "branch": "absent",
            }
        )
        if endpoint.needs_revision:
            headers["If-Match"] = str(self.place.revision)
        body = BODIES[endpoint.method, endpoint.path]
        if isinstance(body, bytes):
            headers["Content-Type"] = "text/plain"
            return self.place.api.call(endpoint.method, path, content=body, token=token, headers=headers)
        return self.place.api.call(endpoint.method, path, self._filled(body), token=token, headers=headers)

    def _filled(self, body: object) -> object:
        if isinstance(body, dict):
            return {name: self._filled(value) for name, value in body.items()}
        if isinstance(body, list):
            return [self._filled(value) for value in body]
        if body == "{target}":
            return self.place.target
        return {"{fresh}": fresh("made"), "{public}": self.public}.get(body, body) if isinstance(body, str) else body


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    place = api.place()
    release = place.release("kept = 1\n")
    owner, public = api.app(), fresh("public")
    api.ok("POST", f"/environments/{ENVIRONMENT}/apps/{owner}/namespaces", {"name": public, "public": True})
    return World(place, release, public, {right: api.token(right.value) for right in Right})


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def test_table__names_every_endpoint_and_its_right() -> None:
    """A new endpoint needs a row, and somebody who decides who may use it."""
    assert {(e.method, e.path) for e in ENDPOINTS} == set(BODIES)
    others = set().union(*RIGHTS.values())
    expected = {each: right for right, members in RIGHTS.items() for each in members}
    expected |= {each: Right.MANAGE for each in BODIES if each not in others}
    assert {(e.method, e.path): e.right for e in ENDPOINTS} == expected


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=named)
def test_endpoint__token_with_one_right__is_let_in_exactly_for_that_right(
    world: World, endpoint: Endpoint, right: Right
) -> None:
    """A refusal says which right is missing, and nothing of what is there."""
    answer = world.send(endpoint, world.tokens[right])
    if endpoint.right in (None, right):
        assert answer.status_code not in (401, 403), answer.text
        return
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert endpoint.right is not None
    assert answer.json()["right"] == endpoint.right.value


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.right is not None], ids=named)
def test_endpoint__nobody__is_refused_before_anything_is_read(world: World, endpoint: Endpoint) -> None:
    """Also where the path names nothing: who may not look learns not what exists."""
    for headers, code in (
        ({}, "token_missing"),
        ({"Authorization": ""}, "token_missing"),
        ({"Authorization": "Bearer"}, "token_missing"),
        ({"Authorization": "Basic YWRtaW46YWRtaW4="}, "token_missing"),
        ({"Authorization": world.tokens[Right.MANAGE]}, "token_missing"),
        ({"Cookie": f"token={world.tokens[Right.MANAGE]}"}, "token_missing"),
        ({"Authorization": "Bearer hlc_unknown"}, "token_invalid"),
        ({"Authorization": f"Bearer {world.tokens[Right.MANAGE][:-1]}"}, "token_invalid"),
    ):
        answer = world.send(endpoint, None, **headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code), headers
        assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.right is not None], ids=named)
async def test_endpoint__expired_token__is_refused(endpoint: Endpoint) -> None:
    """From the moment on; in memory, for no token of a real node can be made to have expired already."""
    database = MemoryDatabase()
    now = datetime.now(UTC)
    async with database.write() as tx:
        for name, ends in (("expired", now - timedelta(seconds=1)), ("live", now + timedelta(days=1))):
            hashed = tokens.sha256_of(name)
            await tx.tokens.insert(Token(0, name, "", hashed, ALL_RIGHTS, now, "user:admin", ends, None))
    storage = Storage(database, database, {}, database.close)
    sealer = Sealer(master_key.parse(MASTER_KEY))
    site = management_site(Management(storage, Limits(), 1_000_000, Throttle(time.monotonic), sealer), "test")
    path = endpoint.path.replace("{key:path}", "k").replace("{", "").replace("}", "")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://node") as client:
        codes = {}
        for name in ("expired", "live"):
            headers = {"Authorization": f"Bearer {name}"}
            answer = await client.request(endpoint.method, "/api/v1" + path, headers=headers)
            codes[name] = answer.status_code, answer.json().get("code")
    assert codes["expired"] == (401, "token_expired")
    assert codes["live"][0] not in (401, 403)


def test_token__in_the_address__is_no_token(api: Api) -> None:
    """Addresses end in histories and logs, so that none may carry a secret."""
    secret = api.token("view")
    for name in ("token", "access_token", "authorization"):
        assert api.call("GET", f"/apps?{name}={secret}", token=None).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "helicon-server"},
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
        {"X-Original-URL": "/health", "X-Rewrite-URL": "/health"},
        {"X-Forwarded-User": "admin", "X-Remote-User": "admin"},
        {"X-HTTP-Method-Override": "GET"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_magic_header__opens_nothing(api: Api, headers: dict[str, str]) -> None:
    """What a client can say of itself is no identity."""
    assert api.call("POST", "/apps", {"app_id": fresh("app")}, token=None, headers=headers).status_code == 401


def test_peer__in_the_audit__is_the_socket_and_not_a_header(api: Api) -> None:
    """Whoever writes the header would write the audit."""
    app = fresh("app")
    api.ok("POST", "/apps", {"app_id": app}, headers={"X-Forwarded-For": "203.0.113.9"})
    (entry,) = [e for e in api.ok("GET", "/audit?limit=5")["items"] if e["app"] == app]
    assert entry["peer"] == "127.0.0.1"


def test_token__revoked__is_refused_at_once(api: Api) -> None:
    """On the connection that it was used on a moment ago."""
    name = fresh("token")
    secret = api.token("view", name=name)
    assert api.call("GET", "/apps", token=secret).status_code == 200
    api.ok("DELETE", f"/tokens/{name}")
    answer = api.call("GET", "/apps", token=secret)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert api.call("DELETE", f"/tokens/{name}").status_code == 404
    assert api.call("GET", "/apps", token=api.token("view", name=name)).status_code == 200, "the name is free again"


def test_token__creator__gives_only_rights_that_it_has(api: Api) -> None:
    """The right to manage is no way to every other right."""
    manager = api.token("manage", "view")
    for rights in (["edit"], ["publish"], ["view", "edit"], ["view", "edit", "publish", "manage"]):
        answer = api.call("POST", "/tokens", {"name": fresh("token"), "rights": rights}, token=manager)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert api.call("POST", "/tokens", {"name": fresh("t"), "rights": ["view"]}, token=manager).status_code == 201


@pytest.mark.parametrize("spelling", ["bearer", "BEARER", "Bearer "])
def test_authorization__scheme_in_any_case__is_understood(api: Api, spelling: str) -> None:
    """RFC 9110: schemes are compared ignoring case, and more than one blank may follow."""
    headers = {"Authorization": f"{spelling} {api.token('view')}"}
    assert api.call("GET", "/apps", token=None, headers=headers).status_code == 200


def test_sign_in__wrong__does_not_tell_whether_the_user_exists(api: Api) -> None:
    """The same answer but for its request id."""
    answers = [
        api.call("POST", "/sign-in", {"user": user, "password": "wrong password"}, token=None).json()
        for user in ("admin", fresh("nobody"))
    ]
    for answer in answers:
        assert (answer["status"], answer["code"]) == (401, "sign_in_failed")
        del answer["request_id"]
    assert answers[0] == answers[1]


def test_sign_in__guessed_again_and_again__is_slowed_down_and_says_for_how_long(api: Api) -> None:
    """One user at one address; somebody else at the same address still gets in."""
    user = fresh("guessed")

    def guess() -> httpx.Response:
        return api.call("POST", "/sign-in", {"user": user, "password": "wrong password"}, token=None)

    assert [guess().status_code for _ in range(5)] == [401] * 5
    refused = guess()
    assert (refused.status_code, refused.json()["code"]) == (429, "sign_in_throttled")
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after_s"] >= 1
    admin = {"user": "admin", "password": BOOTSTRAP_PASSWORD}
    assert api.call("POST", "/sign-in", admin, token=None).status_code == 201
