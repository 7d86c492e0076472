"""Carries out the faults of a plan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.faults.cluster import Cluster
from tests.faults.events import Event, Fault
from tests.faults.plan import FaultPlan, Kind

CUTS = 4
LISTENER_GAP_S = 0.15


async def strike(cluster: Cluster, fault: FaultPlan, record: Callable[[Event], None]) -> None:
    """Lets a passing fault happen from its begin to its end; the node is well when this returns."""
    record(Fault(fault.kind, fault.node, "begins"))
    node, relay = cluster.nodes[fault.node], cluster.relays[fault.node]
    if fault.kind is Kind.KILL:
        await asyncio.to_thread(node.kill)
        await asyncio.sleep(fault.amount)
        await asyncio.to_thread(node.start)
    elif fault.kind is Kind.RESTART:
        await asyncio.to_thread(node.stop)
        await asyncio.to_thread(node.start)
    elif fault.kind is Kind.PAUSE:
        cluster.stop(fault.node)
        await asyncio.sleep(fault.amount)
        cluster.go_on(fault.node)
    elif fault.kind is Kind.CUT:
        for _ in range(CUTS):
            await asyncio.to_thread(cluster.cut_connections)
            await asyncio.sleep(fault.amount / CUTS)
    else:
        assert fault.kind is Kind.SILENCE
        relay.hold()
        await asyncio.sleep(fault.amount)
        relay.release()
    record(Fault(fault.kind, fault.node, "is over"))


@asynccontextmanager
async def enduring(cluster: Cluster, fault: FaultPlan, record: Callable[[Event], None]) -> AsyncIterator[None]:
    """Keeps a fault up for as long as the block runs."""
    record(Fault(fault.kind, fault.node, "begins"))
    ending: asyncio.Task[None] | None = None
    relay = cluster.relays[fault.node]
    if fault.kind is Kind.DEAF:
        relay.deaf = True
    elif fault.kind is Kind.ALL_DEAF:
        for each in cluster.relays:
            each.deaf = True
    elif fault.kind is Kind.SLOW:
        for each in cluster.relays:
            each.delay_s = fault.amount
    elif fault.kind is Kind.BEHIND:
        relay.delay_s = fault.amount
    else:
        assert fault.kind is Kind.NO_LISTENER
        ending = asyncio.create_task(_end_listeners(cluster))
    try:
        yield
    finally:
        if ending is not None:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
        for each in cluster.relays:
            each.heal()
        record(Fault(fault.kind, fault.node, "is over"))


async def _end_listeners(cluster: Cluster) -> None:
    while True:
        await asyncio.to_thread(cluster.end_listeners)
        await asyncio.sleep(LISTENER_GAP_S)
