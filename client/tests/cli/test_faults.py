"""A server that misbehaves: nothing wrong is ever taken for configuration, and the backup carries the start."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from tests.cli import faults
from tests.cli.fake_apollo import FakeApollo, Fault, config_body
from tests.cli.process import Cli

NOT_OURS = "<!doctype html><title>Sign in to the airport</title>"
SHORT = ["--start-timeout", "400ms"]

OUTAGES: dict[str, Fault] = {
    "500": faults.answers(500, "{}"),
    "503_retry_after": faults.answers(503, "{}", extra="Retry-After: 1\r\n"),
    "429": faults.answers(429, "{}"),
    "html_200": faults.answers(200, NOT_OURS, content_type="text/html"),
    "html_401": faults.answers(401, NOT_OURS, content_type="text/html"),
    "html_404": faults.answers(404, NOT_OURS, content_type="text/html"),
    "plain_404": faults.answers(404, "404 page not found", content_type="text/plain"),
    "json_404_of_something_else": faults.answers(404, '{"error":"Not Found"}'),
    "json_404_of_a_node_without_clients": faults.answers(404, '{"status":404,"path":"/x","code":"not_served_here"}'),
    "redirect": faults.answers(302, "", extra="Location: http://127.0.0.1:1/\r\n"),
    "empty_body": faults.answers(200, ""),
    "not_json": faults.answers(200, "null, or so"),
    "wrong_shape": faults.answers(200, "[]"),
    "number_value": faults.answers(200, config_body({"db.url": 1})),  # type: ignore[dict-item]  # the fault itself
    "no_release_key": faults.answers(200, config_body({"db.url": "wrong"}, key="")),
    "other_app": faults.answers(200, config_body({"db.url": "wrong"}, app="other")),
    "other_namespace": faults.answers(200, config_body({"db.url": "wrong"}, namespace="other")),
    "gzip": faults.answers(200, config_body({}), extra="Content-Encoding: gzip\r\n"),
    "truncated": faults.truncated,
    "truncated_without_length": faults.truncated_without_length,
    "reset": faults.reset,
    "hangs": faults.hangs,
    "slow_loris": faults.slow_loris,
}


def saved(server: FakeApollo, cli: Cli) -> None:
    """Leaves a good backup behind."""
    server.publish({"db.url": "good"})
    assert cli("run", "true").code == 0
    server.requests.clear()


@pytest.mark.parametrize("outage", OUTAGES)
def test_run__outage_with_backup__starts_from_the_backup_and_says_so(outage: str, server: FakeApollo, cli: Cli) -> None:
    saved(server, cli)
    server.fault = OUTAGES[outage]

    result = cli("run", *SHORT, "--", "env", "-0")

    assert result.code == 0, result.err
    assert result.variables()["DB_URL"] == "good"
    assert result.variables()["HELICON_RUN_SOURCE"] == "backup"
    assert "starting from the backup" in result.err


@pytest.mark.parametrize("outage", OUTAGES)
def test_run__outage_without_backup__fails_with_69_and_starts_nothing(
    outage: str, server: FakeApollo, cli: Cli
) -> None:
    server.publish({"db.url": "good"})
    server.fault = OUTAGES[outage]

    result = cli("run", *SHORT, "--", "echo", "started")

    assert result.code == 69
    assert result.out == b""
    assert "there is no usable backup" in result.err
    assert server.url in result.err


def test_run__server_down_with_backup__does_not_wait_for_the_timeout(server: FakeApollo, cli: Cli) -> None:
    """The start would otherwise outlive the deadline of the test by far."""
    saved(server, cli)
    server.fault = faults.reset

    result = cli("run", "--start-timeout", "1h", "--", "env", "-0")

    assert result.variables()["DB_URL"] == "good"


def test_run__black_hole_that_drops_connections__fails_within_the_start_timeout(cli: Cli) -> None:
    """A full backlog makes the kernel drop SYNs, as a firewall does."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        result = cli("run", *SHORT, "--meta", url, "true")

    assert result.code == 69
    assert "[timeout]" in result.err


@pytest.mark.parametrize("status", [401, 403])
def test_run__access_refused__is_77_and_the_backup_stays_but_is_not_used(
    status: int, server: FakeApollo, cli: Cli
) -> None:
    saved(server, cli)
    server.fault = faults.answers(status, json.dumps({"status": status, "error": "Unauthorized"}))

    refused = cli("run", "--", "echo", "started")
    allowed = cli("run", "--on-auth-error", "backup", "--", "env", "-0")

    assert (refused.code, refused.out) == (77, b"")
    assert "[denied]" in refused.err
    assert allowed.variables()["DB_URL"] == "good"


def test_run__auth_error_backup_chosen_but_none_there__is_77_and_says_why(server: FakeApollo, cli: Cli) -> None:
    server.fault = faults.answers(401, '{"status":401}')

    result = cli("run", "--on-auth-error", "backup", "true")

    assert result.code == 77
    assert "there is no usable backup" in result.err


def test_run__namespace_not_released__is_78_names_it_and_keeps_the_backup(server: FakeApollo, cli: Cli) -> None:
    saved(server, cli)
    server.releases.clear()

    result = cli("run", "--", "echo", "started")

    assert (result.code, result.out) == (78, b"")
    assert "namespace 'application' of app 'shop', cluster 'default'" in result.err
    assert cli("run", "--offline", "--", "env", "-0").variables()["DB_URL"] == "good"


@pytest.mark.parametrize(
    ("path", "code", "sentences"),
    [
        ("/env/PRO", "no_such_endpoint", ["HELICON_META is not the root of a server (did you mean /envs/PRO?)"]),
        ("/api", "unknown_path", ["HELICON_META is not the root of a server (did you mean http://127.0.0.1:"]),
        ("/envs/PROD", "unknown_environment", ["no environment PROD on this server", "check --env and HELICON_ENV"]),
    ],
)
def test_run__address_leads_to_nothing_of_the_server__is_78_with_a_code_of_its_own(
    path: str, code: str, sentences: list[str], server: FakeApollo, cli: Cli
) -> None:
    """Nobody is told to publish what is released, and nobody waits for a server that is up."""
    server.fault = faults.answers(404, json.dumps({"status": 404, "code": code}), everywhere=True)

    result = cli("run", "--start-timeout", "1h", "--meta", server.url + path, "--", "echo", "started")

    assert (result.code, result.out) == (78, b"")
    assert f"[{'unknown_environment' if code == 'unknown_environment' else 'wrong_address'}]" in result.err
    assert "release" not in result.err
    for sentence in sentences:
        assert sentence in result.err


def test_run__namespace_suddenly_empty__uses_the_backup_until_accepted(server: FakeApollo, cli: Cli) -> None:
    saved(server, cli)
    server.publish({}, key="20250102000000-0000000000000000")

    refused = cli("run", "--", "env", "-0")
    accepted = cli("run", "--on-empty", "accept", "--", "env", "-0")
    after = cli("run", "--", "env", "-0")

    assert refused.variables()["DB_URL"] == "good"
    assert "suddenly has no keys" in refused.err
    assert "DB_URL" not in accepted.variables()
    assert "DB_URL" not in after.variables()
    assert after.variables()["HELICON_RUN_SOURCE"] == "server"


def test_run__first_start_with_empty_namespace__is_taken(server: FakeApollo, cli: Cli) -> None:
    server.publish({})

    assert cli("run", "true").code == 0


def test_run__server_recovers_while_retrying__starts_from_the_server(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "late"})
    bad = faults.answers(500, "{}")
    server.fault = lambda connection, request: len(server.config_requests()) < 4 and bad(connection, request)

    result = cli("run", "--", "env", "-0")

    assert result.variables()["DB_URL"] == "late"
    assert "trying again for" in result.err
    assert result.variables()["HELICON_RUN_SOURCE"] == "server"


def test_run__wait_step_passes_without_a_server__is_75(server: FakeApollo, cli: Cli) -> None:
    server.fault = faults.reset

    result = cli("run", "--on-unavailable", "backup,wait:300ms,fail", "--start-timeout", "100ms", "true")

    assert result.code == 75


def test_run__wait_step_and_server_recovers__starts(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "late"})
    server.fault = lambda connection, request: len(server.requests) < 6 and faults.reset(connection, request)

    result = cli("run", "--on-unavailable", "wait:60s", "--", "env", "-0")

    assert result.variables()["DB_URL"] == "late"


def test_run__continue_step__starts_without_configuration_and_says_so(server: FakeApollo, cli: Cli) -> None:
    server.fault = faults.reset

    result = cli("run", *SHORT, "--on-unavailable", "backup,continue", "--default", "db.url=own", "--", "env", "-0")

    assert result.variables()["DB_URL"] == "own"
    assert result.variables()["HELICON_RUN_SOURCE"] == "none"
    assert "starting without configuration" in result.err


def test_run__one_of_two_namespaces_down__nothing_is_mixed(server: FakeApollo, cli: Cli) -> None:
    """The first namespace has a newer release, but its neighbour is down: both come from the backup."""
    server.publish({"a": "old"}, "first")
    server.publish({"b": "old"}, "second")
    both = ["--namespace", "first", "--namespace", "second"]
    assert cli("run", *both, "true").code == 0
    server.publish({"a": "new"}, "first", key="20250102000000-0000000000000000")
    bad = faults.answers(500, "{}")
    server.fault = lambda connection, request: request.segments[-1] == "second" and bad(connection, request)

    result = cli("run", *both, "--", "env", "-0")

    assert (result.variables()["A"], result.variables()["B"]) == ("old", "old")


def test_run__backup_of_only_one_of_two_namespaces__is_no_backup(server: FakeApollo, cli: Cli) -> None:
    """Half a configuration is none: neither a start with the half, nor one that fills it up from elsewhere."""
    server.publish({"a": "old"}, "first")
    assert cli("run", "--namespace", "first", "true").code == 0
    server.fault = faults.reset
    both = ["--namespace", "first", "--namespace", "second"]

    failed = cli("run", *SHORT, *both, "--", "echo", "started")
    offline = cli("run", "--offline", *both, "--", "echo", "started")
    unconfigured = cli("run", *SHORT, *both, "--on-unavailable", "backup,continue", "--", "env", "-0")

    for result in (failed, offline):
        assert (result.code, result.out) == (69, b"")
        assert "there is no usable backup (second: there is no backup yet)" in result.err
    assert "A" not in unconfigured.variables()
    assert unconfigured.variables()["HELICON_RUN_SOURCE"] == "none"


def test_run__namespace_suddenly_empty_and_backup_not_whole__is_78(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "old"}, "first")
    assert cli("run", "--namespace", "first", "true").code == 0
    server.publish({}, "first", key="20250102000000-0000000000000000")
    server.publish({"b": "1"}, "second")

    result = cli("run", "--namespace", "first", "--namespace", "second", "--", "echo", "started")

    assert (result.code, result.out) == (78, b"")
    assert "[empty_namespace]" in result.err


def test_run__server_asks_for_more_patience_than_there_is__is_not_asked_again(server: FakeApollo, cli: Cli) -> None:
    server.fault = faults.answers(503, "{}", extra="Retry-After: 100\r\n")

    result = cli("run", "--start-timeout", "20s", "true")

    assert result.code == 69
    assert "[overloaded]" in result.err
    assert len(server.config_requests()) <= 2, "the server and its meta address, once each"


def test_run__release_of_two_namespaces_comes_in_between__is_seen_whole(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"}, "first")
    server.publish({"b": "1"}, "second")

    def publish_in_between(connection: object, request: object) -> bool:
        if len(server.config_requests()) == 2:
            server.publish({"a": "2"}, "first", key="20250102000000-0000000000000000")
            server.publish({"b": "2"}, "second", key="20250102000000-0000000000000000")
        return False

    server.fault = publish_in_between

    result = cli("run", "--namespace", "first", "--namespace", "second", "--", "env", "-0")

    assert (result.variables()["A"], result.variables()["B"]) == ("2", "2")


def test_run__second_meta_address_good__is_used(server: FakeApollo, cli: Cli, refused: str) -> None:
    server.publish({"db.url": "good"})

    result = cli("run", "--meta", refused, "--meta", server.url, "--", "env", "-0")

    assert result.variables()["DB_URL"] == "good"
    assert server.url in result.err
