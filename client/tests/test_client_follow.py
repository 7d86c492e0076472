"""Following releases: what is published arrives, whatever the servers do meanwhile."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from helicon import ChangeEvent, ChangeKind, Connection, Source
from helicon._impl import backoff, progress
from tests.support import scripted_server as scripts
from tests.support.clients import OpenClient
from tests.support.scripted_server import Reply, ScriptedServer, json_answer, not_found, scripted_server
from tests.support.waiting import eventually, eventually_is


def collect(client: object, *patterns: str) -> list[ChangeEvent]:
    """Registers a listener for `application` and returns the list that it fills."""
    events: list[ChangeEvent] = []
    client.namespace().on_change(*patterns)(events.append)  # type: ignore[attr-defined]  # a Client
    return events


def test_follow__publish__changes_values_and_tells_old_and_new(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    events = collect(client)
    before = client.namespace().snapshot()
    release = apollo.publish("application", {"http.timeout": "3000", "new": "n"})
    eventually(lambda: events, "the event")
    (event,) = events
    assert (event.old_release_key, event.new_release_key) == (before.release_key, release.release_key)
    seen = {key: (change.kind, change.old, change.new) for key, change in event.changes.items()}
    assert seen == {
        "http.timeout": (ChangeKind.MODIFIED, "2500", "3000"),
        "feature.cart": (ChangeKind.DELETED, "true", None),
        "new": (ChangeKind.ADDED, None, "n"),
    }
    assert client.namespace().get("http.timeout") == "3000"
    assert before["http.timeout"] == "2500", "a snapshot never changes"
    eventually(
        lambda: client.status().namespaces["application"].notification_id == release.notification_id,
        "the confirmed id",
    )


def test_follow__several_namespaces_at_once__each_arrives(apollo: ScriptedServer, open_client: OpenClient) -> None:
    names = ["application", "a", "b", "routes.json"]
    for name in names:
        apollo.publish(name, {"content": "0"})
    client = open_client(apollo.url, namespaces=names)
    for round_number in range(1, 6):
        for name in names:
            apollo.publish(name, {"content": str(round_number)})
    eventually_is(lambda: [client.namespace(name).content for name in names], ["5"] * 4, "the values")


def test_follow__fifty_publishes_in_a_row__ends_at_the_last_and_in_order(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    client = open_client(apollo.url)
    events = collect(client, "n")
    for number in range(50):
        apollo.publish("application", {"n": str(number)})
    eventually(lambda: client.namespace().get("n") == "49", "the last value")
    eventually(lambda: events and events[-1].changes["n"].new == "49", "the last event")
    seen = [int(event.changes["n"].new or "-1") for event in events]
    assert seen == sorted(seen)


def test_follow__same_values_published_again__tells_nobody(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    events = collect(client)
    same = client.namespace().snapshot().as_dict()
    release = apollo.publish("application", same)
    eventually(lambda: client.namespace().snapshot().release_key == release.release_key, "the release")
    apollo.publish("application", {"x": "1"})
    eventually(lambda: events, "the event of the change")
    assert set(events[0].changes) == {"http.timeout", "feature.cart", "x"}


def test_follow__stale_answers_after_a_notice__are_not_kept_for_ever(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notice came, but the first reads still give the release before."""
    monkeypatch.setattr(progress, "RECHECK_SECONDS", (0.02, 0.05, 0.1, 0.2))
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    apollo.stale["application"] = 3
    release = apollo.publish("application", {"http.timeout": "1"})
    eventually(lambda: client.namespace().get("http.timeout") == "1", "the promised release")
    eventually(
        lambda: client.status().namespaces["application"].notification_id == release.notification_id,
        "the confirmed id",
    )
    fetches = [request for request in apollo.requests if request.kind == "configs"]
    assert f'"shop+default+application":{release.notification_id}' in fetches[-1].query["messages"]


def test_follow__notice_without_new_release__does_not_poll_in_a_loop(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of gray rules sends a notice and leaves the release as it was."""
    monkeypatch.setattr(progress, "RECHECK_SECONDS", (0.01, 0.01))
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    apollo.notify_again("application")
    marker = apollo._releases["application"].notification_id
    eventually(lambda: client.status().namespaces["application"].notification_id == marker, "the confirmed id")
    eventually(apollo.polls_held, "the next poll")
    assert apollo.count("notifications") <= 4


def test_follow__rollback__goes_back_to_the_older_release(apollo: ScriptedServer, open_client: OpenClient) -> None:
    older = apollo.publish("application", {"v": "1"}, key="20240101000000-aa")
    client = open_client(apollo.url)
    apollo.publish("application", {"v": "2"}, key="20250101000000-bb")
    eventually(lambda: client.namespace().get("v") == "2", "the newer release")
    apollo.publish("application", {"v": "1"}, key=older.release_key)
    eventually(lambda: client.namespace().get("v") == "1", "the rollback")


def test_follow__namespace_removed__keeps_the_copy_and_says_so(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    apollo.script("configs", not_found(), repeat=True)
    apollo.notify_again("application")

    def error() -> str:
        return client.status().namespaces["application"].last_error or ""

    eventually(lambda: error().startswith("not_released"), "the note in the status")
    assert client.namespace().get("http.timeout") == "2500"
    apollo.script("configs")
    apollo.publish("application", {"http.timeout": "1"})
    eventually(lambda: client.namespace().get("http.timeout") == "1", "the release after it")
    assert error() == ""


RELEASE = {
    "appId": "shop",
    "cluster": "default",
    "namespaceName": "application",
    "configurations": {"http.timeout": "3"},
    "releaseKey": "r",
}


def test_follow__answer_that_comes_after_the_end_of_the_start__is_waited_for(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    """Nobody waits for the start any more, so its end must not cut short an exchange that began before it."""
    client = open_client(apollo.url, start_timeout=2.0)
    events = collect(client, "http.timeout")
    end = client._follower._start_deadline

    def late(connection: socket.socket) -> None:
        eventually(lambda: time.monotonic() > end + 0.1, "the end of the start")
        connection.sendall(json_answer(200, RELEASE))

    apollo.script("configs", late)
    apollo.notify_again("application")
    eventually(lambda: events and events[0].changes["http.timeout"].new == "3", "the late answer")


TROUBLE: dict[str, Reply] = {
    "html_200": scripts.html(),
    "html_502": scripts.html(502),
    "empty": scripts.answer(200, b""),
    "error_500": scripts.json_answer(500, {"status": 500}),
    "redirect": scripts.answer(302, b"", "Location: http://127.0.0.1:1/"),
    "array": scripts.json_answer(200, []),
    "half_an_object": scripts.json_answer(200, {"appId": "shop"}),
    "number_as_value": scripts.json_answer(200, {**RELEASE, "configurations": {"http.timeout": 3}}),
    "other_app": scripts.json_answer(200, {**RELEASE, "appId": "other"}),
    "not_modified": scripts.answer(304),
    "not_http": b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
    "truncated": scripts.truncated,
    "reset": scripts.reset,
    "slow_loris": scripts.dribble,
    "huge": scripts.huge,
    "black_hole": scripts.silence,
}


@pytest.mark.parametrize("kind", ["configs", "notifications", "services"])
@pytest.mark.parametrize("trouble", TROUBLE)
def test_follow__trouble_then_truth__keeps_the_value_and_recovers(
    apollo: ScriptedServer,
    open_client: OpenClient,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    trouble: str,
) -> None:
    monkeypatch.setattr("helicon._impl.transport.READ_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr("helicon._impl.follower.READ_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(progress, "RECHECK_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(backoff, "CAP_SECONDS", 0.2)
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    seen: set[str | None] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.001):
            seen.add(client.namespace().get("http.timeout"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        apollo.script(kind, *[TROUBLE[trouble]] * 3)
        apollo.cut()
        apollo.publish("application", {"http.timeout": "9"})
        eventually(lambda: client.namespace().get("http.timeout") == "9", "the new value")
    finally:
        stop.set()
        watcher.join()
    assert seen <= {"2500", "9"}


def test_follow__servers_gone_for_good__reads_on_and_says_so(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "CAP_SECONDS", 0.05)
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    apollo.stop()
    eventually(lambda: client.status().connection is Connection.INTERRUPTED, "the state")
    assert client.namespace().get("http.timeout") == "2500"
    entry = client.status().namespaces["application"]
    assert entry.source is Source.SERVER
    first = entry.age_seconds
    assert first is not None
    eventually(lambda: (client.status().namespaces["application"].age_seconds or 0) > first, "its age to grow")
    assert client.status().last_error is not None


def test_follow__same_server_back_with_nothing_new__says_connected_at_once(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll alone would be held for a minute before it proved anything."""
    monkeypatch.setattr(progress, "RECHECK_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(backoff, "CAP_SECONDS", 0.05)
    monkeypatch.setattr(progress, "RECHECK_RETRY_SECONDS", 300.0)
    client = open_client(apollo.url)
    eventually(lambda: client.status().namespaces["application"].notification_id > 0, "the confirmed id")
    release = apollo._releases["application"]
    port = apollo.port
    apollo.stop()
    eventually(lambda: client.status().connection is Connection.INTERRUPTED, "the state")
    with scripted_server(port=port) as back:
        back._releases["application"] = release
        eventually(lambda: client.status().connection is Connection.CONNECTED, "the state")
        eventually(back.polls_held, "the poll")
        assert client.status().last_error is None


def test_follow__polls_alone_fail__brings_changes_late_and_says_why_once(
    apollo: ScriptedServer,
    open_client: OpenClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A proxy that forbids long polls must neither hide changes nor be hammered."""
    waits: list[int] = []
    full_jitter = backoff.full_jitter

    def quick(attempt: int, unit: float, **options: float) -> float:
        waits.append(attempt)
        return full_jitter(1, unit, base=0.01, cap=0.01)

    monkeypatch.setattr(backoff, "full_jitter", quick)
    apollo.script("notifications", scripts.html(502), repeat=True)
    client = open_client(apollo.url)
    apollo.publish("application", {"http.timeout": "1"})
    eventually(lambda: client.namespace().get("http.timeout") == "1", "the new value")
    eventually(lambda: len(waits) > 6, "several rounds")
    assert waits[:7] == [1, 2, 3, 4, 5, 6, 7], "the waits do not grow"
    assert client.status().connection is Connection.CONNECTED
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 1
    assert told[0].startswith("polls_fail ")


def test_follow__server_restarted__delivers_the_next_publish(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    port, values = apollo.port, client.namespace().snapshot().as_dict()
    apollo.stop()
    with scripted_server(port=port) as again:
        again.publish("application", values)
        again.publish("application", {**values, "http.timeout": "1"})
        eventually(lambda: client.namespace().get("http.timeout") == "1", "the new value")
        again.publish("application", {**values, "http.timeout": "2"})
        eventually(lambda: client.namespace().get("http.timeout") == "2", "the next value")
        assert client.status().connection is Connection.CONNECTED
        eventually_is(lambda: client.status().failures, 0, "the failures in a row")


def test_follow__key_revoked_and_given_back__keeps_the_copy_and_recovers(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "DENIED_CAP_SECONDS", 0.05)
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    for kind in ("configs", "notifications"):
        apollo.script(kind, json_answer(401, {"status": 401}), repeat=True)
    apollo.cut()
    eventually(lambda: client.status().connection is Connection.DENIED, "the state")
    assert client.namespace().get("http.timeout") == "2500"
    for kind in ("configs", "notifications"):
        apollo.script(kind)
    apollo.publish("application", {"http.timeout": "1"})
    eventually(lambda: client.namespace().get("http.timeout") == "1", "the new value")
    assert client.status().connection is Connection.CONNECTED


def test_follow__unreachable_homepage__falls_back_to_the_meta_address(open_client: OpenClient) -> None:
    with scripted_server() as gone:
        unreachable = gone.url + "/"
    with scripted_server(services=[unreachable, "ftp://x/", "http://user@host/"]) as server:
        server.publish("application", {"a": "1"})
        client = open_client(server.url)
        assert client.namespace().get("a") == "1"
        server.publish("application", {"a": "2"})
        eventually(lambda: client.namespace().get("a") == "2", "the new value")


def test_follow__discovered_server__is_preferred_and_replaced_when_it_dies(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    with scripted_server() as other:
        other.publish("application", {"from": "other"})
        apollo.services = [other.url + "/"]
        client = open_client(apollo.url)
        assert client.namespace().get("from") == "other"
        assert apollo.count("configs") == 0
        eventually(other.polls_held, "the poll")
    # Its release is newer than the one held, so the client takes it over from the meta address.
    apollo.publish("application", {"from": "meta"}, key="20990101000000-aa")
    eventually(lambda: client.namespace().get("from") == "meta", "the other server")


def test_follow__several_meta_addresses__one_alive_is_enough(apollo: ScriptedServer, open_client: OpenClient) -> None:
    with scripted_server() as gone:
        dead = gone.url
    for _ in range(4):
        client = open_client(f"{dead},{apollo.url}", cache_dir="off")
        assert client.status().source is Source.SERVER
        client.close()


def incremental(key: str, *changes: dict[str, str]) -> Reply:
    answer = {
        "appId": "shop",
        "cluster": "default",
        "namespaceName": "application",
        "releaseKey": key,
        "configSyncType": "IncrementalSync",
        "configurationChanges": list(changes),
    }
    return json_answer(200, answer)


def test_follow__incremental_answer__is_applied_to_what_is_held(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    client = open_client(apollo.url)
    events = collect(client)
    eventually(apollo.polls_held, "the poll")
    apollo.script(
        "configs",
        incremental(
            "20990101000000-aa",
            {"key": "http.timeout", "newValue": "1", "configurationChangeType": "MODIFIED"},
            {"key": "feature.cart", "configurationChangeType": "DELETED"},
            {"key": "new", "newValue": "n", "configurationChangeType": "ADDED"},
        ),
    )
    apollo.publish("application", {"http.timeout": "1", "new": "n"}, key="20990101000000-aa")

    eventually(lambda: events, "the event")

    assert client.namespace().snapshot().as_dict() == {"http.timeout": "1", "new": "n"}
    assert client.namespace().snapshot().release_key == "20990101000000-aa"
    assert {key: change.kind for key, change in events[0].changes.items()} == {
        "http.timeout": ChangeKind.MODIFIED,
        "feature.cart": ChangeKind.DELETED,
        "new": ChangeKind.ADDED,
    }
    assert "releaseKey" in [r for r in apollo.requests if r.kind == "configs"][-1].query


@pytest.mark.parametrize(
    "change",
    [
        {"key": "unknown", "newValue": "1", "configurationChangeType": "MODIFIED"},
        {"key": "unknown", "configurationChangeType": "DELETED"},
        {"key": "http.timeout", "newValue": "1", "configurationChangeType": "ADDED"},
    ],
)
def test_follow__incremental_answer_for_another_base__is_asked_again_as_a_whole(
    apollo: ScriptedServer, open_client: OpenClient, change: dict[str, str]
) -> None:
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    apollo.script("configs", incremental("20990101000000-aa", change))
    apollo.publish("application", {"http.timeout": "1"})
    eventually(lambda: client.namespace().get("http.timeout") == "1", "the whole release")
    assert "releaseKey" not in [r for r in apollo.requests if r.kind == "configs"][-1].query


def test_follow__one_namespace_always_bad__does_not_keep_the_others_from_theirs(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server() as server:
        server.publish("bad", {"a": "1"})
        server.publish("good", {"a": "1"})
        truth = server._configs

        def spoiled(request: scripts.Request) -> bytes:
            return scripts.html() if request.path.endswith("/bad") else truth(request)

        monkeypatch.setattr(server, "_configs", spoiled)
        client = open_client(server.url, namespaces=["bad", "good"], start_timeout=0.5)
        assert client.namespace("good").get("a") == "1"
        for value in ("2", "3"):
            server.publish("bad", {"a": value})
            server.publish("good", {"a": value})
            eventually_is(lambda: client.namespace("good").get("a"), value, "the good one")
        entry = client.status().namespaces["bad"]
        assert entry.source is Source.NONE
        assert (entry.last_error or "").startswith("bad_answer: ")


def test_follow__idle_poll_cut_by_a_proxy__is_no_error(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helicon._impl.transport.QUIET_CUT_SECONDS", 0.0)
    client = open_client(apollo.url)
    for _ in range(5):
        eventually(apollo.polls_held, "the poll")
        polls = apollo.count("notifications")
        apollo.cut()
        eventually_is(lambda: apollo.count("notifications"), polls + 1, "the number of polls")
    eventually(apollo.polls_held, "the next poll")
    assert client.status().failures == 0
    assert client.status().connection is Connection.CONNECTED
