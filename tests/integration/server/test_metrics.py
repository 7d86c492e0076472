"""`/metrics` of real nodes: what a scraper reads, who may read it, and several workers on one port."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from helicon_server.http.metrics.catalogue import METRICS
from tests.integration.server.clients import APP, NAMESPACE, HeldPoll, prepared, release, served
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until

DEADLINE_S = 30
SCRAPES = 12  # fresh connections, which the kernel spreads over the workers
LATER = {"helicon_refusals", "helicon_access_observed", "helicon_snapshot_age_seconds"}  # nothing was refused yet
TOKEN = "a-token-that-scrapers-have"
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(node: ServerProcess) -> Series:
    """Every series of a page that a scraper can read."""
    page = node.request("GET", "/metrics", token=None)
    assert page.status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.body.decode())
        for sample in family.samples
    }


def value(node: ServerProcess, name: str, worker: str = "1", **labels: str) -> float:
    """One series of a fresh scrape; 0 when it is not there yet."""
    return scrape(node).get((name, tuple(sorted({"worker": worker, **labels}.items()))), 0.0)


def test_page__of_a_node__has_every_metric_and_what_happened(servers: Servers) -> None:
    node = servers.start()
    published = prepared(node)
    wait_until(lambda: served(node) == published.release_key, DEADLINE_S, "first release")
    poll = HeldPoll(node, published.notification_id)
    wait_until(lambda: value(node, "helicon_polls_held") == 1, DEADLINE_S, "held poll")
    second = release(node, "n = 2\n")
    poll.answer()

    wait_until(
        lambda: value(node, "helicon_polls_finished_total", reason="woken") == 1, DEADLINE_S, "count of the wake"
    )
    series = scrape(node)
    names = {name for name, _ in series}
    for metric in METRICS:
        suffix = {"counter": "_total", "gauge": "", "histogram": "_count"}[metric.kind]
        assert metric.name + suffix in names or metric.name in LATER, metric.name
    assert value(node, "helicon_commit_to_sent_seconds_count") == 1
    assert value(node, "helicon_read_to_sent_seconds_bucket", le="+Inf") == 1
    assert value(node, "helicon_seen_message_id", database="main") == second.notification_id
    assert value(node, "helicon_requests_total", surface="notifications", status="2xx") >= 1
    assert value(node, "helicon_requests_total", surface="management", status="2xx") >= 3
    assert value(node, "helicon_resident_memory_bytes") > 10_000_000
    assert value(node, "helicon_open_files") > 3


def test_page__names_no_app_and_no_value(servers: Servers) -> None:
    node = servers.start()
    prepared(node)
    node.request("GET", f"/configs/{APP}/default/{NAMESPACE}", token=None)
    text = node.request("GET", "/metrics", token=None).body.decode()
    labels = set(re.findall(r'="([^"]*)"', text))
    assert not {label for label in labels if APP in label or NAMESPACE in label}


@pytest.mark.parametrize("sent", [None, TOKEN + "x", TOKEN[:-1], "bootstrap-token-that-no-log-may-show"])
def test_page__with_a_token__is_401_for_everybody_else(servers: Servers, sent: str | None) -> None:
    node = servers.start(env={"HELICON_METRICS_TOKEN": TOKEN})
    refused = node.request("GET", "/metrics", token=sent)
    assert refused.status == 401
    assert refused.json()["code"] == ("token_missing" if sent is None else "token_invalid")
    assert b"helicon_" not in refused.body
    assert node.request("GET", "/metrics", token=TOKEN).status == 200
    assert TOKEN not in node.stderr + node.stdout


def test_page__of_a_node_without_management__is_there(servers: Servers) -> None:
    node = servers.start("--roles", "delivery")
    assert value(node, "helicon_database_loaded", database="main") == 1
    assert node.request("POST", "/metrics", token=None).status == 405


def test_page__of_two_workers__tells_of_both_in_one_scrape(servers: Servers) -> None:
    node = servers.start("--workers", "2")

    def all_tell_of_both() -> bool:
        return all({dict(labels)["worker"] for _, labels in scrape(node)} == {"1", "2"} for _ in range(SCRAPES))

    wait_until(all_tell_of_both, DEADLINE_S, "numbers of both workers, whichever is asked")
