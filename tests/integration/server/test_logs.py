"""The log: every line parses, says what happened under which request, and shows no secret and no value."""

from __future__ import annotations

import json
import socket

import pytest

from tests.integration.server.commands import NOTHING_GIVEN
from tests.support.ports import LOOPBACK
from tests.support.server import BOOTSTRAP_PASSWORD, BOOTSTRAP_TOKEN, ServerProcess, Servers

VALUE = "v-that-no-log-may-show"
WRONG = "wrong-password-that-no-log-may-show"
DRAFT = "/api/v1/environments/DEV/apps/shop/clusters/default/namespaces/application"


def use(node: ServerProcess) -> list[str]:
    """Uses the node well and badly; returns the secrets and values that went over the wire."""
    signed_in = node.request("POST", "/api/v1/sign-in", {"user": "admin", "password": BOOTSTRAP_PASSWORD}, token=None)
    token = signed_in.json()["secret"]
    node.request("POST", "/api/v1/sign-in", {"user": "admin", "password": WRONG}, token=None)
    node.request("GET", "/api/v1/apps", token=WRONG)
    node.request("POST", "/api/v1/apps", {"app_id": "shop"}, headers={"X-Request-Id": "request-1"})
    node.request("POST", "/api/v1/environments/DEV/apps/shop/namespaces", {"name": "application"})
    node.request("PUT", f"{DRAFT}/items/some.key", {"value": VALUE}, headers={"If-Match": "1"})
    node.request("PUT", f"{DRAFT}/items/some.key", {"value": VALUE}, headers={"If-Match": "1"})
    node.request("PUT", f"{DRAFT}/items/n", {"value": VALUE, "type": "number"}, headers={"If-Match": "2"})
    node.request("PUT", f"{DRAFT}/items/n", {"value": [VALUE]}, headers={"If-Match": "2"})
    node.request("PUT", f"{DRAFT}/text", {"a": VALUE}, headers={"If-Match": "2", "Content-Type": "text/plain"})
    target = {"app": "shop", "namespace": "application", "revision": 3}
    made = node.request("POST", "/api/v1/environments/DEV/releases", {"namespaces": [target], "title": VALUE})
    assert made.status == 201, made.body
    assert node.request("GET", f"{DRAFT}/diff?from=live", token=token).status == 200
    node.request("GET", "/configs/shop/default/application?ip=1.2.3.4&secret=" + WRONG, token=None)
    return [BOOTSTRAP_TOKEN, BOOTSTRAP_PASSWORD, VALUE, WRONG, token]


@pytest.mark.parametrize("workers", [1, 2])
def test_json__every_line__is_an_object_with_an_event_and_shows_nothing_secret(servers: Servers, workers: int) -> None:
    """From the start to the end of the node, of its workers, and of the libraries that it uses."""
    node = servers.start("--workers", str(workers), "--log-format", "json")
    secrets = use(node)
    assert node.stop() == 0
    lines = [json.loads(line) for line in node.stderr.splitlines()]
    for line in lines:
        assert {"event", "level", "timestamp"} <= set(line)
    for secret in secrets:
        assert secret not in node.stderr
        assert secret not in node.stdout


def test_request__in_the_log__has_its_id_actor_status_and_path(servers: Servers) -> None:
    """What an on-call person looks for with the request id of a complaint."""
    node = servers.start()
    use(node)
    (line,) = [line for line in node.logs("request") if line["request_id"] == "request-1"]
    expected = {"method": "POST", "path": "/api/v1/apps", "status": 201, "actor": "token:bootstrap", "level": "info"}
    assert expected.items() <= line.items()
    assert isinstance(line["ms"], float)
    refused = [line for line in node.logs("request") if line["status"] == 401]
    assert {line["actor"] for line in refused} == {"anonymous"}


def test_text__for_people__has_no_escapes_in_a_file_and_shows_nothing_secret(servers: Servers) -> None:
    """Colours are for terminals."""
    node = servers.start("--log-format", "text")
    secrets = use(node)
    assert node.stop() == 0
    assert "node.ready" in node.stderr
    assert "\x1b[" not in node.stderr
    for secret in secrets:
        assert secret not in node.stderr + node.stdout


def test_generated_password__is_on_standard_output_alone(servers: Servers) -> None:
    """Logs are collected and read by many; standard output of the first start is for the one who started it."""
    node = servers.start(env=NOTHING_GIVEN)
    shown = node.stdout.partition("password: ")[2].split()[0]
    assert node.stop() == 0
    assert shown not in node.stderr


def test_bytes_that_are_no_request__are_noted_once_with_their_peer(servers: Servers) -> None:
    """Anybody can send them: a line for each would fill the disk, and one without an address helps nobody."""
    node = servers.start("--log-format", "json")
    for sent in [b"RUBBISH\r\n\r\n"] * 5 + [
        b"GET / HTTP/1.1\r\nHost: n\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    ] * 5:
        with socket.create_connection((LOOPBACK, node.port), timeout=30) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
    assert node.stop() == 0
    (note,) = node.logs("http.request_refused")
    assert (note["code"], note["peer"], note["unnoted"]) == ("malformed_request", LOOPBACK, 0)
    lines = [line["message"] for line in node.logs("library.uvicorn.error")]
    assert len(lines) == len(set(lines)), "each sentence once"
    assert not any("Invalid HTTP request" in line for line in lines)
