"""What a client starts with, and that it says so."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from helicon import Client, Connection, SettingsError, Source
from helicon._impl import progress
from tests.support.clients import OpenClient
from tests.support.scripted_server import ScriptedServer, answer, html, json_answer, not_found, scripted_server, silence
from tests.support.waiting import eventually


def closed_port() -> str:
    """The address of a server that was there and is gone."""
    with scripted_server() as server:
        return server.url


def test_client__server_there__reads_its_values(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    config = client.namespace()
    assert config.get("http.timeout", default=1, as_=int) == 2500
    assert config.get("missing", default="d") == "d"
    status = client.status()
    assert (status.source, status.connection) == (Source.SERVER, Connection.CONNECTED)
    entry = status.namespaces["application"]
    assert entry.release_key == config.snapshot().release_key
    assert entry.age_seconds is not None
    assert entry.last_error is None


def test_client__no_server_and_no_backup__reads_defaults(open_client: OpenClient) -> None:
    client = open_client(closed_port(), start_timeout=0.3)
    assert client.namespace().get("http.timeout", default=7, as_=int) == 7
    status = client.status()
    assert (status.source, status.connection) == (Source.NONE, Connection.CONNECTING)
    assert status.last_error is not None
    assert status.last_error.startswith("connect_failed: ")
    assert status.namespaces["application"].age_seconds is None


def test_client__server_gone_at_the_second_start__reads_the_backup(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    first = open_client(apollo.url)
    release = first.namespace().snapshot().release_key
    eventually(lambda: first.status().namespaces["application"].backup_problem is None, "the backup")
    first.close()
    apollo.stop()
    second = open_client(apollo.url, start_timeout=30)
    assert second.namespace().get("http.timeout") == "2500"
    entry = second.status().namespaces["application"]
    assert (entry.source, entry.release_key) == (Source.BACKUP, release)
    assert entry.last_error is not None
    assert entry.age_seconds is not None


def test_client__fresh_process_without_server__reads_the_backup(
    apollo: ScriptedServer, open_client: OpenClient, tmp_path: Path
) -> None:
    apollo.publish("routes.json", {"content": '{"root": "/v1"}'})
    open_client(apollo.url, namespaces=["application", "routes.json"]).close()
    apollo.stop()
    program = f"""
        import helicon
        with helicon.Client(meta={apollo.url!r}, app_id="shop", namespaces=["application", "routes.json"],
                            cache_dir={str(tmp_path / "state")!r}) as client:
            print(client.namespace().get("http.timeout"), client.namespace("routes.json").json()["root"])
            print(client.status().source)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "2500 /v1\nbackup\n"
    # Without any logging set up Python prints warnings itself: what happened, and no value.
    assert "started_from_backup" in done.stderr
    assert "2500" not in done.stderr


def test_client__server_back_after_a_start_from_backup__follows_it(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    open_client(apollo.url).close()
    port = apollo.port
    apollo.stop()
    client = open_client(apollo.url)
    events: list[object] = []
    client.namespace().on_change(events.append)
    assert client.status().source is Source.BACKUP
    with scripted_server(port=port) as back:
        back.publish("application", {"http.timeout": "9000", "feature.cart": "true"})
        eventually(lambda: client.namespace().get("http.timeout") == "9000", "the new value")
        eventually(lambda: events, "the event")
        assert client.status().source is Source.SERVER


def test_client__server_back_with_the_release_of_the_backup__confirms_it(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    open_client(apollo.url).close()
    release, port = apollo._releases["application"], apollo.port
    apollo.stop()
    client = open_client(apollo.url)
    events: list[object] = []
    client.namespace().on_change(events.append)
    assert client.status().source is Source.BACKUP
    with scripted_server(port=port) as back:
        back._releases["application"] = release
        eventually(lambda: client.status().source is Source.SERVER, "the confirmation")
        assert client.namespace().snapshot().release_key == release.release_key
        assert events == []


def test_client__server_started_after_the_client__is_found(open_client: OpenClient) -> None:
    """Any order of starting must end well."""
    with scripted_server() as server:
        port, url = server.port, server.url
    client = open_client(url, start_timeout=0.2)
    assert client.status().source is Source.NONE
    with scripted_server(port=port) as server:
        server.publish("application", {"a": "1"})
        eventually(lambda: client.namespace().get("a") == "1", "the value")


def test_client__black_hole__starts_within_its_time_and_from_the_backup(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    open_client(apollo.url).close()
    for kind in ("services", "configs", "notifications"):
        apollo.script(kind, silence, repeat=True)
    started = threading.Event()
    opened: list[Client] = []

    def start() -> None:
        opened.append(open_client(apollo.url, start_timeout=0.5))
        started.set()

    thread = threading.Thread(target=start)
    thread.start()
    assert started.wait(10)
    thread.join()
    assert opened[0].namespace().get("http.timeout") == "2500"
    assert opened[0].status().source is Source.BACKUP


def test_client__one_namespace_without_release__has_the_other(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url, namespaces=["nothing", "application"])
    assert client.namespace("application").get("http.timeout") == "2500"
    entry = client.status().namespaces["nothing"]
    assert entry.source is Source.NONE
    assert entry.last_error is not None
    assert entry.last_error.startswith("not_released: ")
    assert (client.status().last_error or "").startswith("not_released: namespace nothing: ")
    apollo.publish("nothing", {"a": "1"})
    eventually(lambda: client.namespace("nothing").get("a") == "1", "the first release")
    eventually(lambda: client.status().last_error is None, "all being well")


def test_client__denied__does_not_start_from_the_backup_but_keeps_it(
    apollo: ScriptedServer, open_client: OpenClient, tmp_path: Path
) -> None:
    """A copy on disk must not outlive a revoked key, nor be lost when the key comes back."""
    open_client(apollo.url).close()
    kept = sorted(path for path in (tmp_path / "state").rglob("*.backup"))
    for kind in ("configs", "notifications"):
        apollo.script(kind, json_answer(401, {"status": 401}), repeat=True)
    client = open_client(apollo.url)
    status = client.status()
    assert (status.source, status.connection) == (Source.NONE, Connection.DENIED)
    assert status.last_error is not None
    assert status.last_error.startswith("denied: ")
    assert sorted(path for path in (tmp_path / "state").rglob("*.backup")) == kept


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/env/PRO", "no_such_endpoint", "wrong_address: {url}: HELICON_META is not the root of a server "),
        ("/envs/PROD", "unknown_environment", "unknown_environment: {url}: no environment PROD on this server"),
    ],
)
def test_client__address_leads_to_nothing_of_the_server__says_so_at_once(
    apollo: ScriptedServer,
    open_client: OpenClient,
    caplog: pytest.LogCaptureFixture,
    path: str,
    code: str,
    message: str,
) -> None:
    """Without waiting for the start to time out, which would outlive the deadline of the test."""
    for kind in ("services", "configs", "notifications"):
        apollo.script(kind, not_found(code=code), repeat=True)
    client = open_client(apollo.url + path, namespaces=["application", "redis"], start_timeout=3600)
    status = client.status()
    assert (status.source, status.connection) == (Source.NONE, Connection.CONNECTING)
    expected = message.format(url=apollo.url + path)
    assert (status.last_error or "").startswith(expected)
    assert (status.namespaces["application"].last_error or "").startswith(expected)
    assert expected.partition(": ")[2] in caplog.text
    assert "release" not in caplog.text


def test_client__one_of_two_addresses_is_wrong__starts_from_the_other(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    apollo.services = []
    with scripted_server() as other:
        for kind in ("services", "configs", "notifications"):
            other.script(kind, not_found(code="unknown_environment"), repeat=True)
        for _ in range(6):  # the order is drawn by lot
            client = open_client(f"{other.url}/envs/PROD,{apollo.url}")
            assert client.namespace().get("http.timeout") == "2500"
            assert client.status().last_error is None


def test_client__environment_is_gone__keeps_its_values(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the poll")
    for kind in ("configs", "notifications"):
        apollo.script(kind, not_found(code="unknown_environment"), repeat=True)
    apollo.cut()
    eventually(lambda: client.status().connection is Connection.INTERRUPTED, "the state")
    assert (client.status().last_error or "").startswith("unknown_environment: ")
    assert client.namespace().get("http.timeout") == "2500"
    for kind in ("configs", "notifications"):
        apollo.script(kind)
    eventually(lambda: client.status().connection is Connection.CONNECTED, "the return")


@pytest.mark.parametrize(
    "body",
    [not_found(code="NOT_FOUND"), json_answer(404, {"error": "x"}), json_answer(404, {"status": 404}), answer(404)],
    ids=["foreign_code", "foreign_json", "status_alone", "empty"],
)
def test_client__404_of_some_other_server__counts_as_no_answer(
    apollo: ScriptedServer, open_client: OpenClient, body: bytes
) -> None:
    open_client(apollo.url).close()
    for kind in ("services", "configs", "notifications"):
        apollo.script(kind, body, repeat=True)
    client = open_client(apollo.url)
    assert client.status().source is Source.BACKUP
    assert "some other one lives there" in (client.status().last_error or "")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_client__refusal_of_a_captive_portal__counts_as_no_answer(
    apollo: ScriptedServer, open_client: OpenClient, status: int
) -> None:
    open_client(apollo.url).close()
    for kind in ("services", "configs", "notifications"):
        apollo.script(kind, html(status), repeat=True)
    client = open_client(apollo.url)
    assert client.status().source is Source.BACKUP
    assert client.status().connection is not Connection.DENIED


def test_client__namespace_added_later__is_loaded_and_followed(apollo: ScriptedServer, open_client: OpenClient) -> None:
    apollo.publish("redis", {"host": "a"})
    client = open_client(apollo.url)
    eventually(apollo.polls_held, "the first poll")
    redis = client.namespace("redis.properties")
    assert redis is client.namespace("redis")
    assert redis.get("host") == "a"
    apollo.publish("redis", {"host": "b"})
    eventually(lambda: redis.get("host") == "b", "the change")


def test_client__namespace_added_by_many_threads__is_one(apollo: ScriptedServer, open_client: OpenClient) -> None:
    apollo.publish("redis", {"host": "a"})
    client = open_client(apollo.url)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(client.namespace("redis"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b"])
def test_client__impossible_namespace__is_a_settings_error(
    apollo: ScriptedServer, open_client: OpenClient, name: str
) -> None:
    with pytest.raises(SettingsError):
        open_client(apollo.url).namespace(name)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "x"])
def test_client__impossible_start_timeout__is_a_settings_error(seconds: object) -> None:
    with pytest.raises(SettingsError, match="start_timeout"):
        Client(meta="http://127.0.0.1:1", app_id="a", start_timeout=seconds)  # type: ignore[arg-type]  # the point


def test_client__from_env__takes_the_variables(apollo: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELICON_META", apollo.url)
    monkeypatch.setenv("APP_ID", "shop")
    monkeypatch.setenv("HELICON_CACHE_DIR", "off")
    monkeypatch.delenv("HELICON_APP_ID", raising=False)
    with Client.from_env() as client:
        assert client.namespace().get("http.timeout") == "2500"
        problem = client.status().namespaces["application"].backup_problem
    assert problem is not None
    assert problem.startswith("off: ")


def test_client__access_key_prefix_and_selectors__are_on_the_wire(open_client: OpenClient) -> None:
    from helicon.protocol.signature import verify

    with scripted_server(prefix="/envs/PRO") as server:
        server.publish("application", {"a": "1"})
        meta = server.url.removesuffix("/envs/PRO") + "/{env}"
        client = open_client(meta, env="PRO", access_key_secret="s3cret", data_center="dc1", label="canary")
        eventually(server.polls_held, "the poll")
        assert client.namespace().get("a") == "1"
        for request in tuple(server.requests):
            assert request.target.startswith("/envs/PRO/")
            if request.kind == "services":
                assert "authorization" not in request.headers
                continue
            scheme, _, rest = request.headers["authorization"].partition(" ")
            app_id, _, signature = rest.partition(":")
            assert (scheme, app_id) == ("Apollo", "shop")
            assert verify("s3cret", request.headers["timestamp"], request.target, signature)
            assert request.query["dataCenter"] == "dc1"
            assert request.query["label"] == "canary"
            assert request.query["ip"] == "127.0.0.1"
            assert "s3cret" not in request.target


def test_client__folder_not_writable__runs_without_backup_and_says_so(
    apollo: ScriptedServer, open_client: OpenClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("x")
    client = open_client(apollo.url, cache_dir=tmp_path / "file" / "below")

    def problem() -> str | None:
        return client.status().namespaces["application"].backup_problem

    eventually(problem, "the note in the status")
    assert (problem() or "").startswith("unwritable: ")
    assert client.namespace().get("http.timeout") == "2500"
    assert [record.message for record in caplog.records if "backup_not_kept" in record.message]


def test_client__torn_backup_and_no_server__starts_empty_and_says_why(
    apollo: ScriptedServer, open_client: OpenClient, tmp_path: Path
) -> None:
    open_client(apollo.url).close()
    apollo.stop()
    for path in (tmp_path / "state").rglob("*.backup"):
        path.write_bytes(path.read_bytes()[:-5])
    client = open_client(apollo.url, start_timeout=0.2)
    entry = client.status().namespaces["application"]
    assert entry.source is Source.NONE
    assert entry.backup_problem is not None
    assert entry.backup_problem.startswith("torn: ")


def test_client__closed__ends_its_thread_at_once_and_reads_on(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "RECHECK_SECONDS", (0.01,))
    client = open_client(apollo.url)
    # From here on nothing but the poll's answer, a minute away, would end the thread's wait.
    eventually(lambda: client.status().namespaces["application"].notification_id > 0, "the confirmed id")
    eventually(apollo.polls_held, "the poll")
    client.close(timeout=20)
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("helicon-poll-")]
    assert client.namespace().get("http.timeout") == "2500"
    assert client.status().connection is Connection.CLOSED
    eventually(lambda: not apollo.polls_held(), "the end of the poll")
