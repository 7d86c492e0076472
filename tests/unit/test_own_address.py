"""The address that a node tells others."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest

from helicon_server.own_address import node_url


@pytest.mark.parametrize(
    ("given", "host", "port", "expected"),
    [
        ("https://node-1.example/helicon/", "0.0.0.0", 8080, "https://node-1.example/helicon"),
        (None, "10.0.0.5", 8080, "http://10.0.0.5:8080"),
        (None, "config.example", 80, "http://config.example:80"),
        (None, "fd00::5", 8080, "http://[fd00::5]:8080"),
        (None, "127.0.0.1", 1234, "http://127.0.0.1:1234"),
    ],
)
def test_node_url__is_the_given_one_else_made_of_host_and_port(
    given: str | None, host: str, port: int, expected: str
) -> None:
    assert node_url(given, host, port) == expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_node_url__of_a_wildcard__is_an_address_of_this_machine(host: str) -> None:
    """Nobody could reach a node under 0.0.0.0."""
    parts = urlsplit(node_url(None, host, 8080))
    assert parts.port == 8080
    assert not ipaddress.ip_address(parts.hostname or "").is_unspecified
