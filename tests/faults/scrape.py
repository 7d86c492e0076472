"""What a node tells of itself, for tests that look at it while something is wrong."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import ServerProcess


def metric(node: ServerProcess, name: str, **labels: str) -> float:
    """The sum of all series of this name with these labels; 0 when there is none."""
    page = node.request("GET", "/metrics", token=None).body.decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
