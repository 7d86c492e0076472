"""What every answer to an Apollo client has to be, checked on the recorded requests of clients in the wild.

Rules: Apollo client protocol, sections 1, 4.5, 7.4 and 12.1.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from tests.acceptance.clients.recorder import POLL_PATH, Exchange

# Rust's apollo-client reads ids into 32 bits with a sign.
LARGEST_ID = 2**31 - 1


def check_exchanges(exchanges: Iterable[Exchange]) -> None:
    """Asserts that each answer that came is one that no known client stumbles over."""
    for exchange in exchanges:
        if exchange.status is not None:
            _check(exchange)


def check_ids_grow(exchanges: Iterable[Exchange]) -> None:
    """Asserts that the ids that a client was told of a namespace only grow, over a restart too."""
    newest: dict[str, int] = {}
    for exchange in exchanges:
        if not exchange.path.endswith(POLL_PATH) or exchange.status != 200:
            continue
        for entry in _json(exchange):
            name, told = entry["namespaceName"], entry["notificationId"]
            # The same id again is for a client that came back with its old one.
            assert told >= newest.get(name, 0), exchange
            newest[name] = told


def _check(exchange: Exchange) -> None:
    assert exchange.status in (200, 304), exchange
    if exchange.status == 304:
        assert exchange.body == b"", exchange
        return
    coding = exchange.answer_headers.get("content-encoding", "identity")
    assert coding == "identity" or coding in exchange.headers.get("accept-encoding", ""), exchange
    assert exchange.answer_headers["content-type"].lower().startswith("application/json"), exchange
    answer = _json(exchange)
    if exchange.path.endswith(POLL_PATH):
        _check_notifications(exchange, answer)
    elif exchange.path.endswith("/services/config"):
        _check_servers(exchange, answer)
    elif "/configs/" in exchange.path:
        _check_configuration(exchange, answer)
    else:
        assert "/configfiles/json/" in exchange.path, exchange
        assert all(isinstance(value, str) for value in answer.values()), exchange


def _check_notifications(exchange: Exchange, answer: Any) -> None:
    assert answer, exchange
    asked = exchange.notifications
    for entry in answer:
        told = entry["notificationId"]
        assert entry["namespaceName"] in asked, exchange
        assert type(told) is int, exchange
        assert max(asked[entry["namespaceName"]], 0) < told <= LARGEST_ID, exchange
        assert entry["messages"]["details"], exchange


def _check_servers(exchange: Exchange, answer: Any) -> None:
    assert answer, exchange
    prefix = exchange.path.removesuffix("services/config")
    for server in answer:
        assert {"appName", "instanceId", "homepageUrl"} <= server.keys(), exchange
        # What the client was told to use is what it is sent back to, environment included.
        assert server["homepageUrl"] == f"http://{exchange.headers['host']}{prefix}", exchange


def _check_configuration(exchange: Exchange, answer: Any) -> None:
    app, cluster, namespace = (unquote(part) for part in exchange.path.split("/")[-3:])
    assert (answer["appId"], answer["cluster"], answer["namespaceName"]) == (app, cluster, namespace), exchange
    assert answer["releaseKey"], exchange
    assert answer["releaseKey"] != exchange.parameters.get("releaseKey"), exchange
    assert all(isinstance(value, str) for value in answer["configurations"].values()), exchange


def _json(exchange: Exchange) -> Any:
    body = exchange.body
    return json.loads(gzip.decompress(body) if "content-encoding" in exchange.answer_headers else body)
