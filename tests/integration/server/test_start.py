"""The start of a node: it serves, or says which thing is wrong and what to do, and ends with a code of its own."""

from __future__ import annotations

import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.server.commands import (
    CANNOT_CREATE,
    CONFIG,
    FIRST_PASSWORD,
    NOTHING_GIVEN,
    UNAVAILABLE,
    helicon_server,
    refusal,
)
from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres import PASSWORD, PostgresServer, database_of
from tests.support.server import BOOTSTRAP_TOKEN, Servers

SECRET = "db-secret-that-no-message-may-show"


def test_port__taken__is_named_and_nothing_is_touched(tmp_path: Path) -> None:
    """Whoever starts a second node on the data of the first by mistake must not change it."""
    with closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(helicon_server("serve", "--port", str(port), folder=tmp_path), UNAVAILABLE)
    assert said.startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use.")
    assert "--port" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["198.51.100.7", "no-such-host.invalid"])
def test_host__not_of_this_machine__is_named(tmp_path: Path, host: str) -> None:
    """An address of another machine, and a name of none."""
    said = refusal(helicon_server("serve", "--host", host, "--port", "0", folder=tmp_path), UNAVAILABLE)
    assert said.startswith(f"cannot listen on {host}:0: ")


def test_data_dir__cannot_be_written__is_named(tmp_path: Path) -> None:
    """A path below a file, which not even root can make a folder of."""
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "data"
    said = refusal(helicon_server("serve", "--port", "0", "--data-dir", str(folder), folder=tmp_path), CANNOT_CREATE)
    assert str(folder) in said
    assert "--data-dir" in said


def test_data_dir__made__is_closed_to_others(servers: Servers) -> None:
    """It holds the hashes of tokens and every value."""
    node = servers.start()
    assert node.data_dir.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "eighty", "HELICON_PORT: "),
        ("DATABASE_URL", f"mysql://u:{SECRET}@db/x", "HELICON_DATABASE_URL: must begin with "),
        ("DATABASE_URL", f"postgresql+asyncpg://u:{SECRET}@db:port/x", "HELICON_DATABASE_URL: must read "),
        ("ENVIRONMENTS", f"DEV,PRO=postgresql+asyncpg://u:{SECRET}@db:port/x", "HELICON_ENVIRONMENTS: "),
        ("ENVIRONMENTS", f"postgresql+asyncpg://u:{SECRET}@db/x", "HELICON_ENVIRONMENTS: "),
        ("BOOTSTRAP_PASSWORD", "short", "HELICON_BOOTSTRAP_PASSWORD: "),
        ("DEFAULT_ENVIRONMENT", "../x", "HELICON_DEFAULT_ENVIRONMENT: "),
    ],
)
def test_setting__bad__is_named_without_its_secret(tmp_path: Path, name: str, value: str, expected: str) -> None:
    """Nothing is made before the settings are found good; the unit tests hold every value that is bad."""
    said = refusal(helicon_server("serve", folder=tmp_path, env={f"HELICON_{name}": value}), CONFIG)
    assert said.startswith(f"bad setting: {expected}")
    assert SECRET not in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", [("migrate",), ("token", "list"), ("user", "create", "ana")], ids=" ".join)
def test_setting__bad__stops_every_command_alike(tmp_path: Path, command: tuple[str, ...]) -> None:
    """All of them read the settings of the server."""
    env = {"HELICON_DATABASE_URL": f"postgresql+asyncpg://u:{SECRET}@db:port/x"}
    assert refusal(helicon_server(*command, folder=tmp_path, env=env), CONFIG).startswith(
        "bad setting: HELICON_DATABASE_URL: "
    )


@pytest.mark.parametrize("flag", ["--port", "--workers"])
def test_flag__not_a_number__is_named(tmp_path: Path, flag: str) -> None:
    """The parser of the command line says it, with its own exit code."""
    ended = helicon_server("serve", flag, "many", folder=tmp_path)
    assert ended.returncode == 2
    assert flag in ended.stderr


def test_default_environment__unknown__is_named_with_those_that_exist(tmp_path: Path) -> None:
    """Clients without a prefix would get nothing, and nobody would know why."""
    env = {"HELICON_DEFAULT_ENVIRONMENT": "prod", "HELICON_ENVIRONMENTS": "DEV,PRO"}
    said = refusal(helicon_server("serve", "--port", "0", folder=tmp_path, env=env), CONFIG)
    assert said == ("bad setting: HELICON_DEFAULT_ENVIRONMENT: there is no environment PROD; there are DEV, PRO.")


def test_postgres__does_not_answer__is_named_without_its_password(tmp_path: Path) -> None:
    """Host, port and database are told; who reads the log need not know the password."""
    port = free_port()
    env = {"HELICON_DATABASE_URL": f"postgresql+asyncpg://helicon:{SECRET}@{LOOPBACK}:{port}/helicon"}
    for command in (("serve", "--port", "0"), ("migrate",), ("migrate", "--check"), ("user", "list")):
        said = refusal(helicon_server(*command, folder=tmp_path, env=env), UNAVAILABLE)
        assert said.startswith(f"PostgreSQL at {LOOPBACK}:{port}, database helicon does not answer: ")
        assert SECRET not in said


@pytest.mark.postgres
def test_postgres__wrong_password__is_told_without_it(tmp_path: Path, postgres_url: str) -> None:
    """What the database says is passed on; what was sent is not."""
    env = {"HELICON_DATABASE_URL": postgres_url.replace(PASSWORD, SECRET)}
    said = refusal(helicon_server("serve", "--port", "0", folder=tmp_path, env=env), UNAVAILABLE)
    assert "password authentication failed" in said
    assert SECRET not in said


@pytest.mark.postgres
def test_postgres__empty__is_left_empty_and_says_to_migrate(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    """A schema on a database server is changed by an operator's decision only."""
    env = {"HELICON_DATABASE_URL": postgres_url}
    for command in (("serve", "--port", "0"), ("token", "create", "--name", "x"), ("user", "list")):
        said = refusal(helicon_server(*command, folder=tmp_path, env=env), CONFIG)
        assert said.startswith("The database holds no schema yet. Run `helicon-server migrate`")
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database_of(postgres_url)) == "0"
    assert not (tmp_path / "data").exists()


@pytest.mark.postgres
def test_postgres__schema_of_a_newer_version__is_refused(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    """An old program on a new schema could write what the new one cannot read."""
    env = {"HELICON_DATABASE_URL": postgres_url}
    assert helicon_server("migrate", folder=tmp_path, env=env).returncode == 0
    name = postgres.sql(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'version_num'", database_of(postgres_url)
    )
    postgres.sql(
        f"UPDATE {name} SET version_num = '20991231_from_the_future', oldest_program = '20991231'",
        database_of(postgres_url),
    )
    for command in (("serve", "--port", "0"), ("migrate",), ("migrate", "--check"), ("token", "list")):
        said = refusal(helicon_server(*command, folder=tmp_path, env=env), CONFIG)
        assert "20991231_from_the_future" in said
        assert "newer" in said


def test_sqlite__schema_of_a_newer_version__is_refused_and_left_alone(tmp_path: Path) -> None:
    """The embedded database is migrated by itself, but never back."""
    assert helicon_server("migrate", folder=tmp_path).returncode == 0
    file = tmp_path / "data" / "helicon.db"
    with closing(sqlite3.connect(file)) as database:
        ((name,),) = database.execute("SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) p "
                                      "ON p.name = 'version_num'").fetchall()  # fmt: skip
        database.execute(f"UPDATE {name} SET version_num = '20991231_from_the_future', oldest_program = '20991231'")
        database.commit()
    said = refusal(helicon_server("serve", "--port", "0", folder=tmp_path), CONFIG)
    assert "20991231_from_the_future" in said
    assert "newer" in said
    with closing(sqlite3.connect(file)) as database:
        assert database.execute(f"SELECT version_num FROM {name}").fetchall() == [("20991231_from_the_future",)]


def test_sqlite__file_that_is_no_database__is_named(tmp_path: Path) -> None:
    """A file put in the wrong place is not overwritten."""
    file = tmp_path / "data" / "helicon.db"
    file.parent.mkdir()
    file.write_bytes(b"these are notes and no database at all\n" * 40)
    said = refusal(helicon_server("serve", "--port", "0", folder=tmp_path), UNAVAILABLE)
    assert str(file) in said
    assert file.read_bytes().startswith(b"these are notes")


def test_first_start__without_a_password__prints_one_that_works_and_never_again(servers: Servers) -> None:
    """Nothing is shipped: the first administrator's password is random and shown once, on standard output alone."""
    node = servers.start(env=NOTHING_GIVEN)
    (shown,) = re.findall(r"^Administrator: admin   password: (\S+) ", node.stdout, re.MULTILINE)
    assert f"at http://localhost:{node.port}/" in node.stdout
    made = node.request("POST", "/api/v1/sign-in", {"user": "admin", "password": shown}, token=None)
    assert made.status == 201
    assert node.request("GET", "/api/v1/tokens", token=made.json()["secret"]).status == 200
    assert node.stop() == 0
    node.start()
    assert node.stdout.count("password:") == 1
    assert node.request("POST", "/api/v1/sign-in", {"user": "admin", "password": shown}, token=None).status == 201
    assert shown not in node.stderr
    assert made.json()["secret"] not in node.stderr


def test_first_start__given_password_and_token__work_and_are_not_printed(servers: Servers) -> None:
    """What the operator knows already is shown to nobody."""
    node = servers.start(env={"HELICON_BOOTSTRAP_PASSWORD": FIRST_PASSWORD})
    assert (
        node.request("POST", "/api/v1/sign-in", {"user": "admin", "password": FIRST_PASSWORD}, token=None).status == 201
    )
    assert node.request("GET", "/api/v1/apps").status == 200
    assert "password" not in node.stdout
    assert FIRST_PASSWORD not in node.stdout + node.stderr
    assert BOOTSTRAP_TOKEN not in node.stdout + node.stderr


def test_later_start__other_password_token_and_environments__change_nothing(servers: Servers) -> None:
    """Bootstrap settings are for an empty database only: who can set a variable cannot take over an installation."""
    node = servers.start(env={"HELICON_BOOTSTRAP_PASSWORD": FIRST_PASSWORD, "HELICON_ENVIRONMENTS": "DEV"})
    assert node.stop() == 0
    node.env = {
        "HELICON_BOOTSTRAP_PASSWORD": "another-password",
        "HELICON_BOOTSTRAP_TOKEN": "another-token",
        "HELICON_ENVIRONMENTS": "DEV,PRO",
    }
    node.start()
    for password, status in (("another-password", 401), (FIRST_PASSWORD, 201)):
        signed_in = node.request("POST", "/api/v1/sign-in", {"user": "admin", "password": password}, token=None)
        assert signed_in.status == status
    assert node.request("GET", "/api/v1/apps", token="another-token").status == 401
    assert node.request("GET", "/api/v1/apps").status == 200
    assert [e["name"] for e in node.request("GET", "/api/v1/environments").json()["items"]] == ["DEV"]


def test_bootstrap_token__database_with_another_token__is_not_created(servers: Servers) -> None:
    """Only a database without any token gets it."""
    node = servers.start(env=NOTHING_GIVEN)
    made = helicon_server("token", "create", "--name", "first", folder=node.folder)
    assert made.returncode == 0, made.stderr
    assert node.stop() == 0
    node.env = {}
    node.start()
    assert node.request("GET", "/api/v1/apps").status == 401
    assert node.request("GET", "/api/v1/apps", token=made.stdout.strip()).status == 200


@pytest.mark.parametrize(("role", "reads", "manages"), [("delivery", True, False), ("management", False, True)])
def test_roles__one_only__serves_nothing_of_the_other(servers: Servers, role: str, reads: bool, manages: bool) -> None:
    """Health is answered by every node."""
    node = servers.start("--roles", role)
    config = node.request("GET", "/configs/absent/default/application", token=None)
    assert (config.json().get("code") == "not_served_here") is not reads
    management = node.request("GET", "/api/v1/environments")
    assert (management.status, management.json().get("code")) == ((200, None) if manages else (404, "no_such_endpoint"))
    assert node.request("GET", "/health", token=None).status == 200
