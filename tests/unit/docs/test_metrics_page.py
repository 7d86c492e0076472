"""The page of metrics says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from helicon_server.delivery.gate import SURFACES
from helicon_server.delivery.hub import PollCounts
from helicon_server.http.metrics.catalogue import METRICS

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
_ROW = re.compile(r"^\| `(helicon_\w+)` \| (\w+) \|(.*?)\| (.+) \|$", re.MULTILINE)


def test_page__lists_every_metric_with_its_kind_and_labels_and_no_other() -> None:
    described = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in _ROW.findall(PAGE)}
    suffixes = {"counter": "_total", "gauge": "", "histogram": ""}
    assert described == {each.name + suffixes[each.kind]: (each.kind, each.labels) for each in METRICS}


def test_page__names_every_surface_and_every_end_of_a_poll() -> None:
    for word in (*SURFACES, *PollCounts().finished()):
        assert f"`{word}`" in PAGE, word


def test_metric__names_no_app_and_nothing_of_one() -> None:
    """The number of series must not grow with what is configured, and a scraper learns no names."""
    allowed = {"version", "python", "reason", "surface", "status", "code", "database", "way"}
    assert {label for metric in METRICS for label in metric.labels} == allowed
