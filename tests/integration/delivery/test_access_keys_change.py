"""Access keys that change on real nodes: how soon it counts on all of them, and what observer mode notes.

Nothing but the message in the transaction of a change can tell the planes: no sweep is due.
"""

from __future__ import annotations

import json
import re
import threading
from functools import partial

import pytest

from tests.integration.delivery.guarded import (
    APP,
    FOLLOWS_S,
    OTHER_SECRET,
    READ,
    SECRET,
    SURFACES,
    UNSIGNED,
    WRONG,
    Guarded,
    Wire,
    ask,
    ask_signed,
    poll_of,
    signed,
)
from tests.support.server import ServerProcess, Servers, run_server_command
from tests.support.wait import wait_until


@pytest.fixture
def guarded(servers: Servers) -> Guarded:
    """A node with the app, whose clients need not sign yet. Only notices tell its plane of changes, no sweep."""
    return Guarded(servers.start(env={"HELICON_SWEEP_S": "300"}))


@pytest.fixture
def cluster(servers: Servers, postgres_url: str) -> Guarded:
    """The same on two nodes of one PostgreSQL."""
    assert run_server_command("migrate", "--database-url", postgres_url).returncode == 0
    return Guarded(*(servers.start(database_url=postgres_url, env={"HELICON_SWEEP_S": "300"}) for _ in range(2)))


@pytest.mark.postgres
def test_key__made_switched_and_deleted_on_one_node__counts_on_all(cluster: Guarded) -> None:
    """No sweep is due: the message in the transaction of the change is what tells them."""
    cluster.settle(None, 200, None)
    first = cluster.enforce()
    cluster.settle(SECRET, 200, None)

    second = cluster.create("filter", OTHER_SECRET)
    cluster.settle(OTHER_SECRET, 200, None)
    cluster.settle(SECRET, 200, None)

    cluster.change(first, enabled=False)
    cluster.settle(SECRET, *WRONG)
    cluster.settle(OTHER_SECRET, 200, None)

    cluster.change(second, mode="observer")
    cluster.settle(None, 200, None)
    cluster.change(second, mode="filter")
    cluster.settle(None, *UNSIGNED)

    cluster.change(second, enabled=False)
    cluster.delete(second)
    cluster.settle(None, 200, None)


@pytest.mark.postgres
def test_polls__held_when_the_app_begins_to_enforce__are_let_go_on_every_node(cluster: Guarded) -> None:
    """Whoever must sign now learns it at once, and nobody listens on who could not ask anew."""
    seen = cluster.release("greeting = again")
    for node in cluster.nodes:
        wait_until(partial(reads, node, b"again"), FOLLOWS_S, "release on every node")
    answers: list[Wire] = []

    def hold(node: ServerProcess) -> None:
        answers.append(ask(node, poll_of(seen), deadline_s=50))

    polls = [threading.Thread(target=hold, args=[node]) for node in cluster.nodes]
    for poll in polls:
        poll.start()
    for node in cluster.nodes:
        wait_until(partial(holds_a_poll, node), FOLLOWS_S, "held poll")
    cluster.enforce()
    for poll in polls:
        poll.join(FOLLOWS_S)
    assert [answer.status for answer in answers] == [304, 304]


def reads(node: ServerProcess, expected: bytes) -> bool:
    return expected in ask(node, READ).body


def holds_a_poll(node: ServerProcess) -> bool:
    """By the node's own word."""
    return re.search(rb"^helicon_polls_held\S* 1\b", ask(node, "/metrics").body, re.MULTILINE) is not None


def test_key__survives_a_restart(guarded: Guarded) -> None:
    """Opened with the master key again."""
    guarded.enforce()
    assert guarded.node.stop() == 0
    guarded.node.start()
    assert ask(guarded.node, READ).verdict == UNSIGNED
    assert ask_signed(guarded.node).status == 200


def test_workers__all_enforce(servers: Servers) -> None:
    """Each worker opens the keys for itself; the kernel spreads connections over them."""
    guarded = Guarded(servers.start("--workers", "2", env={"HELICON_MASTER_KEY": ""}))
    guarded.create("filter")
    wait_until(lambda: all(ask(guarded.node, READ).verdict == UNSIGNED for _ in range(24)), FOLLOWS_S, "both workers")
    wait_until(lambda: all(ask_signed(guarded.node).status == 200 for _ in range(24)), FOLLOWS_S, "both workers")


def test_observer__never_blocks_and_notes_who_is_not_ready(guarded: Guarded) -> None:
    """The first step of a roll-out; the note holds neither secret nor signature."""
    guarded.create("observer")
    wait_until(
        lambda: ask(guarded.node, READ).status == 200 and guarded.node.logs("delivery.access_observed"),
        FOLLOWS_S,
        "note of an unsigned request",
    )
    for target in SURFACES:
        assert ask(guarded.node, target).status == 200
        assert ask_signed(guarded.node, target, OTHER_SECRET).status == 200
        assert ask_signed(guarded.node, target).status == 200
    notes = guarded.node.logs("delivery.access_observed")
    assert {(note["environment"], note["app"], note["peer"]) for note in notes} == {("DEV", APP, "127.0.0.1")}
    assert [note["code"] for note in notes] == ["unsigned", "invalid_signature"], "once each"
    page = guarded.node.request("GET", "/metrics", token=None).body
    assert b'helicon_access_observed_total{code="invalid_signature"' in page


def test_observer__beside_a_key_that_refuses__is_not_consulted(guarded: Guarded) -> None:
    guarded.create("observer", OTHER_SECRET)
    guarded.enforce()
    assert ask_signed(guarded.node, READ, OTHER_SECRET).verdict == WRONG
    assert ask_signed(guarded.node, READ, SECRET).status == 200


def test_disabled_keys__are_no_keys(guarded: Guarded) -> None:
    """An app whose keys are all switched off is open, and the placeholder of one is not there at all."""
    key = guarded.enforce()
    guarded.change(key, enabled=False)
    guarded.settle(None, 200, None)
    guarded.settle(OTHER_SECRET, 200, None)


def test_secrets__are_in_no_log(guarded: Guarded) -> None:
    """Neither the secret nor a signature, whatever was refused."""
    guarded.enforce()
    sent = [ask_signed(guarded.node, target, secret) for target in SURFACES for secret in (SECRET, OTHER_SECRET)]
    assert {answer.status for answer in sent} == {200, 401}
    headers = signed(READ, OTHER_SECRET)
    assert ask(guarded.node, READ, *headers).verdict == WRONG
    written = guarded.node.stdout + guarded.node.stderr + json.dumps([answer.body.decode() for answer in sent])
    for secret in (SECRET, OTHER_SECRET, headers[0].rpartition(":")[2].strip()):
        assert secret not in written
