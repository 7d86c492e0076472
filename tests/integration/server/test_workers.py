"""Several workers on the embedded database: each delivers what any of them published, and a dead one is replaced."""

from __future__ import annotations

import os
import signal

import pytest

from tests.integration.server.clients import HeldPoll, prepared, release, served
from tests.integration.server.processes import alive, kill, sockets_of, workers_of
from tests.support.management import Published
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until

DEADLINE_S = 30
FRESH_CONNECTIONS = 24  # the kernel spreads them over the workers


@pytest.fixture
def node(servers: Servers) -> ServerProcess:
    """Two workers on one SQLite file. A sweep that never comes proves that the change check tells them."""
    return servers.start("--workers", "2", env={"HELICON_SWEEP_S": "300"})


def polls_on_every_worker(node: ServerProcess, seen: int) -> list[HeldPoll]:
    """Held polls, opened until each worker holds at least one."""
    before = {pid: sockets_of(pid) for pid in workers_of(node.pid)}
    assert len(before) == 2
    polls: list[HeldPoll] = []

    def each_has_one() -> bool:
        polls.append(HeldPoll(node, seen))
        return all(sockets_of(pid) > count for pid, count in before.items())

    wait_until(each_has_one, DEADLINE_S, "poll on every worker")
    return polls


def everywhere(node: ServerProcess, published: Published) -> bool:
    """Whether all of many fresh connections read this release."""
    return all(served(node) == published.release_key for _ in range(FRESH_CONNECTIONS))


def test_release__published_on_one_worker__is_delivered_by_both(node: ServerProcess) -> None:
    """Both wake their pollers, and reads from either are the new release."""
    first = prepared(node)
    wait_until(lambda: everywhere(node, first), DEADLINE_S, "first release on both workers")
    polls = polls_on_every_worker(node, first.notification_id)
    second = release(node, "n = 2\n")
    for poll in polls:
        status, body = poll.answer()
        assert (status, f'"notificationId":{second.notification_id}' in body) == (200, True)
    wait_until(lambda: everywhere(node, second), DEADLINE_S, "second release on both workers")


def test_worker__killed__is_replaced_and_the_other_goes_on(node: ServerProcess) -> None:
    """Polls of the other worker stay held; the new one serves what was published before and after."""
    first = prepared(node)
    wait_until(lambda: everywhere(node, first), DEADLINE_S, "first release on both workers")
    victim, survivor = workers_of(node.pid)
    kill(victim)

    def replaced() -> list[int]:
        return [pid for pid in workers_of(node.pid) if alive(pid) and pid not in (victim, survivor)]

    (successor,) = wait_until(replaced, DEADLINE_S, "replacement")
    wait_until(lambda: any(e["pid"] == victim for e in node.logs("worker.died")), DEADLINE_S, "word of it in the log")
    wait_until(lambda: len(node.logs("node.ready")) == 3, DEADLINE_S, "replacement that is ready")
    assert alive(survivor)
    polls = polls_on_every_worker(node, first.notification_id)
    assert sorted(workers_of(node.pid)) == sorted((survivor, successor))
    release(node, "n = 2\n")
    assert {poll.answer()[0] for poll in polls} == {200}
    assert node.stop() == 0


@pytest.fixture
def single(servers: Servers) -> ServerProcess:
    """One worker, which needs no process of its own."""
    return servers.start()


def test_one_worker__is_the_process_itself(single: ServerProcess) -> None:
    """Nothing between the orchestrator's signal and the node."""
    assert workers_of(single.pid) == []


def test_worker__that_does_not_stop__is_killed_in_the_end(servers: Servers) -> None:
    """A stuck worker must not keep the node, and the orchestrator with it, from ending."""
    node = servers.start("--workers", "2", env={"HELICON_DRAIN_S": "0"})
    stuck, other = workers_of(node.pid)
    os.kill(stuck, signal.SIGSTOP)
    os.kill(node.pid, signal.SIGTERM)
    wait_until(lambda: not alive(node.pid), DEADLINE_S, "end of the node")
    assert not alive(stuck)
    assert not alive(other)
