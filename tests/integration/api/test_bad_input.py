"""Bad input: each a clear refusal with a status and a stable code, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.integration.api.client import ENVIRONMENT, Api, Place, fresh

OF = f"/environments/{ENVIRONMENT}"
NOWHERE = "/environments/NOPE/apps/{p.app}"
APPS = OF + "/apps"
LIMIT = 1_048_576
ABSENT = 999_999_999
DUPLICATES = "a: 1\nb:\n  c: 1\n  c: 2\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)

Send = Callable[[Place], httpx.Response]


def post(path: str, body: object) -> Send:
    """A POST to a path that may hold the names of the place."""
    return lambda p: p.api.call("POST", path.format(p=p), body)


def get(path: str) -> Send:
    """A GET of a path that may hold the names of the place."""
    return lambda p: p.api.call("GET", path.format(p=p))


def put_item(key: str, body: object) -> Send:
    """A PUT of an item at the revision that is current."""
    return lambda p: p.api.call("PUT", p.item(key), body, revision=p.revision)


def add_item(**body: object) -> Send:
    """A POST of an item at the revision that is current."""
    return lambda p: p.api.call("POST", p.path + "/items", body, revision=p.revision)


def publish(**changes: object) -> Send:
    """A publish whose one target differs from what is there."""
    return lambda p: p.api.call("POST", f"{OF}/releases", {"namespaces": [p.target | changes]})


def text(content: str | bytes, **more: Any) -> Send:
    """A PUT of a whole text at the revision that is current."""
    return lambda p: p.write_text(content, **more)


NAMES: list[tuple[str, Send, int, str]] = [
    *((f"app id {bad!r:.20}", post("/apps", {"app_id": bad}), 400, "invalid_app_id")
      for bad in ("", ".a", "a b", "a/b", "a+b", "ä", "a\n", "a\0", "x" * 129, "a\u200b")),
    *((f"reserved app id {bad}", post("/apps", {"app_id": bad}), 400, "app_id_reserved")
      for bad in ("json", "RAW", "ApolloNoAppIdPlaceHolder")),
    *((f"environment {bad!r:.20}", post("/environments", {"name": bad}), 400, "invalid_environment")
      for bad in ("", "-a", "a.b", "ß", "x" * 33, "a\0")),
    *((f"cluster {bad!r:.20}", post(APPS + "/{p.app}/clusters", {"name": bad}), 400, "invalid_cluster")
      for bad in ("", ".", "a b", "x" * 129, "中")),
    *((f"namespace {bad!r:.20}", post(APPS + "/{p.app}/namespaces", {"name": bad}), 400, "invalid_namespace")
      for bad in ("", ".json", "a b", "x" * 129)),
    *((f"suffix {bad}", post(APPS + "/{p.app}/namespaces", {"name": bad}), 400, "namespace_suffix")
      for bad in ("a.properties.properties", "a.json.yaml")),
    ("suffix twice", post(APPS + "/{p.app}/namespaces", {"name": "a.xml", "format": "json"}), 400,
     "namespace_suffix"),
    ("association", post(APPS + "/{p.app}/clusters/default/namespaces", {"name": "a b"}), 400, "invalid_namespace"),
    *((f"token name {bad!r:.20}", post("/tokens", {"name": bad, "rights": ["view"]}), 400, "invalid_token_name")
      for bad in ("", "a b", "a\0", "x" * 129)),
    ("app of the path", get(APPS + "/a%20b/clusters"), 400, "invalid_app_id"),
    ("environment of the path", get("/environments/a.b/apps/{p.app}/clusters"), 400, "invalid_environment"),
    ("cluster of the path", get(APPS + "/{p.app}/clusters/a%2Bb/namespaces"), 400, "invalid_cluster"),
    ("namespace of the path", get(APPS + "/{p.app}/clusters/default/namespaces/%20"), 400, "invalid_namespace"),
    ("app of a publish", publish(app="a b"), 400, "invalid_app_id"),
    ("cluster of a publish", publish(cluster=""), 400, "invalid_cluster"),
    ("namespace of a publish", publish(namespace="../x"), 400, "invalid_namespace"),
]  # fmt: skip

ITEMS: list[tuple[str, Send, int, str]] = [
    *((f"key {bad!r:.20}", add_item(key=bad, value="v"), 400, "invalid_key")
      for bad in ("", " k", "k ", "a\nb", "a\0b", "a\tb", "k\u202e", "e\u0301", "k" * 129)),
    ("key of the path", put_item("k\u200b", {"value": "v"}), 400, "invalid_key"),
    ("key of the path too long", put_item("k" * 129, {"value": "v"}), 400, "invalid_key"),
    ("value over the limit", add_item(key="k", value="x" * (LIMIT + 1)), 400, "value_too_long"),
    ("replacing value over the limit", put_item("kept", {"value": "中" * (LIMIT + 1)}), 400, "value_too_long"),
    ("value with NUL", add_item(key="k", value="a\0b"), 400, "control_character"),
    ("value with NUL replacing", put_item("kept", {"value": "\0"}), 400, "control_character"),
    ("number that is none", add_item(key="k", value="12a", type="number"), 400, "invalid_value"),
    ("boolean that is none", put_item("kept", {"value": "yes", "type": "boolean"}), 400, "invalid_value"),
    ("json that is none", put_item("kept", {"value": "{", "type": "json"}), 400, "invalid_value"),
    ("comment too long", add_item(key="k", value="v", comment="c" * 1025), 400, "invalid_request"),
    ("comment with NUL", add_item(key="k", value="v", comment="\0"), 400, "invalid_request"),
    ("key that is there", add_item(key="kept", value="v"), 409, "item_exists"),
    ("key that is there by case", add_item(key="KEPT", value="v"), 409, "item_exists"),
    ("key that is there by case replacing", put_item("Kept", {"value": "v"}), 409, "item_exists"),
    ("unknown item", get("{p.path}/items/absent"), 404, "item_not_found"),
    ("unknown item deleted", lambda p: p.api.call("DELETE", p.item("absent"), revision=p.revision), 404,
     "item_not_found"),
    ("item of other case deleted", lambda p: p.api.call("DELETE", p.item("KEPT"), revision=p.revision), 404,
     "item_not_found"),
]  # fmt: skip

BODIES: list[tuple[str, Send, int, str]] = [
    *((f"broken JSON {bad[:20]!r}", lambda p, bad=bad: p.api.call("POST", "/apps", content=bad), 400, "broken_json")
      for bad in (b"", b"{", b'{"app_id": }', b'{"app_id": "a"} x', b"{'app_id': 'a'}", b"\xff\xfe",
                  b'{"app_id": "\xff"}', b'{"app_id": "\\ud800"}', b'{"app_id": "a\x01"}', b"[" * 100_000,
                  b"\xef\xbb\xbf{}")),
    *((f"not an object {bad[:20]!r}", lambda p, bad=bad: p.api.call("POST", "/apps", content=bad), 400,
       "invalid_request")
      for bad in (b"null", b"[]", b'"a"', b"1", b"{}")),
    ("missing field", post("/apps", {"name": "x"}), 400, "invalid_request"),
    ("unknown field", post("/apps", {"app_id": "x", "appId": "x"}), 400, "invalid_request"),
    ("number for a text", post("/apps", {"app_id": 7}), 400, "invalid_request"),
    ("text for a number", publish(revision="1"), 400, "invalid_request"),
    ("fraction for a number", publish(revision=1.5), 400, "invalid_request"),
    ("boolean for a number", publish(revision=True), 400, "invalid_request"),
    ("zero revision", publish(revision=0), 400, "invalid_request"),
    ("revision beyond any database", publish(revision=10**30), 400, "invalid_request"),
    ("text for a boolean", post(APPS + "/{p.app}/namespaces", {"name": "n", "public": "yes"}), 400,
     "invalid_request"),
    ("unknown format", post(APPS + "/{p.app}/namespaces", {"name": "n", "format": "ini"}), 400, "invalid_request"),
    ("unknown type", add_item(key="k", value="v", type="float"), 400, "invalid_request"),
    ("number for a value", add_item(key="k", value=7), 400, "invalid_request"),
    ("null for a value", put_item("kept", {"value": None}), 400, "invalid_request"),
    ("unknown field of an item", put_item("kept", {"value": "v", "key": "kept"}), 400, "invalid_request"),
    ("label too long", post("/apps", {"app_id": "x", "name": "n" * 201}), 400, "invalid_request"),
    ("label with NUL", post("/apps", {"app_id": "x", "owner": "a\0b"}), 400, "invalid_request"),
    ("label with a line end", post("/apps", {"app_id": "x", "department": "a\nb"}), 400, "invalid_request"),
    ("title too long", lambda p: p.publish(body={"title": "t" * 201}), 400, "invalid_request"),
    ("title with NUL", lambda p: p.publish(body={"title": "\0"}), 400, "invalid_request"),
    ("namespace comment with NUL", post(APPS + "/{p.app}/namespaces", {"name": "n", "comment": "\0"}), 400,
     "invalid_request"),
    ("nothing to name", post(OF + "/releases", {"namespaces": []}), 400, "no_namespaces"),
    ("too many to name", lambda p: p.api.call("POST", f"{OF}/releases", {"namespaces": [p.target] * 201}), 400,
     "too_many_namespaces"),
    ("far too many to name", lambda p: p.api.call("POST", f"{OF}/releases", {"namespaces": [p.target] * 1001}), 400,
     "invalid_request"),
    ("named twice", lambda p: p.publish(p), 400, "duplicate_namespace"),
    ("named twice by case", lambda p: p.publish(Place(p.api, p.app, "APPLICATION")), 400, "duplicate_namespace"),
    ("unknown right", post("/tokens", {"name": "t", "rights": ["view", "root"]}), 400, "invalid_request"),
    ("no right", post("/tokens", {"name": "t", "rights": []}), 400, "no_rights"),
    ("no lifetime", post("/tokens", {"name": "t", "rights": ["view"], "lifetime_days": 0}), 400, "invalid_request"),
    ("lifetime for ever", post("/tokens", {"name": "t", "rights": ["view"], "lifetime_days": 10**9}), 400,
     "invalid_request"),
    ("user with NUL", post("/sign-in", {"user": "a\0", "password": "p" * 12}), 400, "invalid_request"),
    ("password too long", post("/sign-in", {"user": "admin", "password": "p" * 257}), 400, "invalid_request"),
    ("release id too large", post("{p.path}/rollback", {"to": 10**30, "live": 1}), 400, "invalid_request"),
    ("live id too large", post("{p.path}/rollback", {"to": 1, "live": 2**63}), 400, "invalid_request"),
]  # fmt: skip

QUERIES: list[tuple[str, Send, int, str]] = [
    ("unknown parameter of a list", get("/apps?page=2"), 400, "invalid_request"),
    ("unknown parameter where none is", get("{p.path}?pretty=1"), 400, "invalid_request"),
    ("unknown parameter of a write", post("/apps?app_id=x", {"app_id": "x"}), 400, "invalid_request"),
    ("parameter twice", get("/apps?limit=1&limit=2"), 400, "invalid_request"),
    *((f"limit {bad}", get(f"/apps?limit={bad}"), 400, "invalid_request")
      for bad in ("0", "501", "x", "-1", "", "1e2")),
    *((f"cursor {bad}", get(f"{{p.path}}/releases?cursor={bad}"), 400, "invalid_cursor")
      for bad in ("%00", "x", "!", "YWJj", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "wrI", "")),
    ("cursor too long", get("/apps?cursor=" + "a" * 257), 400, "invalid_request"),
    ("cursor with NUL inside", get("/apps?cursor=YQAA"), 400, "invalid_cursor"),
    ("side of a diff", get("{p.path}/diff?from=newest"), 400, "invalid_request"),
    ("side of a diff too large", get("{p.path}/diff?to=" + "9" * 19), 400, "invalid_request"),
]  # fmt: skip

UNKNOWN: list[tuple[str, Send, int, str]] = [
    ("app", get("/apps/absent"), 404, "app_not_found"),
    ("app of a cluster list", get(APPS + "/absent/clusters"), 404, "app_not_found"),
    ("app of a new cluster", post(APPS + "/absent/clusters", {"name": "c"}), 404, "app_not_found"),
    ("app of a new namespace", post(APPS + "/absent/namespaces", {"name": "n"}), 404, "app_not_found"),
    ("app in other case", lambda p: p.api.call("GET", f"/apps/{p.app.upper()}"), 404, "app_not_found"),
    ("environment", get(NOWHERE + "/clusters"), 404, "environment_not_found"),
    ("environment of a new cluster", post(NOWHERE + "/clusters", {"name": "c"}), 404,
     "environment_not_found"),
    ("environment of a new namespace", post(NOWHERE + "/namespaces", {"name": "n"}), 404,
     "environment_not_found"),
    ("environment of an association", post(NOWHERE + "/clusters/default/namespaces", {"name": "n"}), 404,
     "environment_not_found"),
    ("environment of a list", get(NOWHERE + "/clusters/default/namespaces"), 404,
     "environment_not_found"),
    ("environment of a publish", lambda p: p.api.call("POST", "/environments/NOPE/releases",
                                                       {"namespaces": [p.target]}), 404, "environment_not_found"),
    ("environment of the audit", get("/environments/NOPE/audit"), 404, "environment_not_found"),
    ("cluster", get(APPS + "/{p.app}/clusters/absent/namespaces"), 404, "cluster_not_found"),
    ("cluster of an association", post(APPS + "/{p.app}/clusters/absent/namespaces", {"name": "n"}), 404,
     "cluster_not_found"),
    ("public namespace", post(APPS + "/{p.app}/clusters/default/namespaces", {"name": "absent"}), 404,
     "public_namespace_not_found"),
    ("private namespace as a public one", post(APPS + "/{p.app}/clusters/default/namespaces", {"name": "application"}),
     404, "public_namespace_not_found"),
    *((f"namespace: {tail or 'itself'}", get(APPS + "/{p.app}/clusters/default/namespaces/absent" + tail), 404,
       "namespace_not_found")
      for tail in ("", "/items", "/items/k", "/text", "/releases", "/releases/1", "/diff")),
    ("namespace of a publish", publish(namespace="absent"), 404, "namespace_not_found"),
    ("cluster of a publish", publish(cluster="absent"), 404, "cluster_not_found"),
    ("app of a publish", publish(app="absent"), 404, "namespace_not_found"),
    ("namespace of a rollback", post(APPS + "/{p.app}/clusters/default/namespaces/absent/rollback",
                                     {"to": 1, "live": 2}), 404, "namespace_not_found"),
    ("namespace of a text", lambda p: Place(p.api, p.app, "absent").write_text("a=1", revision=1), 404,
     "namespace_not_found"),
    ("namespace of an item", lambda p: p.api.call("PUT", Place(p.api, p.app, "absent").item("k"), {"value": "v"},
                                                  revision=1), 404, "namespace_not_found"),
    ("release", get(f"{{p.path}}/releases/{ABSENT}"), 404, "release_not_found"),
    *((f"release {bad}", get(f"{{p.path}}/releases/{bad}"), 404, "release_not_found")
      for bad in ("x", "0", "-1", "1.0", "01", "9" * 19, "١")),
    ("release of a diff", get(f"{{p.path}}/diff?from={ABSENT}"), 404, "release_not_found"),
    ("release of a rollback", lambda p: p.api.call("POST", p.path + "/rollback",
                                                   {"to": ABSENT, "live": p.releases[0]["id"]}), 404,
     "release_not_found"),
    ("token", lambda p: p.api.call("DELETE", "/tokens/absent"), 404, "token_not_found"),
    ("token with NUL", lambda p: p.api.call("DELETE", "/tokens/a%00"), 400, "invalid_path"),
    ("item with NUL", get("{p.path}/items/a%00b"), 400, "invalid_path"),
    ("release with NUL", get("{p.path}/releases/1%00"), 400, "invalid_path"),
]  # fmt: skip

PRESENT: list[tuple[str, Send, int, str]] = [
    ("app", lambda p: p.api.call("POST", "/apps", {"app_id": p.app}), 409, "app_exists"),
    ("app by case", lambda p: p.api.call("POST", "/apps", {"app_id": p.app.upper()}), 409, "app_exists"),
    ("environment", post("/environments", {"name": "dev"}), 409, "environment_exists"),
    ("cluster default", post(APPS + "/{p.app}/clusters", {"name": "Default"}), 409, "cluster_exists"),
    ("namespace", post(APPS + "/{p.app}/namespaces", {"name": "application"}), 409, "namespace_exists"),
    ("namespace by case", post(APPS + "/{p.app}/namespaces", {"name": "APPLICATION"}), 409, "namespace_exists"),
    ("token", post("/tokens", {"name": "bootstrap", "rights": ["view"]}), 409, "token_exists"),
    ("live release", lambda p: p.api.call("POST", p.path + "/rollback",
                                          {"to": p.releases[0]["id"], "live": p.releases[0]["id"]}), 409,
     "release_is_live"),
    ("other live release", lambda p: p.api.call("POST", p.path + "/rollback",
                                                {"to": p.releases[0]["id"], "live": ABSENT}), 409, "stale_release"),
]  # fmt: skip


def table(rows: list[tuple[str, Send, int, str]]) -> pytest.MarkDecorator:
    """Parametrises a test by rows whose first column names them."""
    return pytest.mark.parametrize(
        ("send", "status", "code"), [row[1:] for row in rows], ids=[ascii(row[0])[1:-1] for row in rows]
    )


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, whose members the client has checked already."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    body: dict[str, Any] = answer.json()
    return body


@dataclass
class Undisturbed:
    """A place that only refused requests are sent to, and its state behind the last of them."""

    place: Place
    state: dict[str, Any]


@pytest.fixture(scope="module")
def undisturbed(api: Api) -> Undisturbed:
    """A namespace with one release and a draft edit on top."""
    place = api.place(text="kept = 1\n")
    assert place.publish().status_code == 201
    place.write("kept = 1\ndrafted = 2\n")
    return Undisturbed(place, place.state())


@table([*NAMES, *ITEMS, *BODIES, *QUERIES, *UNKNOWN, *PRESENT])
def test_request__bad__is_refused_with_its_code_and_changes_nothing(
    undisturbed: Undisturbed, send: Send, status: int, code: str
) -> None:
    """Draft, items, releases, clusters, namespaces and audit are the same behind it."""
    before = undisturbed.state
    answer = send(undisturbed.place)
    undisturbed.state = undisturbed.place.state()  # for the next row, whatever becomes of this one
    assert len(answer.content) < 10_000
    refused(answer, status, code)
    assert undisturbed.state == before


@pytest.mark.parametrize(
    ("namespace", "content", "code", "line", "column"),
    [
        ("application", "a=1\nb=2\na=3\n", "duplicate_key", 3, 1),
        ("application", "Timeout=1\n  timeout=3\n", "duplicate_key_case", 2, 3),
        ("application", "a=\\u00zz\n", "properties_syntax", 1, 3),
        ("application", "a=1\n=2\n", "invalid_key", 2, 1),
        ("application", "a=1\nb=\x01\n", "control_character", 2, 3),
        ("application", "a=1\n\0", "control_character", 2, 1),
        ("application", "\ufeffa=1\n", "byte_order_mark", 1, 1),
        ("a.json", '{\n  "a": 1,\n}\n', "json_syntax", 3, 1),
        ("a.json", '{"a": 1,\n "a": 2}', "json_duplicate_key", 2, 2),
        ("a.json", '{"a": NaN}', "json_syntax", 1, 7),
        ("a.json", "[" * 101 + "]" * 101, "json_depth", 1, 101),
        ("a.yaml", "a: [1, 2\nb: 3\n", "yaml_syntax", 2, 2),
        ("a.yaml", DUPLICATES, "yaml_duplicate_key", 4, 3),
        ("a.yaml", "a: 1\nb: !!python/object/apply:os.system ['true']\n", "yaml_tag", 2, 4),
        ("a.yml", BOMB, "yaml_bomb", None, None),
        ("a.yml", "a: *b\n", "yaml_alias", 1, 4),
        ("a.xml", "<a>\n  <b></a>\n", "xml_syntax", 2, None),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "c">]>\n<a>&b;</a>\n', "xml_entity", 1, None),
        ("a.xml", '<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<a>&b;</a>\n', "xml_entity", 2, None),
        ("a.txt", "fine\n\x1b[31m", "control_character", 2, 1),
    ],
)
def test_document__ill_formed__is_refused_with_its_place_and_changes_nothing(
    api: Api, namespace: str, content: str, code: str, line: int | None, column: int | None
) -> None:
    """Line and column lead the person in the editor there."""
    place = api.place(namespace, text="" if namespace != "a.txt" else "before")
    before = place.state()
    body = refused(place.write_text(content), 400, code)
    first = body["problems"][0]
    assert first["code"] == code
    assert line in (None, first["line"])
    assert column in (None, first["column"])
    assert body["detail"].startswith(f"Line {first['line']}, column {first['column']}: ")
    assert place.state() == before


def test_document__as_the_one_item_of_its_namespace__is_checked_like_a_text(api: Api) -> None:
    """No face is a way round the check; a document has one key."""
    place = api.place("a.json", text="{}")
    before = place.state()
    refused(api.call("PUT", place.item("content"), {"value": "{"}, revision=2), 400, "json_syntax")
    refused(api.call("PUT", place.item("other"), {"value": "{}"}, revision=2), 400, "invalid_key")
    assert place.state() == before


def test_document__over_the_limit__is_refused_with_the_limit(api: Api) -> None:
    """At the limit it is stored."""
    place = api.place("a.txt", text="x" * LIMIT)
    before = place.revision
    body = refused(place.write_text("x" * (LIMIT + 1)), 400, "value_too_long")
    assert (body["limit"], body["length"], body["key"]) == (LIMIT, LIMIT + 1, "content")
    assert place.revision == before


def test_text__of_properties__limits_each_value_and_not_the_whole(api: Api) -> None:
    """A long list of short entries is no long value."""
    place = api.place(text="".join(f"k{n}={'x' * 1000}\n" for n in range(1100)))
    refused(place.write_text(f"a=1\nb={'x' * (LIMIT + 1)}\n"), 400, "value_too_long")
    assert place.revision == 2


@pytest.mark.parametrize(
    ("content", "at"), [(b"a=\xff\n", 2), (b"\x80", 0), ("é=1".encode("latin-1"), 0), (b"a=\xed\xa0\x80", 2)]
)
def test_text__not_utf_8__is_refused_with_the_place(place: Place, content: bytes, at: int) -> None:
    """Half surrogates are no UTF-8 either."""
    before = place.state()
    assert refused(place.write_text(content), 400, "invalid_encoding")["byte"] == at
    assert place.state() == before


def test_revision__stale__is_refused_with_both_sides(api: Api, place: Place) -> None:
    """An edit that saw an older draft never overwrites a newer one; the person sees both."""
    seen = place.revision
    place.write("kept = theirs\ndrafted = 2\n")
    before = place.state()
    mine = "kept = mine\n"
    body = refused(place.write_text(mine, revision=seen), 409, "stale_revision")
    assert (body["seen_revision"], body["current_revision"]) == (seen, seen + 1)
    assert (body["yours"], body["theirs"]) == (mine, "kept = theirs\ndrafted = 2\n")
    assert (body["changed_by"], body["changed_at"]) == (
        "token:bootstrap",
        before["namespace"]["updated_at"].replace("Z", "+00:00"),
    )
    item = {"value": "mine"}
    body = refused(api.call("PUT", place.item("kept"), item, revision=seen), 409, "stale_revision")
    assert (body["yours"]["value"], body["theirs"]["value"]) == ("mine", "theirs")
    body = refused(api.call("POST", place.path + "/items", item | {"key": "new"}, revision=seen), 409, "stale_revision")
    assert (body["yours"]["value"], body["theirs"]) == ("mine", None)
    body = refused(api.call("DELETE", place.item("kept"), revision=seen), 409, "stale_revision")
    assert (body["yours"], body["theirs"]["value"]) == (None, "theirs")
    body = refused(place.publish(revision=seen), 409, "stale_revision")
    assert [(s["namespace"], s["seen_revision"], s["current_revision"]) for s in body["stale"]] == [
        ("application", seen, seen + 1)
    ]
    assert place.state() == before


def test_revision__stale__shows_theirs_only_to_those_who_may_view(api: Api, place: Place) -> None:
    """The right to edit is no way round the right to view."""
    editor = api.token("edit")
    answer = place.write_text("kept = mine\n", revision=1, token=editor)
    body = refused(answer, 409, "stale_revision")
    assert not {"theirs", "changed_by", "changed_at"} & set(body)
    assert "drafted" not in answer.text


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (None, 428, "revision_required"),
        ("", 400, "invalid_revision"),
        ("*", 400, "invalid_revision"),
        ("0", 400, "invalid_revision"),
        ("-1", 400, "invalid_revision"),
        ("1.0", 400, "invalid_revision"),
        ("latest", 400, "invalid_revision"),
        ('W/"1"', 400, "invalid_revision"),
        ('"1", "2"', 400, "invalid_revision"),
        ('"1', 400, "invalid_revision"),
        ('1"', 400, "invalid_revision"),
        ("1" * 11, 400, "invalid_revision"),
        ("9" * 5000, 400, "invalid_revision"),
        ("\u00b2", 400, "invalid_revision"),
        ("1\u00e9", 400, "invalid_revision"),
        ("9999999999", 409, "stale_revision"),
    ],
)
def test_if_match__missing_or_hostile__is_refused_and_changes_nothing(
    api: Api, place: Place, given: str | None, status: int, code: str
) -> None:
    """Every write of a draft must say what it saw."""
    before = place.state()
    headers = {} if given is None else {"If-Match": given.encode("latin-1")}
    for method, path, body in (
        ("POST", place.path + "/items", {"json": {"key": "new", "value": "v"}}),
        ("PUT", place.item("kept"), {"json": {"value": "v"}}),
        ("DELETE", place.item("kept"), {}),
        ("PUT", place.path + "/text", {"content": b"a=1\n"}),
    ):
        refused(api.call(method, path, headers=headers, **body), status, code)  # type: ignore[arg-type]  # httpx takes bytes
    assert place.state() == before


def test_if_match__bare_number__is_understood(api: Api, place: Place) -> None:
    """`If-Match: 7` is what people type; a proxy may not weaken it."""
    headers = {"If-Match": str(place.revision)}
    assert api.call("PUT", place.item("kept"), {"value": "2"}, headers=headers).status_code == 200


def test_publish__one_of_several_cannot_be__releases_none(api: Api, place: Place) -> None:
    """All or nothing, whatever is wrong with the second."""
    other = api.place("routes.json", app=place.app)
    assert other.publish().status_code == 201
    before = place.state(), other.state()
    same = refused(place.publish(other), 409, "nothing_to_publish")
    assert (same["namespace"], same["live_release"]) == ("routes.json", other.releases[0]["id"])
    stale = {"namespaces": [place.target, other.target | {"revision": 7}]}
    refused(api.call("POST", f"{OF}/releases", stale), 409, "stale_revision")
    absent = {"namespaces": [place.target, other.target | {"namespace": "absent"}]}
    refused(api.call("POST", f"{OF}/releases", absent), 404, "namespace_not_found")
    assert (place.state(), other.state()) == before


def test_release__of_another_namespace__is_not_found(api: Api, place: Place) -> None:
    """Authority is decided by the object, not by its number; its content is shown nowhere."""
    other = api.place()
    theirs = other.release("secret.of.others = 1\n")
    live = place.releases[0]["id"]
    for answer in (
        api.call("GET", f"{place.path}/releases/{theirs}"),
        api.call("GET", f"{place.path}/diff?from={theirs}&to=draft"),
        api.call("GET", f"{place.path}/diff?from=draft&to={theirs}"),
        api.call("POST", place.path + "/rollback", {"to": theirs, "live": live}),
        api.call("GET", f"{place.path.replace('/DEV/', '/PRO/')}/releases/{live}"),
    ):
        assert answer.status_code == 404
        assert "secret.of.others" not in answer.text
    assert len(place.releases) == len(other.releases) == 1


@pytest.mark.parametrize("bad", ["", "a b", "ä", "x" * 129, "a\tb"])
def test_idempotency_key__hostile__is_refused(place: Place, bad: str) -> None:
    """1 to 128 visible ASCII characters; a key that would be cut or folded is none."""
    before = place.state()
    answer = place.publish(headers={"Idempotency-Key": bad.encode("latin-1")})
    refused(answer, 400, "invalid_idempotency_key")
    assert place.state() == before


def test_idempotency_key__used_for_another_request__is_refused(api: Api, place: Place) -> None:
    """The same key with the same request is answered the same, and makes one release."""
    headers = {"Idempotency-Key": fresh("key")}
    seen = place.revision
    first = place.publish(revision=seen, headers=headers)
    again = place.publish(revision=seen, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    place.write("kept = 9\n")
    before = place.state()
    refused(place.publish(headers=headers), 409, "idempotency_key_reused")
    back = {"to": before["releases"][1]["id"], "live": before["releases"][0]["id"]}
    refused(api.call("POST", place.path + "/rollback", back, headers=headers), 409, "idempotency_key_reused")
    assert place.state() == before


def test_idempotency_key__of_another_caller__is_another_key(api: Api, place: Place) -> None:
    """Nobody is answered with what somebody else asked."""
    headers = {"Idempotency-Key": fresh("key")}
    assert place.publish(headers=headers).status_code == 201
    place.write("kept = 9\n")
    assert place.publish(headers=headers, token=api.token("publish")).status_code == 201


def test_refusal__message_and_details__hold_no_value_that_was_sent(api: Api, place: Place) -> None:
    """Refusals end in logs of scripts; keys and names may stand there, values may not."""
    value = "v-that-no-refusal-may-show"
    for answer in (
        api.call("PUT", place.item("kept"), {"value": value, "type": "number"}, revision=place.revision),
        api.call("PUT", place.item("kept"), {"value": value, "extra": value}, revision=place.revision),
        api.call("PUT", place.item("kept"), {"value": [value]}, revision=place.revision),
        api.call("PUT", place.item("kept"), content=f'{{"value": "{value}'.encode(), revision=place.revision),
        api.call("PUT", place.item("kept"), {"value": value}),
        api.call("POST", "/sign-in", {"user": "admin", "password": value}, token=None),
        api.call("GET", "/apps", token=value),
        place.write_text(f"a={value}\na={value}\n"),
        place.write_text(f"a={value}\\u12\n"),
    ):
        assert answer.is_client_error
        assert value not in answer.text
        assert value not in str(answer.headers)


def test_refusal__of_a_field__says_in_words_what_is_wrong_with_it(api: Api, place: Place) -> None:
    """Each field with the rule that it breaks, and not with the rule of another one."""
    body = {"app_id": "x", "name": "a\0b", "owner": "a\nb", "department": "d" * 201, "dept": 1}
    told = {e["field"]: (e["code"], e["message"]) for e in api.call("POST", "/apps", body).json()["errors"]}
    assert told["name"] == told["owner"] == ("control_character", "must not hold control characters")
    assert told["department"] == ("string_too_long", "must have at most 200 characters")
    assert told["dept"] == ("extra_forbidden", "is not known here")
    side = api.call("GET", f"{place.path}/diff?from=newest").json()
    assert side["detail"] == "from must be a release id, live or draft."
