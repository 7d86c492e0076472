"""The end of a node: SIGTERM answers what is held, finishes what is under way, and ends with exit code 0."""

from __future__ import annotations

import os
import signal

import pytest

from tests.integration.server.clients import HeldPoll, prepared, served
from tests.integration.server.processes import alive, kill, sockets_of, workers_of
from tests.support.server import Servers
from tests.support.wait import wait_until

DEADLINE_S = 30


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal__with_held_polls__answers_them_and_ends_in_peace(
    servers: Servers, workers: int, number: signal.Signals
) -> None:
    """Clients are told to ask again, and ask another node; nobody sees a broken connection."""
    node = servers.start("--workers", str(workers))
    first = prepared(node)
    wait_until(lambda: served(node) == first.release_key, DEADLINE_S, "first release")
    children = workers_of(node.pid)
    serving = children or [node.pid]
    before = sum(map(sockets_of, serving))
    polls = [HeldPoll(node, first.notification_id) for _ in range(8)]
    wait_until(lambda: sum(map(sockets_of, serving)) >= before + len(polls), DEADLINE_S, "accepted polls")
    for _ in range(8):  # whoever answers these has read what came before them
        served(node)
    os.kill(node.pid, number)
    assert {poll.answer()[0] for poll in polls} == {304}
    assert node.wait_exit() == 0
    assert not any(alive(child) for child in children)
    assert "Traceback" not in node.stderr


def test_parent__killed__takes_its_workers_along(servers: Servers) -> None:
    """Workers without a parent would hold the port for ever, and nobody would know to stop them."""
    node = servers.start("--workers", "2")
    children = workers_of(node.pid)
    assert len(children) == 2
    kill(node.pid)
    wait_until(lambda: not any(alive(child) for child in children), DEADLINE_S, "end of the workers")
    assert node.wait_exit() == -signal.SIGKILL
    node.start()
    assert node.stop() == 0
