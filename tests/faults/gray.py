"""A gray branch in a history: it is laid over every release, and its clients see the same numbers in the same order."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.branches import make_branch, rule
from tests.conformance.world import World
from tests.faults.cluster import Cluster
from tests.support.management import Management

BRANCHED = "application"
LABEL = "canary"
START = "start"  # the number of the release that the branch is first laid over
_MARK = {"branch": LABEL}


def branch_off(cluster: Cluster, management: Management, app: str) -> int:
    """Publishes a branch over a release, and returns when every node serves it.

    The id is that of the release's own message: the branch's takes its place before anybody looks.
    """
    first = management.release(app, BRANCHED, f"number = {START}\n")
    branch = make_branch(World(cluster.nodes[0]), app, [rule(app, labels=[LABEL])], _MARK, namespace=BRANCHED)
    id_ = branch.publish().notification_id
    for node in cluster.nodes:
        World(node).await_served(app, BRANCHED, id_)
    return first.notification_id


def strays(namespace: str, configurations: Mapping[str, str], label: str | None) -> str:
    """Says that a client got what is not meant for it; empty when it is."""
    due = _MARK if label is not None and namespace == BRANCHED else {}
    got = {name: value for name, value in configurations.items() if name in _MARK}
    return "" if got == due else f" with {got} for label {label}"
