"""Faults of server processes: killed, paused, restarted, short of memory or of descriptors (docs/faults.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import helicon
from tests.faults.cluster import Cluster
from tests.faults.events import GaveUp
from tests.faults.herd import (
    APP,
    NAMESPACE,
    Answered,
    Connection,
    Connections,
    gone_is_fine,
    herd,
    never_back,
    poll_target,
    read_target,
)
from tests.faults.history import report
from tests.faults.plan import FaultPlan, Kind, plan
from tests.faults.publishing import publish, published
from tests.faults.run import run
from tests.faults.scale import scaled
from tests.faults.scrape import metric
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until, wait_until_async

DEADLINE_S = 40


def ports(nodes: Sequence[ServerProcess]) -> list[int]:
    return [node.port for node in nodes]


def everybody_waits(nodes: Sequence[ServerProcess], count: int) -> bool:
    return sum(metric(node, "helicon_polls_held") for node in nodes) == count


@pytest.mark.postgres
class TestKilled:
    async def test_a1__one_node_killed_while_a_thousand_wait__all_move_on_and_miss_nothing(self, pair: Cluster) -> None:
        first = await published(pair.nodes[1])
        async with herd(ports(pair.nodes), 1_000) as clients:
            await wait_until_async(
                lambda: clients.all_hold(first), DEADLINE_S, "thousand clients with the first release"
            )
            await wait_until_async(
                lambda: asyncio.to_thread(everybody_waits, pair.nodes, 1_000), DEADLINE_S, "thousand held polls"
            )
            await asyncio.to_thread(pair.nodes[0].kill)
            second = await published(pair.nodes[1])
            await wait_until_async(lambda: clients.all_hold(second), DEADLINE_S, "thousand clients with the second")
            assert all(never_back(member.values) for member in clients.members)
            assert set(clients.statuses) <= {200, 304}

    def test_a2__all_nodes_killed__the_sdk_reads_on_and_says_so(self, pair: Cluster) -> None:
        number, _ = publish(pair.nodes[0])
        with helicon.Client(
            meta=[node.url for node in pair.nodes], app_id=APP, namespaces=[NAMESPACE], cache_dir="off"
        ) as client:
            config = client.namespace(NAMESPACE)
            wait_until(lambda: config.get("n") == number, DEADLINE_S, "first release")
            for node in pair.nodes:
                node.kill()
            interrupted = helicon.Connection.INTERRUPTED
            wait_until(lambda: client.status().connection is interrupted, DEADLINE_S, "interrupted connection")
            assert config.get("n") == number
            status = client.status()
            assert status.last_error
            assert (status.namespaces[NAMESPACE].age_seconds or 0) > 0
            for node in pair.nodes:
                node.start()
            later, _ = publish(pair.nodes[0])
            wait_until(lambda: config.get("n") == later, DEADLINE_S, "release after the return")

    @pytest.mark.parametrize("moment", ["deaf", "killed"])
    async def test_a4__crash_between_commit_and_notice__the_sweep_delivers_one_release(
        self, pair: Cluster, moment: str
    ) -> None:
        """No notice reaches anybody; in one case the node that published is dead at once, too."""
        first = await published(pair.nodes[0])
        async with herd([pair.nodes[1].port], 20) as clients:
            await wait_until_async(lambda: clients.all_hold(first), DEADLINE_S, "first release")
            for relay in pair.relays:
                relay.deaf = True
            before = pair.sql("SELECT count(*) FROM releases")
            number = await published(pair.nodes[0])
            if moment == "killed":
                await asyncio.to_thread(pair.nodes[0].kill)
            await wait_until_async(lambda: clients.all_hold(number), DEADLINE_S, "release that nobody was told of")
            assert int(pair.sql("SELECT count(*) FROM releases")) == int(before) + 1
            assert all(member.values[-2:] == [first, number] for member in clients.members)


@pytest.mark.postgres
class TestPaused:
    @scaled("pause_s", 2.0, 30.0)  # both are longer than a poll of these nodes is held
    async def test_a3__resumed_node__does_not_serve_the_old_as_the_newest(
        self, pair: Cluster, connections: Connections, pause_s: float
    ) -> None:
        first, known = await asyncio.to_thread(publish, pair.nodes[1])
        waiting = await connections.open(pair.nodes[0])
        await wait_until_async(
            lambda: asyncio.to_thread(_serves, pair.nodes[0], first), DEADLINE_S, "first release on the paused one"
        )
        await waiting.ask(poll_target(known.notification_id))
        open_before = [await connections.open(pair.nodes[0]) for _ in range(4)]
        for each in open_before:
            assert (await each.get(read_target())).json()["configurations"]["n"] == first
        pair.stop(0)
        second, newer = await asyncio.to_thread(publish, pair.nodes[1])
        messages = f'{{"details":{{"{APP}+default+{NAMESPACE}":{newer.notification_id}}}}}'
        asking = await connections.open(pair.nodes[0])
        await asking.ask(read_target(messages=messages, releaseKey=known.release_key))
        plain = [await connections.open(pair.nodes[0]) for _ in range(4)]
        for each in (*plain, *open_before):
            await each.ask(read_target())
        longer_way = await connections.open(pair.nodes[0])
        longer_way.writer.write(f"GET {read_target()} HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\n\r\n".encode())
        held = await connections.open(pair.nodes[0])
        await held.ask(read_target(releaseKey=known.release_key))
        fresh = await connections.open(pair.nodes[0])
        await fresh.ask(poll_target(known.notification_id, ip="10.0.0.2"))
        await asyncio.sleep(pause_s)  # the fault itself

        pair.go_on(0)

        for each in (*plain, longer_way, held):
            assert (await each.answer()).json()["configurations"]["n"] == second
        for each in open_before:
            with gone_is_fine():  # behind a long pause it was idle for longer than a connection may be
                assert (await each.answer()).json()["configurations"]["n"] == second
        answer = await asking.answer()
        assert answer.status in (200, 503)
        if answer.status == 200:
            assert answer.json()["configurations"]["n"] == second
        else:
            assert answer.code == "behind"
        told = await fresh.answer()
        while told.status == 304:
            told = await fresh.get(poll_target(known.notification_id, ip="10.0.0.2"))
        assert told.json()[0]["notificationId"] == newer.notification_id
        assert (await waiting.answer()).status in (200, 304)
        await wait_until_async(
            lambda: asyncio.to_thread(_serves, pair.nodes[0], second), DEADLINE_S, "second release on the resumed one"
        )


@pytest.mark.postgres
class TestRestarted:
    def test_a6__rolling_restart_under_publishes__loses_and_reorders_nothing(self, pair: Cluster) -> None:
        """The rules of a history hold (docs/faults.md); every publish was acknowledged in the end."""
        drawn = replace(
            plan(1),
            seed=606,
            nodes=2,
            publishes=8,
            faults=(FaultPlan(Kind.RESTART, 0, 0.0), FaultPlan(Kind.RESTART, 1, 0.0)),
        )
        history = run(pair, drawn)
        assert not (failed := report(drawn, history)), failed
        assert not [event for event in history.events if isinstance(event, GaveUp)]

    async def test_a11__stopped_with_held_polls__answers_them_and_ends(
        self, servers: Servers, connections: Connections
    ) -> None:
        node = servers.start()
        polls = [await connections.open(node) for _ in range(100)]
        for number, each in enumerate(polls):
            await each.ask(poll_target(-1, app="nobody", ip=f"10.0.1.{number}"))
        await wait_until_async(lambda: asyncio.to_thread(everybody_waits, [node], 100), DEADLINE_S, "held polls")
        stopping = asyncio.create_task(asyncio.to_thread(node.stop))
        for each in polls:
            assert (await asyncio.wait_for(each.answer(), DEADLINE_S)).status == 304
        assert await stopping == 0


class TestShort:
    async def test_a8__memory_short__sheds_polls_before_it_dies_and_recovers(
        self, servers: Servers, connections: Connections, tmp_path: Path
    ) -> None:
        """The limit is a little above what the node takes when nothing happens. Each poll names many namespaces."""
        plain = servers.start(folder=tmp_path / "node")
        idle_mb = metric(plain, "helicon_resident_memory_bytes") / 1024 / 1024
        plain.stop()
        limit_mb = int((idle_mb + 12) / 0.9) + 1
        node = servers.start(folder=tmp_path / "node", env={"HELICON_MEMORY_LIMIT_MB": str(limit_mb)})
        held: list[Connection] = []
        refused = None
        for number in range(2_000):
            each = await connections.open(node)
            await each.ask(_poll_of_many(number))
            held.append(each)
            if number % 20 == 19:
                refused = await _first_answer(held[-20:])
                if refused is not None:
                    break
        assert refused is not None, "no poll was ever refused"
        assert (refused.status, refused.code) == (503, "memory_short")
        assert "1" <= refused.headers["retry-after"] <= "5"
        assert metric(node, "helicon_memory_short") == 1
        assert metric(node, "helicon_refusals_total", code="memory_short") > 0
        assert node.request("GET", "/health/ready", token=None).status == 200
        assert node.running

        for each in held:
            each.close()
        await wait_until_async(lambda: asyncio.to_thread(everybody_waits, [node], 0), DEADLINE_S, "end of all polls")
        again = await connections.open(node)
        await again.ask(poll_target(-1, app="nobody"))
        await wait_until_async(lambda: asyncio.to_thread(everybody_waits, [node], 1), DEADLINE_S, "held poll")

    async def test_a8__burst_of_large_polls__is_shed_before_the_limit(
        self, servers: Servers, connections: Connections, tmp_path: Path
    ) -> None:
        """All come at once: memory is looked at while they are parked, not a second later."""
        plain = servers.start(folder=tmp_path / "node")
        idle_mb = metric(plain, "helicon_resident_memory_bytes") / 1024 / 1024
        plain.stop()
        limit_mb = int((idle_mb + 30) / 0.9) + 1
        unlimited = {"HELICON_REQUESTS_PER_CLIENT": "0", "HELICON_REQUESTS_PER_ADDRESS": "0"}
        limited = {"HELICON_MEMORY_LIMIT_MB": str(limit_mb), **unlimited}
        node = servers.start(folder=tmp_path / "node", env=limited)
        burst = [await connections.open(node) for _ in range(400)]
        await asyncio.gather(*(each.ask(_poll_of_many(number)) for number, each in enumerate(burst)))

        async def all_were_decided() -> bool:
            refused = await asyncio.to_thread(metric, node, "helicon_refusals_total", code="memory_short")
            return refused + await asyncio.to_thread(metric, node, "helicon_polls_held") == len(burst)

        await wait_until_async(all_were_decided, DEADLINE_S, "decision over all polls")
        resident_mb = await asyncio.to_thread(metric, node, "helicon_resident_memory_bytes") / 1024 / 1024
        assert await asyncio.to_thread(metric, node, "helicon_refusals_total", code="memory_short") > 0
        assert resident_mb < limit_mb * 1.25  # requests that are still read and refused take some, too

    async def test_a9__descriptors_short__refuses_politely_serves_on_and_recovers(
        self, servers: Servers, connections: Connections
    ) -> None:
        """192 connections fit into 256 open files; the loop must not spin on what it cannot accept."""
        node = servers.start(open_files=256)
        first = await connections.open(node)
        assert (await first.get(read_target())).status == 404
        idle = [await connections.open(node) for _ in range(190)]
        for each in idle:
            await each.ask(poll_target(-1, app="nobody"))
        late = [await connections.open(node) for _ in range(60)]
        for each in late:
            with gone_is_fine():
                await each.ask(read_target())
        answers = []
        for each in late:
            with gone_is_fine():
                answers.append(await asyncio.wait_for(each.answer(), DEADLINE_S))
        told = [answer for answer in answers if answer.status == 503]
        assert told
        assert {(answer.code, "1" <= answer.headers["retry-after"] <= "5") for answer in told} == {
            ("too_many_connections", True)
        }
        before = _processor_s(node)
        began = time.monotonic()
        for _ in range(20):
            assert (await first.get(read_target())).status == 404
            await asyncio.sleep(0.05)
        spent = (_processor_s(node) - before) / (time.monotonic() - began)
        assert spent < 0.8, f"the node is busy with {spent:.0%} of a processor"
        for each in (*idle, *late):
            each.close()

        async def served_again() -> bool:
            with gone_is_fine():
                fresh = await connections.open(node)
                status: int = (await fresh.get(read_target())).status
                fresh.close()
                return status == 404
            return False

        await wait_until_async(served_again, DEADLINE_S, "new connection that is served")


def _serves(node: ServerProcess, number: str) -> bool:
    answer = node.request("GET", read_target(), token=None)
    return answer.status == 200 and answer.json()["configurations"]["n"] == number


def _poll_of_many(number: int) -> str:
    names = ",".join(f'{{"namespaceName":"name-{number}-{each}","notificationId":-1}}' for each in range(300))
    address = f"10.0.{number >> 8}.{number & 255}"
    return f"/notifications/v2?appId=nobody&cluster=default&ip={address}&notifications=[{names}]".replace('"', "%22")


async def _first_answer(connections: Sequence[Connection]) -> Answered | None:
    """What one of them was answered, when one was within a moment."""
    waiting = [asyncio.create_task(each.answer()) for each in connections]
    done, pending = await asyncio.wait(waiting, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return done.pop().result() if done else None


def _processor_s(node: ServerProcess) -> float:
    """Processor time that a node has taken, in seconds."""
    fields = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
