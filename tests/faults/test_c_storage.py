"""Faults of storage: slow, cut off in the middle, with gaps (docs/faults.md)."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from helicon_server.domain.model import MessageKind
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.sql import open_database
from tests.faults.cluster import Cluster
from tests.faults.herd import APP, Connection, Connections, herd, never_back, poll_target, read_target
from tests.faults.publishing import held, prepare, publish, published
from tests.faults.scale import scaled
from tests.support.management import ManagementError
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import World

DEADLINE_S = 60
WRITERS = 8


@pytest.mark.postgres
@scaled("slow_s", 0.3, 2.0)  # each piece of each answer of the database
async def test_c2__slow_database__polls_and_reads_do_not_wait_and_publishes_end_with_a_word(
    pair: Cluster, connections: Connections, slow_s: float
) -> None:
    """More publishes at once than the node has connections to the database: each is done or refused by name.

    Polls that are answered at once go on being so, and the one that waits is told in the end.
    """
    slow, other = pair.nodes
    first, known = await asyncio.to_thread(publish, other)
    await wait_until_async(lambda: asyncio.to_thread(_serves, slow, first), DEADLINE_S, "first release on both")
    waiting = asyncio.create_task(_told(await connections.open(slow), known.notification_id))
    await wait_until_async(lambda: _holds(slow, 1), DEADLINE_S, "waiting poll")
    pair.relays[0].delay_s = slow_s
    writing = [asyncio.create_task(asyncio.to_thread(_outcome, slow)) for _ in range(WRITERS)]
    reader = await connections.open(slow)
    rounds = 0
    began = time.monotonic()
    while not all(task.done() for task in writing):
        assert (await reader.get(read_target())).status == 200
        (told,) = (await reader.get(poll_target(-1))).json()
        assert told["notificationId"] >= known.notification_id
        rounds += 1
        await asyncio.sleep(0.02)
    answers_meanwhile = (time.monotonic() - began) / slow_s  # that the database can have given to one who waits
    outcomes = await asyncio.gather(*writing)
    assert rounds > 2 * answers_meanwhile, "reads or polls wait for the database"
    assert set(outcomes) <= {"done", "stale_revision", "database_unavailable", "busy", "unavailable"}, outcomes
    pair.relays[0].delay_s = 0.0
    last = await published(other)
    assert await asyncio.wait_for(waiting, DEADLINE_S) > known.notification_id
    await wait_until_async(lambda: asyncio.to_thread(_serves, slow, last), DEADLINE_S, "last release on the slow node")


async def test_c5__machine_dead_at_the_answer__the_acknowledged_release_is_there(
    servers: Servers, tmp_path: Path
) -> None:
    """What the node has written when the answer arrives is all that there is: its files are copied while it runs.

    They are copied from the machine's memory, so this does not see whether the disk has them too. That each commit
    waits for the disk is looked at in tests/contract/test_sqlite_failures.py
    (``test_writer__of_a_file__syncs_each_commit_and_checks_keys``).
    """
    node = await asyncio.to_thread(servers.start, folder=tmp_path / "first")
    await asyncio.to_thread(prepare, node)
    for attempt in range(2):
        number, made = await asyncio.to_thread(publish, node)
        copy = tmp_path / f"copy-{attempt}"
        (copy / "data").mkdir(parents=True)
        for file in node.data_dir.glob("helicon.db*"):
            if not file.name.endswith("-shm"):  # memory, which a machine that died does not keep
                shutil.copy(file, copy / "data" / file.name)
        revived = await asyncio.to_thread(servers.start, folder=copy)
        answer = await asyncio.to_thread(revived.request, "GET", read_target(), token=None)
        assert answer.json()["configurations"]["n"] == number
        assert answer.json()["releaseKey"] == made.release_key
        await asyncio.to_thread(revived.stop)
    node.kill()
    await asyncio.to_thread(node.start)
    assert await asyncio.to_thread(_serves, node, number)


@pytest.mark.postgres
@pytest.mark.parametrize("fate", ["commit", "rollback"])
async def test_c9__lower_id_that_commits_later__is_not_skipped(pair: Cluster, fate: str) -> None:
    """A publish takes its id and dawdles. What comes behind waits for its end; a gap that it leaves stops nobody."""
    node = pair.nodes[0]
    lower = NamespaceRef("DEV", APP, "default", f"lower-{fate}")
    first = await published(node)
    ports = [each.port for each in pair.nodes]
    async with herd(ports, 20) as clients, herd(ports, 20, namespace=lower.namespace) as of_lower:
        await wait_until_async(lambda: clients.all_hold(first), DEADLINE_S, "first release")
        database = open_database(pair.url, name="dawdling", on_messages=lambda: None)
        try:
            with suppress(_RolledBackError):
                async with database.write() as tx:
                    namespace, release = await World(database=database)._release(tx, lower, {"n": "7"})
                    (low,) = await tx.messages.append(MessageKind.RELEASE, [lower])
                    await tx.namespaces.touch(replace(namespace, release_id=release.head.id, message_id=low))
                    behind = asyncio.create_task(asyncio.to_thread(publish, node))
                    await asyncio.sleep(0.5)  # the fault: it dawdles
                    assert not behind.done()
                    if fate == "rollback":
                        raise _RolledBackError
        finally:
            await database.close()
        number, made = await behind
        assert made.notification_id > low
        await wait_until_async(lambda: clients.all_hold(number), DEADLINE_S, "release behind the gap")
        if fate == "commit":
            await wait_until_async(lambda: of_lower.all_hold("7"), DEADLINE_S, "release with the lower id")
        else:
            assert not any(member.values for member in of_lower.members)
        assert all(never_back(member.values) for member in clients.members)


class _RolledBackError(Exception):
    """Ends a transaction without a trace."""


def _outcome(node: ServerProcess) -> str:
    try:
        publish(node)
    except ManagementError as error:
        return error.code
    return "done"


async def _told(connection: Connection, known: int) -> int:
    """Waits for news as clients do: poll after poll, none of which is refused."""
    while True:
        answer = await connection.get(poll_target(known))
        assert answer.status in (200, 304), answer
        if answer.status == 200:
            (told,) = answer.json()
            return int(told["notificationId"])


async def _holds(node: ServerProcess, polls: int) -> bool:
    return await held(node) == polls


def _serves(node: ServerProcess, number: str) -> bool:
    answer = node.request("GET", read_target(), token=None)
    return answer.status == 200 and answer.json()["configurations"]["n"] == number
