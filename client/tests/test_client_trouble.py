"""Trouble of one namespace, and patience that servers ask for: neither is spread, neither is forgotten."""

from __future__ import annotations

import pytest

from helicon import Client, Connection, Source
from helicon._impl import backoff, progress
from tests.support import scripted_server as scripts
from tests.support.clients import OpenClient
from tests.support.scripted_server import Reply, Request, ScriptedServer, answer
from tests.support.waiting import eventually, eventually_is


def spoil(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, namespace: str, reply: Reply) -> None:
    """Gives every request for the values of one namespace this answer."""
    truth = server._configs

    def spoiled(request: Request) -> Reply:
        return reply if request.path.endswith("/" + namespace) else truth(request)

    monkeypatch.setattr(server, "_configs", spoiled)


def nothing_new(server: ScriptedServer, times: int = 3) -> None:
    """Ends polls with 304 and waits until the client has taken the last of them in and polls again."""
    eventually(server.polls_held, "the poll before")
    polls = server.count("notifications")
    server.script("notifications", *[answer(304)] * times)
    eventually(lambda: server.count("notifications") >= polls + times, "the polls that bring nothing")
    eventually(lambda: not server.scripts["notifications"] and server.polls_held(), "the poll after")


def last_error(client: Client, namespace: str) -> str:
    return client.status().namespaces[namespace].last_error or ""


@pytest.mark.parametrize("kind", ["configs", "notifications"])
@pytest.mark.parametrize("status", [429, 503])
def test_follow__server_asks_for_patience__waits_at_least_that_long(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch, kind: str, status: int
) -> None:
    """The jitter comes on top, so that a fleet told the same time does not return at once."""
    asked: list[float] = []
    full_jitter = backoff.full_jitter

    def noted(attempt: int, unit: float, *, cap: float, at_least: float) -> float:
        asked.append(at_least)
        wait = full_jitter(attempt, unit, cap=cap, at_least=at_least)
        assert wait >= at_least
        return 0.01

    monkeypatch.setattr(backoff, "full_jitter", noted)
    apollo.script(kind, answer(status, b"", "Retry-After: 41"), repeat=True)
    client = open_client(apollo.url, start_timeout=0.2)
    eventually(lambda: 41.0 in asked, "the wait that the server asked for")
    apollo.script(kind)
    eventually(apollo.polls_held, "the poll")
    assert client.namespace().get("http.timeout") == "2500"


def test_follow__one_namespace_always_bad__the_others_are_polled_for(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the poll, changes would still arrive by looks, but late and never at rest."""
    apollo.publish("bad", {"a": "1"})
    spoil(apollo, monkeypatch, "bad", scripts.html())
    client = open_client(apollo.url, namespaces=["bad", "application"], start_timeout=0.5)
    for _ in range(3):
        eventually(apollo.polls_held, "the poll")
        polls = apollo.count("notifications")
        apollo.notify_again("bad")
        eventually(lambda before=polls: apollo.count("notifications") > before, "the next poll")  # type: ignore[misc]  # a default
    eventually(apollo.polls_held, "the last poll")
    assert client.status().failures == 0
    assert client.status().connection is Connection.CONNECTED
    assert last_error(client, "bad").startswith("bad_answer: ")


def test_follow__one_namespace_uses_up_the_time__the_others_go_first(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timeout ends the round, for it may mean all of them; the next one begins with those without trouble."""
    monkeypatch.setattr("helicon._impl.transport.READ_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr("helicon._impl.follower.READ_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(backoff, "CAP_SECONDS", 0.05)
    apollo.publish("slow", {"a": "1"})
    spoil(apollo, monkeypatch, "slow", scripts.silence)
    client = open_client(apollo.url, namespaces=["slow", "application"], start_timeout=0.1)
    eventually_is(lambda: client.namespace("application").get("http.timeout"), "2500", "the value of the other")
    assert client.status().namespaces["slow"].source is Source.NONE


def test_follow__nothing_new__does_not_make_an_unreleased_namespace_well(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    client = open_client(apollo.url, namespaces=["nothing", "application"])
    nothing_new(apollo)
    assert last_error(client, "nothing").startswith("not_released: ")
    assert client.status().namespaces["nothing"].age_seconds is None
    assert last_error(client, "application") == ""


def test_follow__nothing_new__does_not_stand_for_a_first_answer(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namespace that no server has said anything about is asked for again, poll after poll."""
    spoil(apollo, monkeypatch, "bad", scripts.html())
    client = open_client(apollo.url, namespaces=["bad", "application"], start_timeout=0.5)
    nothing_new(apollo)
    assert last_error(client, "bad").startswith("bad_answer: ")
    assert client.status().namespaces["bad"].age_seconds is None
    monkeypatch.undo()
    apollo.publish("bad", {"a": "1"})
    eventually_is(lambda: client.namespace("bad").get("a"), "1", "the first release")


def test_follow__nothing_new__does_not_settle_a_notice_that_could_not_be_followed_up(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id in the poll is the one of the notice already, so the server has nothing to add; the values are old."""
    monkeypatch.setattr(progress, "RECHECK_RETRY_SECONDS", 3600.0)
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    apollo.script("configs", scripts.html(), repeat=True)
    apollo.publish("application", {"http.timeout": "9"})
    eventually(lambda: last_error(client, "application"), "the look that failed")
    nothing_new(apollo)
    assert last_error(client, "application").startswith("bad_answer: ")
    assert client.namespace().get("http.timeout") == "2500"


def test_follow__nothing_new__says_that_the_values_are_current(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counterpart: where nothing is open, a 304 is the servers' word."""
    monkeypatch.setattr(progress, "RECHECK_SECONDS", (0.01,))
    client = open_client(apollo.url)
    eventually(lambda: client.status().namespaces["application"].notification_id > 0, "the confirmed id")
    state = client._follower._states["application"]
    before = state._confirmed_at
    assert before is not None
    nothing_new(apollo)
    assert (state._confirmed_at or 0.0) > before
