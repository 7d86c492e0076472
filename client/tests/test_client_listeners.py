"""Listeners may do what they like: reads, polling and each other go on."""

from __future__ import annotations

import itertools
import logging
import threading
import time

import pytest

from helicon import ChangeEvent, Client
from helicon._impl import listeners as listeners_module
from helicon._impl.listeners import Dispatcher, Listener
from helicon.events import difference
from tests.support.clients import OpenClient
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import eventually, eventually_is


def follow(apollo: ScriptedServer, client: Client, value: str) -> None:
    """Publishes a value and waits until it can be read."""
    apollo.publish("application", {"a": value})
    eventually(lambda: client.namespace().get("a") == value, "the value")


def test_listener__patterns__decide_what_is_delivered(apollo: ScriptedServer, open_client: OpenClient) -> None:
    config = open_client(apollo.url).namespace()
    got: dict[str, list[str]] = {"http": [], "two": [], "all": [], "bare": [], "none": []}

    @config.on_change("http.*")
    def http(event: ChangeEvent) -> None:
        got["http"].extend(event.changes)

    @config.on_change("db.?", "HTTP.*")
    def two(event: ChangeEvent) -> None:
        got["two"].extend(event.changes)

    @config.on_change()
    def everything(event: ChangeEvent) -> None:
        got["all"].extend(event.changes)

    @config.on_change
    def bare(event: ChangeEvent) -> None:
        got["bare"].extend(event.changes)

    config.on_change("no.*")(lambda event: got["none"].extend(event.changes))
    apollo.publish("application", {"http.timeout": "1", "feature.cart": "true", "db.x": "1", "db.xy": "1"})
    eventually(lambda: len(got["all"]) == 3 and len(got["bare"]) == 3, "the events")
    eventually(lambda: got["http"] and got["two"], "the reduced events")
    assert got["http"] == ["http.timeout"]
    assert got["two"] == ["db.x"]
    assert got["none"] == []
    assert callable(http)
    assert callable(bare)


def test_listener__raises__is_logged_without_values_and_others_go_on(
    apollo: ScriptedServer, open_client: OpenClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client(apollo.url)
    got: list[ChangeEvent] = []

    @client.namespace().on_change()
    def bad(event: ChangeEvent) -> None:
        raise SystemExit(f"cannot use {event.changes['a'].new}")

    client.namespace().on_change()(got.append)
    for number in range(3):
        follow(apollo, client, f"s3cret{number}")
    eventually(lambda: len(got) == 3, "the other listener")
    eventually(lambda: client.status().listener_errors == 3, "the count")
    messages = [record.getMessage() for record in caplog.records]
    assert any("listener_failed" in message and "SystemExit" in message for message in messages)
    assert not any("s3cret" in message for message in messages)
    assert all(record.name == "helicon" for record in caplog.records if record.name.startswith("helicon"))


def test_listener__blocks__others_and_polling_go_on(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    release = threading.Event()
    blocked: list[str | None] = []
    got: list[str | None] = []

    @client.namespace().on_change("a")
    def slow(event: ChangeEvent) -> None:
        release.wait(30)
        blocked.append(event.changes["a"].new)

    @client.namespace().on_change("a")
    def quick(event: ChangeEvent) -> None:
        got.append(event.changes["a"].new)

    values = [str(number) for number in range(5)]
    try:
        for value in values:
            follow(apollo, client, value)
        eventually(lambda: got == values, "the quick listener")
        assert client.status().listeners_busy == 1
        assert blocked == []
    finally:
        release.set()
    eventually(lambda: blocked == values, "the slow listener, in order")


def test_listener__calls_back_into_the_client__does_not_deadlock(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    apollo.publish("redis", {"host": "h"})
    client = open_client(apollo.url)
    got: list[object] = []

    @client.namespace().on_change("a")
    def curious(_: ChangeEvent) -> None:
        got.append(client.namespace().get("a"))
        got.append(client.namespace("redis").get("host"))
        got.append(client.status().namespaces["application"].source)
        client.namespace().on_change("b")(got.append)
        client.namespace().remove_listener(curious)
        client.close()

    follow(apollo, client, "1")
    eventually(lambda: len(got) == 3, "the calls back")
    assert got == ["1", "h", "server"]
    eventually(lambda: client.status().connection == "closed", "the close")


def test_listener__removed__hears_no_more(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    removed: list[ChangeEvent] = []
    kept: list[ChangeEvent] = []

    def first(event: ChangeEvent) -> None:
        removed.append(event)

    client.namespace().on_change(first)
    client.namespace().on_change()(kept.append)
    follow(apollo, client, "1")
    eventually(lambda: removed and kept, "the first event")
    client.namespace().remove_listener(first)
    follow(apollo, client, "2")
    eventually(lambda: len(kept) == 2, "the second event")
    assert len(removed) == 1


def test_listener__sees_at_least_the_release_of_its_event(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    wrong: list[str] = []
    seen: list[str] = []

    @client.namespace().on_change("a")
    def check(event: ChangeEvent) -> None:
        told = event.changes["a"].new or ""
        if int(client.namespace().get("a", default="-1")) < int(told):
            wrong.append(told)
        seen.append(told)

    for number in range(20):
        apollo.publish("application", {"a": str(number)})
    eventually(lambda: "19" in seen, "the last event")
    assert wrong == []


def event(old: str, new: str) -> ChangeEvent:
    return ChangeEvent("application", "r" + old, "r" + new, difference({"a": old}, {"a": new}))


def test_dispatcher__full_mailbox__folds_into_the_newest_and_says_so() -> None:
    dispatcher = Dispatcher("helicon-listen-test")
    release, entered = threading.Event(), threading.Event()
    got: list[ChangeEvent] = []

    def slow(given: ChangeEvent) -> None:
        entered.set()
        release.wait(30)
        got.append(given)

    listener = Listener(slow, lambda _: True)
    total = listeners_module.MAILBOX_LIMIT + 100
    try:
        dispatcher.post(listener, event("0", "1"))
        assert entered.wait(10)
        for number in range(1, total):
            dispatcher.post(listener, event(str(number), str(number + 1)))
        assert len(listener.mailbox) == listeners_module.MAILBOX_LIMIT
    finally:
        release.set()
    eventually(lambda: got and got[-1].changes["a"].new == str(total), "the newest state")
    assert len(got) == listeners_module.MAILBOX_LIMIT + 1
    assert dispatcher.coalesced == got[-1].coalesced == 99
    for before, after in itertools.pairwise(got):
        assert before.changes["a"].new == after.changes["a"].old
    dispatcher.close(time.monotonic() + 10)


def test_dispatcher__idle__ends_its_threads_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners_module, "LINGER_SECONDS", 0.01)
    dispatcher = Dispatcher("helicon-listen-idle")
    got: list[ChangeEvent] = []
    listener = Listener(got.append, lambda _: True)

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("helicon-listen-idle")]

    for number in range(1, 4):
        dispatcher.post(listener, event("0", str(number)))
        eventually_is(lambda: len(got), number, "the number of events")
        eventually(lambda: not threads(), "the end of the threads")


def test_dispatcher__many_stuck_listeners__never_take_more_threads_than_the_limit() -> None:
    dispatcher = Dispatcher("helicon-listen-stuck")
    release = threading.Event()
    done: list[int] = []

    def stuck(_: ChangeEvent) -> None:
        release.wait(30)
        done.append(1)

    count = listeners_module.THREAD_LIMIT + 10
    try:
        for _ in range(count):
            dispatcher.post(Listener(stuck, lambda _: True), event("0", "1"))
        eventually(lambda: dispatcher.busy == listeners_module.THREAD_LIMIT, "all threads to be taken")
        names = [thread.name for thread in threading.enumerate()]
        taken = [name for name in names if name.startswith("helicon-listen-stuck")]
        assert len(taken) == listeners_module.THREAD_LIMIT
    finally:
        release.set()
    eventually(lambda: len(done) == count, "every listener")
    dispatcher.close(time.monotonic() + 10)


def test_client__closed_while_a_listener_is_stuck__returns_within_its_time(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    client = open_client(apollo.url)
    release, entered = threading.Event(), threading.Event()

    @client.namespace().on_change()
    def stuck(_: ChangeEvent) -> None:
        entered.set()
        release.wait(60)

    try:
        apollo.publish("application", {"a": "1"})
        assert entered.wait(10)
        closing = threading.Thread(target=lambda: client.close(timeout=0.2))
        closing.start()
        closing.join(20)
        assert not closing.is_alive()
    finally:
        release.set()


def test_client__logging__goes_through_its_own_logger_and_installs_nothing() -> None:
    assert logging.getLogger("helicon").handlers == []
