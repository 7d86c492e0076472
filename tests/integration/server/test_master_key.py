"""The master key at the start of a node: made, found, missing, wrong; and nowhere to be read."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from helicon_server.auth import master_key
from tests.integration.server.commands import CONFIG, helicon_server, refusal
from tests.integration.server.processes import workers_of
from tests.support.server import MASTER_KEY, ServerProcess, Servers
from tests.support.wait import wait_until

OTHER_KEY = base64.b64encode(b"another-key-that-no-log-may-show").decode()
NOT_GIVEN = {"HELICON_MASTER_KEY": ""}
KEYS = "/api/v1/environments/DEV/apps/shop/access-keys"


def store_a_secret(node: ServerProcess) -> None:
    """Makes an app with an access key, so that the database holds something sealed."""
    assert node.request("POST", "/api/v1/apps", {"app_id": "shop"}).status == 201
    assert node.request("POST", KEYS, {"mode": "filter"}).status == 201


def serve(node: ServerProcess, **env: str) -> str:
    """The refusal of one more start on a node's folder with these variables."""
    return refusal(helicon_server("serve", "--port", "0", folder=node.folder, env=env), CONFIG)


def id_of(text: str) -> str:
    return master_key.parse(text).id


def test_embedded__first_start__makes_a_key_for_its_owner_alone(servers: Servers) -> None:
    node = servers.start(env=NOT_GIVEN)
    file = node.data_dir / "master.key"
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert text.strip() not in node.stdout + node.stderr
    store_a_secret(node)
    assert node.stop() == 0
    node.start()
    assert file.read_text() == text
    assert len(node.logs("master_key.made")) == 1
    assert len(node.request("GET", KEYS).json()["items"]) == 1


def test_embedded__key_in_the_settings__makes_no_file(servers: Servers, tmp_path: Path) -> None:
    """Neither with the variable nor with a file; the file may end in a line feed."""
    file = tmp_path / "secret"
    file.write_text(MASTER_KEY + "\n")
    node = servers.start()
    store_a_secret(node)
    assert node.stop() == 0
    node.env = {**NOT_GIVEN, "HELICON_MASTER_KEY_FILE": str(file)}
    node.start()
    assert not (node.data_dir / "master.key").exists()


def test_embedded__several_workers__share_the_key_that_was_made(servers: Servers) -> None:
    """Each reads it for itself: it is in no environment and on no command line."""
    node = servers.start("--workers", "2", env=NOT_GIVEN)
    store_a_secret(node)
    text = (node.data_dir / "master.key").read_text().strip()
    pids = wait_until(lambda: workers if len(workers := workers_of(node.pid)) == 2 else None, 20, "two workers")
    assert pids is not None
    for pid in (node.pid, *pids):
        for name in ("cmdline", "environ"):
            assert text.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    assert node.stop() == 0
    assert text not in node.stdout + node.stderr


def test_workers__key_in_the_settings__reaches_them(servers: Servers) -> None:
    node = servers.start("--workers", "2")
    store_a_secret(node)
    for _ in range(4):  # whichever answers
        assert node.request("POST", KEYS, {"mode": "observer"}).status == 201
    assert MASTER_KEY not in node.stdout + node.stderr


def test_embedded__made_key_is_lost__start_is_refused_and_makes_no_other(servers: Servers) -> None:
    """A new key would make the loss final, and refuse every client of every app with a key."""
    node = servers.start(env=NOT_GIVEN)
    file = node.data_dir / "master.key"
    store_a_secret(node)
    assert node.stop() == 0
    kept = file.rename(node.folder / "kept")
    said = serve(node, **NOT_GIVEN)
    assert said.startswith("bad setting: HELICON_MASTER_KEY: the database holds sealed secrets")
    assert str(file) in said
    assert not file.exists()
    kept.rename(file)
    node.start()


def test_embedded__file_that_holds_no_key__is_named_and_left(servers: Servers) -> None:
    """A torn copy from a backup, for example."""
    node = servers.start(env=NOT_GIVEN)
    assert node.stop() == 0
    file = node.data_dir / "master.key"
    for content in ("", OTHER_KEY[:20]):
        file.write_text(content)
        said = serve(node, **NOT_GIVEN)
        assert said.startswith(f"bad setting: what {file} holds must be 32 random bytes in base64")
        assert not content or content not in said
        assert file.read_text() == content


def test_wrong_key__is_refused_by_its_id(servers: Servers) -> None:
    """The ids tell an operator which of several keys is meant; the keys themselves are not shown."""
    node = servers.start()
    store_a_secret(node)
    assert node.stop() == 0
    said = serve(node, HELICON_MASTER_KEY=OTHER_KEY)
    assert said.startswith(
        f"bad setting: HELICON_MASTER_KEY: this node's master key (id {id_of(OTHER_KEY)}) opens none"
    )
    assert id_of(MASTER_KEY) in said
    assert OTHER_KEY not in said
    assert MASTER_KEY not in said
    node.start()


def test_some_secrets_of_another_key__start_tells_how_many(servers: Servers) -> None:
    """Two nodes may have had two keys for a while; one wrong row must not keep a node from starting."""
    node = servers.start()
    store_a_secret(node)
    assert node.request("POST", KEYS, {"mode": "observer"}).status == 201
    assert node.stop() == 0
    with closing(sqlite3.connect(node.data_dir / "helicon.db")) as database:
        database.execute(
            "UPDATE access_keys SET sealed = replace(sealed, ?, ?) WHERE mode = 'observer'",
            (id_of(MASTER_KEY), id_of(OTHER_KEY)),
        )
        database.commit()
    node.start()
    (told,) = node.logs("master_key.some_secrets_are_of_another_key")
    assert (told["level"], told["unreadable"], told["of"]) == ("error", 1, 2)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"HELICON_MASTER_KEY": OTHER_KEY[:-1]}, "HELICON_MASTER_KEY: must be 32 random bytes in base64"),
        (
            {**NOT_GIVEN, "HELICON_MASTER_KEY_FILE": "absent"},
            "HELICON_MASTER_KEY_FILE: the master key absent cannot be",
        ),
        ({**NOT_GIVEN, "HELICON_MASTER_KEY_FILE": "."}, "HELICON_MASTER_KEY_FILE: the master key . cannot be"),
        (
            {**NOT_GIVEN, "HELICON_MASTER_KEY_FILE": "/dev/zero"},
            "HELICON_MASTER_KEY_FILE: what /dev/zero holds must be",
        ),
        ({"HELICON_MASTER_KEY_FILE": "absent"}, "HELICON_MASTER_KEY: is given, and so is HELICON_MASTER_KEY_FILE"),
    ],
)
def test_key__unusable__is_refused_before_anything_is_touched(
    tmp_path: Path, env: dict[str, str], expected: str
) -> None:
    said = refusal(helicon_server("serve", "--port", "0", folder=tmp_path, env=env), CONFIG)
    assert said.startswith(f"bad setting: {expected}")
    assert OTHER_KEY[:-1] not in said
    assert not (tmp_path / "data").exists()


@pytest.mark.postgres
def test_postgres__no_key__is_refused_and_says_how_to_make_one(tmp_path: Path, postgres_url: str) -> None:
    """Nodes share the database and must share the key, so that none of them may make one up."""
    env = {"HELICON_DATABASE_URL": postgres_url, **NOT_GIVEN}
    assert helicon_server("migrate", folder=tmp_path, env=env).returncode == 0
    said = refusal(helicon_server("serve", "--port", "0", folder=tmp_path, env=env), CONFIG)
    assert said.startswith("bad setting: HELICON_MASTER_KEY: is not set")
    assert "openssl rand -base64 32" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.postgres
def test_postgres_for_one_environment__no_key__is_refused(tmp_path: Path, postgres_url: str) -> None:
    """Its access keys lie in the shared database, whatever else is embedded."""
    env = {"HELICON_ENVIRONMENTS": f"DEV,PRO={postgres_url}", **NOT_GIVEN}
    said = refusal(helicon_server("serve", "--port", "0", folder=tmp_path, env=env), CONFIG)
    assert said.startswith("bad setting: HELICON_MASTER_KEY: is not set")


@pytest.mark.postgres
def test_postgres__commands_that_seal_nothing__need_no_key(tmp_path: Path, postgres_url: str) -> None:
    """A migration job and a first-aid command are run by people who need not have it."""
    env = {"HELICON_DATABASE_URL": postgres_url, **NOT_GIVEN}
    for command in (
        ("migrate",),
        ("migrate", "--check"),
        ("user", "create", "ana"),
        ("token", "list"),
    ):
        ended = helicon_server(*command, folder=tmp_path, env=env)
        assert ended.returncode == 0, (command, ended.stderr)


@pytest.mark.postgres
def test_postgres__second_node_with_another_key__is_refused(
    servers: Servers, tmp_path: Path, postgres_url: str
) -> None:
    """It could not open the keys that the first has sealed, and would refuse the clients of those apps."""
    env = {"HELICON_DATABASE_URL": postgres_url}
    assert helicon_server("migrate", folder=tmp_path, env=env).returncode == 0
    node = servers.start(database_url=postgres_url)
    store_a_secret(node)
    assert "opens none of the stored secrets" in serve(node, **env, HELICON_MASTER_KEY=OTHER_KEY)
