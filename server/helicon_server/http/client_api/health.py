"""Health answers: is the process alive, should this node be sent clients.

A node that serves is ready, whatever it serves from: a database that went away after the load, or that was away at
the start, changes nothing for clients. The details say it (docs/operations.md has the table).
"""

from __future__ import annotations

from datetime import UTC, datetime

from helicon_server.delivery.answers import json_answer
from helicon_server.delivery.outcomes import Answer, Header
from helicon_server.delivery.plane import DatabaseHealth, Health
from helicon_server.delivery.requests import Route

_NO_STORE: tuple[Header, ...] = ((b"cache-control", b"no-store"),)


def answer(route: Route, health: Health) -> Answer | None:
    """The answer of a path under ``/health``; None for one that does not exist."""
    match route.tail:
        case ("live",):
            return json_answer(200, {"status": "UP"}, _NO_STORE)
        case ("ready",) if health.ready and all(each.away_since is None for each in health.databases):
            return json_answer(200, {"status": "UP"}, _NO_STORE)
        case () | ("ready",):
            return json_answer(200 if health.ready else 503, _body(health), _NO_STORE)
        case _:
            return None


def _body(health: Health) -> dict[str, object]:
    status = "UP" if health.ready else "OUT_OF_SERVICE" if health.code == "draining" else "DOWN"
    body: dict[str, object] = {"status": status}
    if health.code is not None:
        body["code"] = health.code
    body["databases"] = [_database(each) for each in health.databases]
    return body


def _database(database: DatabaseHealth) -> dict[str, object]:
    body: dict[str, object] = {
        "name": database.name,
        "database": "UP" if database.away_since is None else "DOWN",
        "loaded": database.loaded,
    }
    if database.away_since is not None:
        body["behindSince"] = database.away_since.isoformat(timespec="milliseconds")
        body["reason"] = database.reason
    if database.snapshot is not None:
        body["servedFrom"] = "snapshot"
        body["snapshot"] = {
            "savedAt": database.snapshot.saved_at.isoformat(timespec="milliseconds"),
            "currentAt": database.snapshot.confirmed_at.isoformat(timespec="milliseconds"),
            "ageSeconds": max(0, round((datetime.now(UTC) - database.snapshot.confirmed_at).total_seconds())),
        }
    return body
