"""Gray branches over the API: what they are for, who may do what, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.integration.api.client import ENVIRONMENT, PREFIX, Api, Place, fresh
from tests.support.wait import wait_until

_DEADLINE_S = 30


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch, and what can be done with it."""

    place: Place
    name: str

    @property
    def path(self) -> str:
        return f"{self.place.path}/branches/{self.name}"

    @property
    def now(self) -> dict[str, Any]:
        body: dict[str, Any] = self.place.api.ok("GET", self.path)
        return body

    def change(self, *, revision: object = None, token: str | None = None, **changes: object) -> httpx.Response:
        """Replaces the branch by what it is now, with some differences."""
        now = self.now
        body = {name: now[name] for name in ("title", "priority", "rules", "set", "remove")} | changes
        more: dict[str, Any] = {} if token is None else {"token": token}
        seen = now["revision"] if revision is None else revision
        return self.place.api.call("PUT", self.path, body, revision=seen, **more)

    def publish(self, **more: Any) -> httpx.Response:
        body = {"revision": self.now["revision"]} | more.pop("body", {})
        return self.place.api.call("POST", self.path + "/publish", body, **more)

    def delete(self, **more: Any) -> httpx.Response:
        return self.place.api.call("DELETE", self.path, revision=self.now["revision"], **more)


def branch_of(place: Place, **draft: object) -> Branch:
    """A new branch for clients of the label ``canary``."""
    rules = [{"client_app": place.app, "labels": ["canary"]}]
    made = place.api.ok("POST", place.path + "/branches", {"rules": rules} | draft)
    return Branch(place, made["name"])


def served(place: Place, label: str, until: str) -> dict[str, str]:
    """What a client of this label gets, as soon as it gets this release."""
    path = f"/configs/{place.app}/{place.cluster}/{place.namespace}?ip=10.1.2.3&label={label}"

    def newest() -> dict[str, Any] | None:
        answer = place.api.http.get(path)
        return answer.json() if answer.status_code == 200 and until in answer.text else None

    answer = wait_until(newest, _DEADLINE_S, f"release {until} at {path}")
    assert answer is not None
    configurations: dict[str, str] = answer["configurations"]
    return configurations


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_branch__created_changed_published_deleted__as_its_clients_see_it(api: Api, place: Place) -> None:
    """From the first look to the end of the trial, while everybody else keeps the namespace's release."""
    rules = [{"client_app": place.app, "ips": ["10.0.0.9/8"], "labels": ["canary"], "percent": 12.5}]
    answer = api.call("POST", place.path + "/branches", {"title": "灰度", "set": {"kept": "gray"}, "rules": rules})
    assert answer.status_code == 201
    made = answer.json()
    branch = Branch(place, made["name"])
    assert answer.headers["location"] == PREFIX + branch.path
    assert answer.headers["etag"] == '"1"'
    assert (made["title"], made["priority"], made["set"], made["remove"]) == ("灰度", 100, {"kept": "gray"}, [])
    assert made["rules"] == [{"client_app": place.app, "ips": ["10.0.0.0/8"], "labels": ["canary"], "percent": 12.5}]
    assert (made["revision"], made["release"], made["pending"]) == (1, None, True)
    assert (branch.now, api.ok("GET", place.path + "/branches")["items"]) == (made, [made])
    changed = branch.change(set={"kept": "gray", "new": "1"}, rules=[{"client_app": place.app, "labels": ["canary"]}])
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    published = branch.publish(body={"title": "try"})
    assert published.status_code == 201
    release = published.json()
    assert (release["operation"], release["cluster"], release["namespace"]) == ("gray", branch.name, place.namespace)
    assert (branch.now["release"], branch.now["pending"]) == (release["release_id"], False)
    assert served(place, "canary", release["release_key"]) == {"kept": "gray", "new": "1"}
    live = place.releases[0]
    assert served(place, "", live["key"]) == {"kept": "1"}
    assert api.ok("GET", place.path)["notification_id"] == release["notification_id"]
    read = api.ok("GET", f"{place.path}/releases/{release['release_id']}")
    assert (read["release"]["source"], read["configurations"]) == (live["id"], {"kept": "gray", "new": "1"})
    assert branch.delete().status_code == 204
    assert served(place, "canary", live["key"]) == {"kept": "1"}
    refused(api.call("GET", branch.path), 404, "branch_not_found")
    assert [r["id"] for r in place.releases] == [live["id"]], "the history is that of the namespace"


def test_namespace__published_and_rolled_back__lays_its_branches_over_it(api: Api, place: Place) -> None:
    first = place.releases[0]["id"]
    branch = branch_of(place, set={"gray": "1"})
    assert branch.publish().status_code == 201
    second = place.release("kept = 2\n")
    after = branch.now
    release = api.ok("GET", f"{place.path}/releases/{after['release']}")
    assert release["configurations"] == {"kept": "2", "gray": "1"}
    assert served(place, "canary", release["release"]["key"]) == {"kept": "2", "gray": "1"}
    assert after["revision"] == 1
    api.ok("POST", place.path + "/rollback", {"to": first, "live": second})
    back = api.ok("GET", f"{place.path}/releases/{branch.now['release']}")
    assert back["configurations"] == {"kept": "1", "gray": "1"}
    bad = {"to": after["release"], "live": place.releases[0]["id"]}
    refused(api.call("POST", place.path + "/rollback", bad), 404, "release_not_found")


def test_branches__several__are_listed_and_tried_by_priority(api: Api, place: Place) -> None:
    late, early = (branch_of(place, priority=p, set={"from": str(p)}) for p in (7, 3))
    keys = {branch.name: branch.publish().json()["release_key"] for branch in (late, early)}
    assert [b["name"] for b in api.ok("GET", place.path + "/branches")["items"]] == [early.name, late.name]
    assert served(place, "canary", keys[early.name])["from"] == "3"
    assert late.change(priority=1).status_code == 200
    assert served(place, "canary", keys[late.name])["from"] == "7"


def test_branch__of_a_document__has_a_text_of_its_own(api: Api) -> None:
    place = api.place("routes.json", text="[1]")
    assert place.publish().status_code == 201
    branch = branch_of(place, set={"content": "[2]"})
    release = branch.publish().json()
    assert served(place, "canary", release["release_key"]) == {"content": "[2]"}
    refused(branch.change(set={"content": "["}), 400, "json_syntax")
    refused(branch.change(set={}, remove=["content"]), 400, "document_removed")


def test_publish__with_an_idempotency_key__makes_one_release(api: Api, place: Place) -> None:
    branch = branch_of(place, set={"a": "1"})
    headers = {"Idempotency-Key": fresh("key")}
    first = branch.publish(headers=headers)
    again = branch.publish(headers=headers)
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    refused(branch.publish(), 409, "nothing_to_publish")
    refused(branch.publish(headers=headers, body={"title": "other"}), 409, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        ({"rules": [{"client_app": "{app}", "ips": ["10.1.2"]}]}, "invalid_rule"),
        ({"rules": [{"client_app": "{app}", "ips": ["::1%lo"]}]}, "invalid_rule"),
        ({"rules": [{"client_app": "{app}", "labels": [""]}]}, "invalid_rule"),
        ({"rules": [{"client_app": "{app}", "labels": ["a\0"]}]}, "invalid_rule"),
        ({"rules": [{"client_app": "{app}", "percent": 100.01}]}, "invalid_rule"),
        ({"rules": [{"client_app": "{app}", "percent": 0.001}]}, "invalid_rule"),
        ({"rules": [{"client_app": "{app}", "percent": "50"}]}, "invalid_request"),
        ({"rules": [{"client_app": "another-app"}]}, "invalid_rule"),
        ({"rules": [{"client_app": "{app}"}]}, "invalid_rule"),
        ({"rules": [{"client_app": "a b"}]}, "invalid_app_id"),
        ({"rules": [{"labels": ["x"]}]}, "invalid_request"),
        ({"rules": [{"client_app": "{app}", "ip": []}]}, "invalid_request"),
        ({"rules": [{"client_app": "{app}"}] * 101}, "too_many_rules"),
        ({"rules": [{"client_app": "{app}", "labels": [f"{n:0>128}" for n in range(200)]}]}, "rules_too_long"),
        ({"rules": [{"client_app": "{app}", "labels": ["l"] * 1001}]}, "invalid_request"),
        ({"priority": -1}, "invalid_request"),
        ({"priority": 1001}, "invalid_request"),
        ({"title": "a\nb"}, "invalid_request"),
        ({"set": {"a": "1", "A": "2"}}, "duplicate_key_case"),
        ({"set": {"a": "1"}, "remove": ["A"]}, "key_set_and_removed"),
        ({"set": {"": "1"}}, "invalid_key"),
        ({"set": {"a": "\0"}}, "control_character"),
        ({"set": {"a": "x" * 1_048_577}}, "value_too_long"),
        ({"remove": [f"k{n}" for n in range(20_001)]}, "too_many_lines"),
        ({"name": "mine"}, "invalid_request"),
    ],
)
def test_branch__that_could_not_be__is_refused_and_changes_nothing(
    api: Api, place: Place, draft: dict[str, Any], code: str
) -> None:
    """Whether it is new or a change of one that is there."""
    branch = branch_of(place, set={"a": "1"})
    rules = [
        {name: place.app if value == "{app}" else value for name, value in rule.items()}
        for rule in draft.get("rules", [])
    ]
    filled = draft | ({"rules": rules} if rules else {})
    before, state = branch.now, place.state()
    refused(api.call("POST", place.path + "/branches", filled), 400, code)
    refused(branch.change(**filled), 400, code)
    assert (branch.now, place.state()) == (before, state)


def test_branch__without_a_base__is_refused(api: Api) -> None:
    place = api.place(text="a = 1\n")
    branch = branch_of(place, set={"a": "2"})
    refused(branch.publish(), 409, "not_released")
    assert place.publish().status_code == 201
    emptied = branch_of(place, remove=["a"])
    refused(emptied.publish(), 409, "would_empty")
    assert emptied.publish(body={"may_empty": True}).status_code == 201


def test_branch__of_an_older_revision__is_refused_with_both_sides(api: Api, place: Place) -> None:
    branch = branch_of(place, set={"a": "1"})
    assert branch.change(set={"a": "theirs"}).status_code == 200
    body = refused(branch.change(set={"a": "mine"}, revision=1), 409, "stale_revision")
    assert (body["yours"]["set"], body["theirs"]["set"]) == ({"a": "mine"}, {"a": "theirs"})
    refused(branch.publish(body={"revision": 1}), 409, "stale_revision")
    refused(api.call("DELETE", branch.path, revision=1), 409, "stale_revision")
    assert "of the branch" in refused(api.call("DELETE", branch.path), 428, "revision_required")["detail"]
    value = {"title": "", "priority": 1, "rules": [], "set": {}, "remove": []}
    refused(api.call("PUT", branch.path, value), 428, "revision_required")
    refused(api.call("PUT", branch.path, {"set": {}}, revision=2), 400, "invalid_request")


def test_branch__that_is_published__lets_editors_change_its_draft_only(api: Api, place: Place) -> None:
    """Rules and priority count at once, so that they need the right to publish."""
    branch = branch_of(place, set={"a": "1"})
    assert branch.publish().status_code == 201
    editor = api.token("edit", "view")
    assert branch.change(set={"a": "2"}, token=editor).status_code == 200
    changes: tuple[dict[str, object], ...] = ({"priority": 1}, {"rules": []})
    for change in changes:
        body = refused(branch.change(token=editor, **change), 403, "forbidden")
        assert body["right"] == "publish"
    assert (branch.now["pending"], branch.now["revision"]) == (True, 2)


def test_branch__of_what_is_not_there__says_what_is_missing(api: Api, place: Place) -> None:
    for path, code in (
        (place.path.replace(ENVIRONMENT, "NOPE"), "environment_not_found"),
        (place.path.replace(place.app, "no-such-app"), "app_not_found"),
        (place.path.replace("/clusters/default/", "/clusters/east/"), "cluster_not_found"),
        (place.path + "x", "namespace_not_found"),
    ):
        refused(api.call("GET", path + "/branches"), 404, code)
        refused(api.call("POST", path + "/branches", {}), 404, code)
    absent = Branch(place, "20250101120000-0123456789abcdef")
    refused(api.call("GET", absent.path), 404, "branch_not_found")
    refused(api.call("DELETE", absent.path, revision=1), 404, "branch_not_found")
    refused(api.call("POST", absent.path + "/publish", {"revision": 1}), 404, "branch_not_found")
