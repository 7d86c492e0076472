"""What people set and see of delivery: inheritance, incremental sync, instances, nodes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.api.client import ENVIRONMENT, Api, Place, fresh
from tests.support.wait import wait_until

_DEADLINE_S = 30


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.fixture
def east(api: Api, place: Place) -> Place:
    """The place in another cluster, with a release of one key."""
    api.ok("POST", f"/environments/{ENVIRONMENT}/apps/{place.app}/clusters", {"name": "east"})
    east = Place(api, place.app, place.namespace, "east")
    east.release("own = 1\n")
    return east


def test_inheritance__switched__shows_in_the_namespace_and_counts_at_once(api: Api, east: Place) -> None:
    before = api.ok("GET", east.path)
    assert before["inherits"] is False
    switched = api.call("PUT", east.path + "/inheritance", {"inherits": True})
    assert switched.status_code == 200
    after = switched.json()
    assert after == before | {"inherits": True, "notification_id": after["notification_id"]}
    assert after["notification_id"] > before["notification_id"]
    assert api.ok("GET", east.path) == after
    path = f"/configs/{east.app}/east/{east.namespace}"
    merged = wait_until(
        lambda: answer.json() if "kept" in (answer := api.http.get(path)).text else None, _DEADLINE_S, "both clusters"
    )
    assert merged is not None
    assert merged["configurations"] == {"kept": "1", "own": "1"}
    assert api.ok("PUT", east.path + "/inheritance", {"inherits": True}) == after, "nothing to do is done"
    assert api.ok("PUT", east.path + "/inheritance", {"inherits": False})["inherits"] is False


def test_inheritance__that_makes_no_sense__is_refused(api: Api, place: Place, east: Place) -> None:
    of = f"/environments/{ENVIRONMENT}/apps/{place.app}"
    api.ok("POST", of + "/namespaces", {"name": "routes.json"})
    wanted = {"inherits": True}
    refused(api.call("PUT", place.path + "/inheritance", wanted), 400, "default_inherits")
    document = f"{of}/clusters/east/namespaces/routes.json/inheritance"
    refused(api.call("PUT", document, wanted), 400, "document_inherits")
    refused(api.call("PUT", east.path + "x/inheritance", wanted), 404, "namespace_not_found")
    for body in ({}, {"inherits": "yes"}, {"inherits": 1}, {"inherits": True, "more": 1}):
        refused(api.call("PUT", east.path + "/inheritance", body), 400, "invalid_request")
    assert api.ok("GET", place.path)["inherits"] is api.ok("GET", east.path)["inherits"] is False


def test_incremental_sync__switched__shows_in_the_environment(api: Api) -> None:
    name = fresh("env").upper()
    assert api.ok("POST", "/environments", {"name": name})["incremental_sync"] is False
    path = f"/environments/{name.lower()}/incremental-sync"
    switched = api.ok("PUT", path, {"enabled": True})
    assert (switched["name"], switched["incremental_sync"]) == (name, True)
    assert {e["name"]: e["incremental_sync"] for e in api.ok("GET", "/environments")["items"]}[name] is True
    assert api.ok("PUT", path, {"enabled": False})["incremental_sync"] is False
    refused(api.call("PUT", "/environments/NOPE/incremental-sync", {"enabled": True}), 404, "environment_not_found")
    refused(api.call("PUT", path, {"enabled": "on"}), 400, "invalid_request")


def test_instances__that_were_served_a_release__are_listed(api: Api, place: Place) -> None:
    """Notes are written behind the answers, some seconds later."""
    release = place.releases[0]
    place.served(release["key"])
    path = f"/configs/{place.app}/default/{place.namespace}?ip=10.1.2.3&label=canary&dataCenter=SHA"
    assert api.http.get(path).status_code == 200

    def listed(query: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = api.ok("GET", f"{place.path}/instances{query}")["items"]
        return [item for item in items if item["ip"] == "10.1.2.3"]

    wait_until(listed, _DEADLINE_S, f"a note of the read of {path}")
    (instance,) = listed(f"?release={release['id']}")
    assert [instance] == listed() == listed("?limit=500")
    assert (instance["app"], instance["cluster"], instance["data_center"]) == (place.app, "default", "SHA")
    assert (instance["label"], instance["branch"], instance["release_key"]) == ("canary", None, release["key"])
    newer = place.release("kept = 2\n")
    assert listed(f"?release={newer}") == []


def test_instances__asked_for_wrongly__are_refused(api: Api, place: Place) -> None:
    refused(api.call("GET", place.path + "/instances?release=999999999"), 404, "release_not_found")
    refused(api.call("GET", place.path + "x/instances"), 404, "namespace_not_found")
    for query in ("release=0", "release=live", "limit=0", "limit=501", "cursor=x"):
        refused(api.call("GET", f"{place.path}/instances?{query}"), 400, "invalid_request")


def test_nodes__this_one__is_listed_after_its_first_heartbeat(api: Api) -> None:
    nodes = wait_until(lambda: api.ok("GET", "/nodes")["items"], _DEADLINE_S, "a heartbeat")
    assert nodes is not None
    assert api.node.url in [node["url"] for node in nodes]
    assert {role for node in nodes for role in node["roles"]} == {"delivery", "management"}
    refused(api.call("GET", "/nodes?limit=1"), 400, "invalid_request")
