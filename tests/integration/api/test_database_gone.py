"""The database goes away under a running node: clients notice nothing, management says so and recovers by itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from helicon_server.http.api.endpoints import ENDPOINTS
from tests.integration.api.client import ENVIRONMENT, Api, Place, pages
from tests.integration.api.test_rights import BODIES
from tests.support.postgres import PASSWORD, PostgresServer, PostgresUnavailableError, start_postgres
from tests.support.server import Servers, run_server_command
from tests.support.wait import wait_until

DEADLINE_S = 30
POLL_DEADLINE_S = 90


@dataclass(frozen=True, slots=True)
class Installation:
    """One node on a PostgreSQL of its own, which tests may kill."""

    postgres: PostgresServer
    url: str
    api: Api


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Durable, because it is killed and asked what survived."""
    try:
        postgres = start_postgres(durable=True)
    except PostgresUnavailableError as error:
        pytest.skip(f"no PostgreSQL: {error}")
    nodes = Servers(tmp_path_factory.mktemp("gone"))
    try:
        url = postgres.create_database()
        assert run_server_command("migrate", "--database-url", url).returncode == 0
        api = Api(nodes.start(database_url=url))
        yield Installation(postgres, url, api)
        api.http.close()
    finally:
        nodes.close()
        postgres.remove()


@pytest.fixture
def running(installation: Installation) -> Iterator[Installation]:
    """The installation with its database running, before the test and behind it."""
    yield installation
    if not installation.postgres.running:
        installation.postgres.start()


def held_poll(api: Api, place: Place, seen: int) -> httpx.Response:
    """A long poll of a client that saw notification ``seen``; answers when there is news."""
    notifications = json.dumps([{"namespaceName": place.namespace, "notificationId": seen}])
    query = {"appId": place.app, "cluster": "default", "notifications": notifications}
    return httpx.get(f"{api.node.url}/notifications/v2", params=query, timeout=POLL_DEADLINE_S, trust_env=False)


def health(api: Api) -> dict[str, Any]:
    body: dict[str, Any] = api.http.get("/health").json()
    return body


@pytest.mark.postgres
def test_postgres__killed__clients_go_on_and_management_says_so_and_recovers(running: Installation) -> None:
    """Reads and held polls outlive the database; whoever held a poll learns of the first release behind the outage."""
    api, postgres = running.api, running.postgres
    place = api.place(text="a = 1\n")
    first = place.publish().json()["releases"][0]
    place.served(first["release_key"])
    before = place.state()
    with ThreadPoolExecutor(1) as pool:
        poll: Future[httpx.Response] = pool.submit(held_poll, api, place, first["notification_id"])
        postgres.kill()
        _assert_management_is_unavailable(api, place)
        wait_until(lambda: health(api)["databases"][0]["database"] == "DOWN", DEADLINE_S, "node that noticed")
        assert place.served(first["release_key"]) == {"a": "1"}
        assert api.http.get(f"/configfiles/{place.app}/default/application").text == "a=1\n"
        assert api.http.get("/health/ready").status_code == 200, "clients must not be sent away"
        assert not poll.done(), "a held poll does not end with the database"
        postgres.start()
        wait_until(lambda: api.call("GET", "/apps").status_code == 200, DEADLINE_S, "management that recovered")
        assert place.state() == before
        place.write("a = 2\n")
        second = place.publish().json()["releases"][0]
        answer = poll.result(DEADLINE_S)
    assert answer.status_code == 200
    assert answer.json()[0]["notificationId"] == second["notification_id"]
    assert place.served(second["release_key"]) == {"a": "2"}
    wait_until(lambda: health(api)["databases"][0]["database"] == "UP", DEADLINE_S, "node that noticed the recovery")
    assert PASSWORD not in api.node.stderr
    assert not api.node.logs("request.failed")


def _assert_management_is_unavailable(api: Api, place: Place) -> None:
    """Every endpoint refuses with a code and says when to come back; nobody is refused as nobody all the same."""
    for endpoint in ENDPOINTS:
        names = {"app": place.app, "cluster": "default", "namespace": "application", "release": 1, "name": "x"}
        names |= {"branch": "x", "access_key": 1}
        path = endpoint.path.replace("{key:path}", "a").format_map(names | {"environment": ENVIRONMENT})
        body = BODIES[endpoint.method, endpoint.path]
        if isinstance(body, bytes):
            answer = api.call(endpoint.method, path, content=body, headers={"Content-Type": "text/plain"}, revision=1)
        else:
            answer = api.call(endpoint.method, path, body, revision=1)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable"), endpoint
        assert int(answer.headers["retry-after"]) > 0
        assert PASSWORD not in answer.text
        if endpoint.right is not None:
            assert api.call(endpoint.method, path, token=None).status_code == 401


@pytest.mark.postgres
def test_postgres__connections_cut__the_next_request_works(running: Installation) -> None:
    """A failover or a restart of the database costs the requests under way and none behind them."""
    api = running.api
    place = api.place(text="a = 1\n")
    for _ in range(3):
        assert running.postgres.cut_connections(running.url) > 0
        wait_until(lambda: api.call("GET", "/apps").status_code == 200, DEADLINE_S, "working connection")
        assert place.text == "a = 1\n"
    assert not api.node.logs("request.failed")


@pytest.mark.postgres
def test_postgres__killed_under_publishes__leaves_whole_releases_only(running: Installation) -> None:
    """Whatever was answered 201 is there afterwards; what was refused or cut off is there whole or not at all."""
    api, postgres = running.api, running.postgres
    first, second = api.place(text="n = 0\n"), api.place(text="n = 0\n")
    first.publish(second)
    acknowledged = []
    for n in range(1, 11):
        first.write(f"n = {n}\n")
        second.write(f"n = {n}\n")
        targets = {"namespaces": [first.target, second.target]}
        with ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(api.call, "POST", f"/environments/{ENVIRONMENT}/releases", targets)
            if n == 10:
                postgres.kill()
            answer = publishing.result(DEADLINE_S)
        assert answer.status_code in ((201,) if n < 10 else (201, 503)), answer.text
        if answer.status_code == 201:
            acknowledged += [(r["namespace"], r["app"], r["release_id"]) for r in answer.json()["releases"]]
    postgres.start()
    wait_until(lambda: api.call("GET", "/apps").status_code == 200, DEADLINE_S, "management that recovered")
    there = [(place.namespace, place.app, r["id"]) for place in (first, second) for r in place.releases]
    assert set(acknowledged) <= set(there)
    assert len(first.releases) == len(second.releases)
    releases = [e for e in pages(api, f"/environments/{ENVIRONMENT}/audit") if e["action"] == "release.publish"]
    audited = {e["detail"]["release"] for e in releases if e["app"] in (first.app, second.app)}
    assert audited == {release for _, _, release in there}


def test_sqlite__locked_by_another_program__reads_go_on_and_writes_are_refused(servers: Servers) -> None:
    """A backup tool or a forgotten shell holds the file: writes wait, then say so, and work again behind it."""
    api = Api(servers.start())
    place = api.place(text="a = 1\n")
    release = place.publish().json()["releases"][0]
    file: Path = api.node.data_dir / "helicon.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = api.call("PUT", place.item("a"), {"value": "2"}, revision=2)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert "retry-after" in answer.headers
        assert place.text == "a = 1\n"
        assert place.served(release["release_key"]) == {"a": "1"}
        other.execute("ROLLBACK")
    assert api.call("PUT", place.item("a"), {"value": "2"}, revision=2).status_code == 200
    api.http.close()


def test_server__killed_under_a_publish__a_retry_with_the_same_key_makes_one_release(servers: Servers) -> None:
    """Whether the crash came before the commit or behind it, whole it is, and once."""
    api = Api(servers.start())
    first, second = api.place(text="n = 0\n"), api.place(text="n = 0\n")
    for n in range(1, 4):
        first.write(f"n = {n}\n")
        second.write(f"n = {n}\n")
        body = {"namespaces": [first.target, second.target]}
        headers = {"Idempotency-Key": f"publish-{n}"}
        path = f"/environments/{ENVIRONMENT}/releases"
        with ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(api.call, "POST", path, body, headers=headers)
            api.node.kill()
            lost = publishing.exception(DEADLINE_S)
        assert lost is None or isinstance(lost, httpx.TransportError), lost
        api.node.start()
        again = api.call("POST", path, body, headers=headers)
        assert again.status_code == 201, again.text
        if lost is None:
            assert again.json() == publishing.result().json()
        assert (len(first.releases), len(second.releases)) == (n, n)
    assert first.text == second.text == "n = 3\n"
    api.http.close()
