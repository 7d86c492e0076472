"""Every endpoint, used as it is meant. The client checks each answer against the OpenAPI document."""

from __future__ import annotations

import pytest

from helicon_server.http.api.endpoints import ENDPOINTS
from tests.integration.api.client import ENVIRONMENT, PREFIX, Api, Place, fresh, pages
from tests.support.server import BOOTSTRAP_PASSWORD


def test_apps__created_read_listed(api: Api) -> None:
    """What is left out is filled in: the name with the id, the owner with the caller."""
    app_id = fresh("App")
    answer = api.call("POST", "/apps", {"app_id": app_id, "department": "支付"})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"{PREFIX}/apps/{app_id}"
    assert (made["name"], made["department"], made["owner"]) == (app_id, "支付", "token:bootstrap")
    assert api.ok("GET", f"/apps/{app_id}") == made
    assert made in pages(api, "/apps")


def test_environments__created_and_listed_behind_the_others(api: Api) -> None:
    """A new one is served and edited at once; its name is stored in upper case."""
    name = fresh("env").upper()
    made = api.ok("POST", "/environments", {"name": name.lower()})
    listed = api.ok("GET", "/environments")["items"]
    assert [e["name"] for e in listed][:4] == ["DEV", "FAT", "UAT", "PRO"]
    assert listed[-1] == made
    assert made["name"] == name
    app = api.app()
    api.ok("POST", f"/environments/{name.lower()}/apps/{app}/namespaces", {"name": "application"})
    (namespace,) = api.ok("GET", f"/environments/{name}/apps/{app}/clusters/default/namespaces")["items"]
    assert (namespace["environment"], namespace["revision"]) == (name, 1)


def test_clusters__new_one__has_every_namespace_of_the_app(api: Api, place: Place) -> None:
    """And a namespace created later is in every cluster."""
    clusters = f"/environments/{ENVIRONMENT}/apps/{place.app}/clusters"
    assert api.ok("POST", clusters, {"name": "shanghai"})["name"] == "shanghai"
    assert [c["name"] for c in api.ok("GET", clusters)["items"]] == ["default", "shanghai"]
    api.ok("POST", f"/environments/{ENVIRONMENT}/apps/{place.app}/namespaces", {"name": "routes", "format": "json"})
    for cluster in ("default", "shanghai"):
        listed = api.ok("GET", f"{clusters}/{cluster}/namespaces")["items"]
        assert [n["name"] for n in listed] == ["application", "routes.json"]
    assert Place(api, place.app, "application", "shanghai").text == ""


@pytest.mark.parametrize("format_", ["properties", "json", "yaml", "yml", "xml", "txt"])
def test_namespaces__of_every_format__are_created_by_suffix_and_by_format(api: Api, format_: str) -> None:
    """Both ways of naming a format lead to the same full name."""
    app = api.app()
    path = f"/environments/{ENVIRONMENT}/apps/{app}/namespaces"
    suffix = "" if format_ == "properties" else f".{format_}"
    made = api.ok("POST", path, {"name": f"one{suffix}", "comment": "why"})
    assert (made["name"], made["format"], made["public"], made["comment"]) == (f"one{suffix}", format_, False, "why")
    assert api.ok("POST", path, {"name": "two", "format": format_})["name"] == f"two{suffix}"


def test_namespaces__public_one__is_overlaid_by_another_app(api: Api) -> None:
    """An associated namespace is a draft and releases of its own."""
    owner, user = api.app(), api.app()
    name = fresh("shared")
    api.ok("POST", f"/environments/{ENVIRONMENT}/apps/{owner}/namespaces", {"name": name, "public": True})
    path = f"/environments/{ENVIRONMENT}/apps/{user}/clusters/default/namespaces"
    overlay = api.ok("POST", path, {"name": name.upper()})
    assert (overlay["app"], overlay["name"], overlay["live_release"]) == (user, name, None)
    place = Place(api, user, name)
    assert place.release("timeout=1\n") > 0
    assert Place(api, owner, name).text == ""


def test_items__created_read_replaced_deleted(api: Api, place: Place) -> None:
    """Every write answers the revision that the next one names."""
    body = {"key": "http.timeout", "value": "2500", "type": "number", "comment": "毫秒"}
    created = api.call("POST", place.path + "/items", body, revision=place.revision)
    assert created.status_code == 201
    item = created.json()
    assert {name: item[name] for name in body} == body
    read = api.call("GET", place.item("http.timeout"))
    assert (read.json(), read.headers["etag"]) == (item, created.headers["etag"])

    def put(value: str, revision: str) -> tuple[int, str]:
        answer = api.call("PUT", place.item("http.timeout"), {"value": value}, headers={"If-Match": revision})
        assert answer.json()["value"] == value
        return answer.status_code, answer.headers["etag"]

    status, second = put("3000", created.headers["etag"])
    assert (status, second) == (200, f'"{place.revision}"')
    assert put("3000", second) == (200, second), "an edit that changes nothing makes no revision"
    gone = api.call("DELETE", place.item("http.timeout"), headers={"If-Match": second})
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.call("GET", place.item("http.timeout")).status_code == 404
    status, last = put("1", gone.headers["etag"])
    assert (status, last) == (201, f'"{place.revision}"')


@pytest.mark.parametrize("key", ["a/b", "../../etc/passwd", "a//b", "a;b=c", "a%2Fb", "键.中文", "😀", "a?b#c", "a b"])
def test_items__unusual_key_in_the_path__is_the_same_key_everywhere(api: Api, place: Place, key: str) -> None:
    """A key is decoded once and is never a file name."""
    made = api.call("PUT", place.item(key), {"value": "v"}, revision=place.revision)
    assert (made.status_code, made.json()["key"]) == (201, key)
    assert api.ok("GET", place.item(key))["value"] == "v"
    assert key in [item["key"] for item in api.ok("GET", place.path + "/items")["items"]]
    assert api.call("DELETE", place.item(key), revision=place.revision).status_code == 204
    assert place.text == "kept = 1\ndrafted = 2\n"


@pytest.mark.parametrize(
    ("namespace", "text"),
    [
        ("application", "# 注释\r\na = 1\\\n  2\n\n键=值\n! end"),
        ("routes.json", '{\r\n  "路由": [1, 2.50, null]\r\n}\n\n'),
        ("a.yaml", "# note\na: &x [1, 2]\nb: *x\n"),
        ("a.yml", "---\na: 'no'\n"),
        ("a.xml", '<?xml version="1.0"?>\n<a b="c">\t中</a>\n'),
        ("a.txt", "\ttext without end 😀"),
    ],
)
def test_text__of_every_format__reads_back_byte_for_byte(api: Api, namespace: str, text: str) -> None:
    """Line ends, comments, blanks and scripts survive in the draft."""
    place = api.place(namespace)
    written = place.write_text(text)
    assert (written.status_code, written.json()["revision"], written.json()["pending"]) == (200, 2, True)
    read = api.call("GET", place.path + "/text")
    assert read.content == text.encode()
    assert read.headers["content-type"] == "text/plain; charset=utf-8"
    assert read.headers["etag"] == written.headers["etag"] == '"2"'
    assert place.write_text(text).json()["revision"] == 2


def test_publish__several_namespaces__are_released_together_and_served(api: Api) -> None:
    """And clients get what was published."""
    first = api.place(text="a=1\n")
    second = api.place("routes.json", app=first.app, text="{}")
    answer = first.publish(second, body={"title": "第一次", "comment": "both"})
    assert answer.status_code == 201
    made = answer.json()["releases"]
    assert [(r["app"], r["namespace"], r["operation"]) for r in made] == [
        (first.app, "application", "publish"),
        (first.app, "routes.json", "publish"),
    ]
    assert made[0]["notification_id"] < made[1]["notification_id"]
    assert first.served(made[0]["release_key"]) == {"a": "1"}
    second.served(made[1]["release_key"])
    assert api.http.get(f"/configfiles/raw/{first.app}/default/routes.json").text == "{}"
    (head,) = first.releases
    assert (head["id"], head["key"], head["live"]) == (made[0]["release_id"], made[0]["release_key"], True)
    assert (head["title"], head["comment"]) == ("第一次", "both")
    read = api.ok("GET", f"{first.path}/releases/{head['id']}")
    assert (read["release"], read["configurations"]) == (head, {"a": "1"})
    namespace = api.ok("GET", first.path)
    assert (namespace["pending"], namespace["live_release"]) == (False, head["id"])


def test_diff__of_releases_and_draft__tells_both_sides(api: Api) -> None:
    """By default: what a publish would change now."""
    place = api.place()
    first = place.release("a=1\nb=2\n")
    second = place.release("a=1\nb=3\nc=4\n")
    place.write("c=4\n")

    def diff(query: str = "") -> list[tuple[str, str, str | None, str | None]]:
        changes = api.ok("GET", f"{place.path}/diff{query}")["changes"]
        return [(c["key"], c["kind"], c["old"], c["new"]) for c in changes]

    assert diff(f"?from={first}&to={second}") == [("b", "modified", "2", "3"), ("c", "added", None, "4")]
    assert diff() == diff("?from=live&to=draft") == [("a", "deleted", "1", None), ("b", "deleted", "3", None)]
    assert diff(f"?from={second}&to=live") == []


def test_rollback__releases_the_earlier_content_under_a_new_id(api: Api) -> None:
    """The draft stays as it is, and the release says where its content came from."""
    place = api.place()
    first, second = place.release("a=1\n"), place.release("a=2\n")
    made = api.ok("POST", place.path + "/rollback", {"to": first, "live": second, "title": "back"})
    assert made["operation"] == "rollback"
    assert made["release_id"] > second
    newest = place.releases[0]
    assert (newest["id"], newest["source"], newest["previous"]) == (made["release_id"], first, second)
    assert place.text == "a=2\n"
    assert place.served(made["release_key"]) == {"a": "1"}


def test_tokens__created_used_listed_revoked(api: Api) -> None:
    """The secret is shown once; a revoked token ends at once and stays in the list."""
    name = fresh("ci")
    made = api.ok("POST", "/tokens", {"name": name, "rights": ["view", "publish"], "lifetime_days": 1})
    secret, token = made["secret"], made["token"]
    assert token["rights"] == ["publish", "view"]
    assert token["expires_at"] is not None
    assert secret.startswith(token["prefix"])
    assert api.call("GET", "/apps", token=secret).status_code == 200
    listed = api.call("GET", "/tokens")
    assert token in listed.json()["items"]
    assert secret not in listed.text
    assert api.call("DELETE", f"/tokens/{name}").status_code == 204
    assert api.call("GET", "/apps", token=secret).status_code == 401
    (again,) = [t for t in api.ok("GET", "/tokens")["items"] if t["name"] == name]
    assert again["revoked_at"] is not None


def test_sign_in__administrator__gets_a_token_of_some_hours(api: Api) -> None:
    """With all rights, and its use shows the person."""
    made = api.call("POST", "/sign-in", {"user": "admin", "password": BOOTSTRAP_PASSWORD}, token=None)
    assert made.status_code == 201
    assert made.json()["token"]["rights"] == ["edit", "manage", "publish", "view"]
    assert made.json()["token"]["expires_at"] is not None
    app = api.ok("POST", "/apps", {"app_id": fresh("app")}, token=made.json()["secret"])
    assert app["created_by"].startswith("token:admin@")


def test_audit__every_write__leaves_its_entry_with_names_and_no_values(api: Api) -> None:
    """Who did what to what, from where, under which request."""
    value = "v-that-no-audit-may-show"
    place = api.place()
    api.ok("PUT", place.item("k"), {"value": value}, revision=1, headers={"X-Request-Id": "audited-request-1"})
    place.publish()
    newest = api.ok("GET", f"/environments/{ENVIRONMENT}/audit?limit=3")
    assert [e["action"] for e in newest["items"]] == ["release.publish", "item.create", "namespace.create"]
    edit = newest["items"][1]
    assert (edit["app"], edit["namespace"], edit["request_id"]) == (place.app, "application", "audited-request-1")
    assert (edit["actor"], edit["peer"]) == ("token:bootstrap", "127.0.0.1")
    assert edit["detail"] == {"revision": 2, "keys": {"k": "added"}, "changed": 1}
    assert value not in str(newest)
    (created,) = [e for e in pages(api, "/audit") if e["app"] == place.app]
    assert created["action"] == "app.create"


def test_head__of_every_readable_path__is_get_without_its_body(api: Api, place: Place) -> None:
    """RFC 9110: the same status and headers."""
    release = place.releases[0]["id"]
    branch = api.ok("POST", place.path + "/branches", {})["name"]
    for path in (e.path for e in ENDPOINTS if e.method == "GET"):
        filled = path.format_map(
            {"environment": ENVIRONMENT, "app": place.app, "cluster": "default", "namespace": "application"}
            | {"release": release, "branch": branch}
        ) if ":" not in path else place.path + "/items/kept"  # fmt: skip
        got, head = api.call("GET", filled), api.call("HEAD", filled)
        assert (got.status_code, head.status_code, head.content) == (200, 200, b""), filled
        for name in ("content-type", "etag", "cache-control"):
            assert head.headers.get(name) == got.headers.get(name)
        assert api.call("HEAD", filled, token=None).status_code == 401


def test_docs__page_and_style__are_served_with_a_strict_policy(api: Api) -> None:
    """`/` leads to the page; no script may run on it."""
    home = api.http.get("/")
    assert (home.status_code, home.headers["location"]) == (307, "/api/docs")
    page = api.http.get("/api/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert api.http.get("/api/docs.css").headers["content-type"] == "text/css; charset=utf-8"
    document = api.http.get("/api/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    operations = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(operations) == len(set(operations)) == len(ENDPOINTS)
