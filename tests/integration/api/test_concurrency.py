"""Many at once: nothing is lost, nothing is made twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from tests.integration.api.client import ENVIRONMENT, Api, Place, fresh, pages


def at_once(calls: Sequence[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """Makes all calls at the same instant, each from a thread of its own, and returns their answers in order."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> httpx.Response:
        start.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_edit__twenty_at_the_same_revision__exactly_one_wins(api: Api, place: Place) -> None:
    """Nineteen get 409 with the winning value and revision; none is lost without a word."""
    seen = place.revision
    path = place.item("kept")
    answers = at_once(
        [lambda n=n: api.call("PUT", path, {"value": f"by {n}"}, revision=seen) for n in range(20)]  # type: ignore[misc]  # a default binds n
    )
    assert Counter(a.status_code for a in answers) == {200: 1, 409: 19}
    (won,) = [a.json()["value"] for a in answers if a.status_code == 200]
    assert api.ok("GET", path)["value"] == won
    assert place.revision == seen + 1
    for refused in (a.json() for a in answers if a.status_code == 409):
        assert (refused["code"], refused["current_revision"], refused["theirs"]["value"]) == (
            "stale_revision",
            seen + 1,
            won,
        )
    newest = api.ok("GET", f"/environments/{ENVIRONMENT}/audit?limit=2")["items"]
    assert [e["action"] for e in newest] == ["item.update", "draft.write_text"]


def test_edit__repeated_with_the_answered_revision__loses_nobodys_item(api: Api) -> None:
    """Ten writers who read again after a 409 all get their item in."""
    place = api.place()

    def add(n: int) -> httpx.Response:
        seen = 1
        while True:
            answer = api.call("POST", place.path + "/items", {"key": f"k{n}", "value": "v"}, revision=seen)
            if answer.status_code != 409:
                return answer
            seen = answer.json()["current_revision"]

    answers = at_once([lambda n=n: add(n) for n in range(10)])  # type: ignore[misc]  # a default binds n
    assert {a.status_code for a in answers} == {201}
    assert place.revision == 11
    items = api.ok("GET", place.path + "/items")["items"]
    assert sorted(i["key"] for i in items) == sorted(f"k{n}" for n in range(10))
    assert sorted(i["position"] for i in items) == list(range(10))


def test_publish__ten_with_one_idempotency_key__make_one_release(place: Place) -> None:
    """All ten are answered, and all the same."""
    seen, before = place.revision, len(place.releases)
    headers = {"Idempotency-Key": fresh("key")}
    answers = at_once([lambda: place.publish(revision=seen, headers=headers)] * 10)
    assert {a.status_code for a in answers} == {201}
    assert len({a.text for a in answers}) == 1
    assert len(place.releases) == before + 1


def test_publish__ten_without_a_key__one_wins(place: Place) -> None:
    """The others are told that there is nothing left to publish, and what is live."""
    seen, before = place.revision, len(place.releases)
    answers = at_once([lambda: place.publish(revision=seen)] * 10)
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 9}
    (won,) = [a.json()["releases"][0]["release_id"] for a in answers if a.status_code == 201]
    refused = [a.json() for a in answers if a.status_code == 409]
    assert {(r["code"], r["live_release"]) for r in refused} == {("nothing_to_publish", won)}
    assert len(place.releases) == before + 1


def test_publish__of_two_namespaces_in_either_order__never_deadlocks(api: Api) -> None:
    """Both publishers take both locks; whoever is second sees a clear refusal."""
    first, app = api.place(), api.app()
    second = api.place(app=app)
    for round_ in range(5):
        first.write(f"a = {round_}\n")
        second.write(f"b = {round_}\n")
        there, back = [first.target, second.target], [second.target, first.target]
        answers = at_once(
            [
                lambda t=targets: api.call("POST", f"/environments/{ENVIRONMENT}/releases", {"namespaces": t})  # type: ignore[misc]  # a default binds t
                for targets in (there, back, there, back)
            ]
        )
        assert Counter(a.status_code for a in answers) == {201: 1, 409: 3}
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"nothing_to_publish"}
    assert len(first.releases) == len(second.releases) == 5


def test_rollback__ten_at_once__one_wins(api: Api) -> None:
    """Each named the live release that it saw."""
    place = api.place()
    first, second = place.release("a=1\n"), place.release("a=2\n")
    answers = at_once(
        [lambda: api.call("POST", place.path + "/rollback", {"to": first, "live": second})] * 10,
    )
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 9}
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"stale_release"}
    assert len(place.releases) == 3


def test_create__same_name_ten_times_at_once__one_wins(api: Api) -> None:
    """Ids that differ by case only count as one."""
    app = fresh("App")
    answers = at_once([lambda n=n: api.call("POST", "/apps", {"app_id": (app, app.lower())[n % 2]}) for n in range(10)])  # type: ignore[misc]  # a default binds n
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 9}
    path = f"/environments/{ENVIRONMENT}/apps/{api.app()}/namespaces"
    answers = at_once([lambda: api.call("POST", path, {"name": "application"})] * 10)
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 9}


def test_cluster_and_namespace__made_at_once__the_cluster_has_the_namespace(api: Api) -> None:
    """Whichever commits second sees the first: a new cluster never misses a namespace."""
    for _ in range(5):
        app = api.app()
        of = f"/environments/{ENVIRONMENT}/apps/{app}"
        made = ((f"{of}/clusters", "east"), (f"{of}/namespaces", "application"))
        answers = at_once([lambda p=path, n=name: api.call("POST", p, {"name": n}) for path, name in made])  # type: ignore[misc]  # defaults bind
        assert {a.status_code for a in answers} == {201}
        listed = api.ok("GET", f"{of}/clusters/east/namespaces")["items"]
        assert [n["name"] for n in listed] == ["application"]


def test_pages__read_while_entries_are_added__are_complete_and_without_duplicates(api: Api) -> None:
    """A cursor points behind an entry, not at a number of entries."""
    place = api.place()
    made = [place.release(f"a={n}\n") for n in range(7)]
    first = api.ok("GET", f"{place.path}/releases?limit=3")
    later = place.release("a=later\n")
    second = api.ok("GET", f"{place.path}/releases?limit=3&cursor={first['next_cursor']}")
    third = api.ok("GET", f"{place.path}/releases?limit=3&cursor={second['next_cursor']}")
    assert [r["id"] for page in (first, second, third) for r in page["items"]] == sorted(made, reverse=True)
    assert third["next_cursor"] is None
    assert [r["id"] for r in pages(api, place.path + "/releases", 2)] == [later, *sorted(made, reverse=True)]


def test_pages__of_any_size__hold_every_entry_once(api: Api) -> None:
    """Apps by id; the audit newest first, and each of its entries is there whatever the page size."""
    mine = sorted(api.app() for _ in range(5))
    for limit in (1, 2, 500):
        ids = [a["app_id"] for a in pages(api, "/apps", limit)] if limit > 1 else mine
        assert [a for a in ids if a in mine] == mine
        assert len(ids) == len(set(ids))
    whole = pages(api, "/audit")
    parts = pages(api, "/audit", 7)
    assert [e["id"] for e in parts] == [e["id"] for e in whole] == sorted({e["id"] for e in whole}, reverse=True)
    exact = api.ok("GET", f"/audit?limit={min(len(whole), 500)}")
    assert (len(exact["items"]), exact["next_cursor"] is None) == (min(len(whole), 500), len(whole) <= 500)


def test_place__names_in_another_case__are_the_same_namespace(api: Api) -> None:
    """The name of a namespace is compared ignoring case, everything else exactly (protocol, section 3)."""
    place = api.place("Routes.json", text="{}")
    assert Place(api, place.app, "routes.JSON").text == "{}"
    other = Place(api, place.app, "routes.json", cluster="Default")
    assert api.call("GET", other.path).status_code == 404


def test_branches__published_while_their_namespace_is__end_over_its_newest_release(api: Api) -> None:
    """Whoever comes first: no branch stays over a content that is not live any more."""
    place = api.place()
    place.release("base = 0\n")
    paths = [f"{place.path}/branches/{api.ok('POST', place.path + '/branches', {})['name']}" for _ in range(3)]
    draft = {"title": "", "priority": 1, "rules": [], "remove": []}
    for round_ in range(1, 6):
        place.write(f"base = {round_}\n")
        for n, path in enumerate(paths):
            assert api.call("PUT", path, draft | {"set": {f"gray{n}": str(round_)}}, revision=round_).status_code == 200
        publish = {"namespaces": [place.target]}
        calls = [partial(api.call, "POST", f"/environments/{ENVIRONMENT}/releases", publish)]
        calls += [partial(api.call, "POST", path + "/publish", {"revision": round_ + 1}) for path in paths]
        answers = at_once(calls)
        assert {a.status_code for a in answers} == {201}, [a.text for a in answers]
        live = place.releases[0]["id"]
        for n, path in enumerate(paths):
            release = api.ok("GET", f"{place.path}/releases/{api.ok('GET', path)['release']}")
            assert release["configurations"] == {"base": str(round_), f"gray{n}": str(round_)}
            assert release["release"]["source"] == live


def test_branches__created_at_once__stay_within_the_limit(api: Api, place: Place) -> None:
    answers = at_once([lambda: api.call("POST", place.path + "/branches", {})] * 25)
    assert Counter(a.status_code for a in answers) == {201: 20, 409: 5}
    assert len({a.json()["name"] for a in answers if a.status_code == 201}) == 20
    assert len(api.ok("GET", place.path + "/branches")["items"]) == 20
