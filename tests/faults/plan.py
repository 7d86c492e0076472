"""What a run will do, drawn from its seed: the same seed draws the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum

NODES = 3
NAMESPACES = ("application", "orders", "routes.json")


class Kind(StrEnum):
    """The faults. Those of `ENDURED` last until the watchers have settled, so that they alone must not matter."""

    KILL = "kill"  # SIGKILL, and a start a moment later
    RESTART = "restart"  # SIGTERM, and a start as soon as the node has drained
    PAUSE = "pause"  # SIGSTOP, SIGCONT
    CUT = "cut"  # every connection of every node to the database, several times
    SILENCE = "silence"  # the database of one node neither answers nor hangs up, for a moment
    DEAF = "deaf"  # no notice reaches one node, though its listening connection looks well
    ALL_DEAF = "all-deaf"  # nor any other
    NO_LISTENER = "no-listener"  # the listening connections are ended again and again
    SLOW = "slow"  # every answer of the database to any node is late
    BEHIND = "behind"  # the answers to one node are later than a client wants to wait


# Watchers that wander take what they know from node to node, and so help one that hears of nothing.
_HELPED = frozenset({Kind.DEAF, Kind.ALL_DEAF, Kind.NO_LISTENER})
_GRAY_SHARE = 0.4
ENDURED = frozenset({Kind.DEAF, Kind.ALL_DEAF, Kind.NO_LISTENER, Kind.SLOW, Kind.BEHIND})


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """One fault. `node` counts among the nodes of the run; `amount` is its length or its delay in seconds."""

    kind: Kind
    node: int
    amount: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    nodes: int
    namespaces: tuple[str, ...]
    writers: int
    raw_watchers: int
    sdk_watchers: int
    loyal: bool  # each watcher stays with a node while it answers; else it asks another one every time
    publishes: int  # of each writer in each part of the run, at least
    faults: tuple[FaultPlan, ...]
    gray: bool  # a namespace has a branch, and every other watcher a label that its rule selects

    def rng(self, who: str) -> random.Random:
        """The choices of one participant, the same whatever the others do."""
        return random.Random(f"{self.seed}/{who}")


def plan(seed: int) -> Plan:
    """Draws a run. Any ten seeds in a row have every kind of fault."""
    rng = random.Random(f"{seed}/plan")
    kinds = list(Kind)
    nodes = rng.choice((2, NODES, NODES))
    first = FaultPlan(kinds[seed % len(kinds)], rng.randrange(nodes), 0.0)
    drawn = [first]
    if rng.random() < 0.3:
        # On another node: one that starts while its database is late gives up, as it should.
        other = (first.node + rng.randrange(1, nodes)) % nodes
        drawn.append(FaultPlan(rng.choice([kind for kind in kinds if kind is not first.kind]), other, 0.0))
    return Plan(
        seed=seed,
        nodes=nodes,
        namespaces=NAMESPACES[: rng.randint(2, len(NAMESPACES))],
        writers=rng.randint(2, 3),
        raw_watchers=rng.randint(3, 5),
        sdk_watchers=rng.randint(1, 2),
        loyal=rng.random() < (0.7 if first.kind in _HELPED else 0.2),
        publishes=rng.randint(2, 5),
        faults=tuple(replace(fault, amount=_amount(fault.kind, rng)) for fault in drawn),
        gray=random.Random(f"{seed}/gray").random() < _GRAY_SHARE,
    )


def _amount(kind: Kind, rng: random.Random) -> float:
    if kind is Kind.SLOW:
        return rng.uniform(0.01, 0.06)
    if kind is Kind.BEHIND:
        return rng.uniform(0.4, 1.3)
    return rng.uniform(0.3, 1.5)
