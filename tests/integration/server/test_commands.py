"""First aid without the portal: `migrate`, `user`, `token`, `version`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import helicon_migrations
from helicon_server import __version__
from tests.integration.server.commands import CONFIG, NOTHING_GIVEN, REFUSED, helicon_server, refusal
from tests.support.server import ServerProcess, Servers

PASSWORD = "a-password-of-the-operator"


@pytest.fixture
def node(servers: Servers) -> ServerProcess:
    """A running node on its embedded database, with the administrator that every first start makes."""
    return servers.start()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder whose embedded database has its schema and nothing in it."""
    assert helicon_server("migrate", folder=tmp_path).returncode == 0
    return tmp_path


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_migrate__empty_database__is_behind_then_current(
    tmp_path: Path, request: pytest.FixtureRequest, backend: str
) -> None:
    """`--check` changes nothing and tells by its exit code; a second run has nothing to do."""
    env = {"HELICON_DATABASE_URL": request.getfixturevalue("postgres_url")} if backend == "postgresql" else {}

    def run(*arguments: str) -> tuple[int, str]:
        ended = helicon_server("migrate", *arguments, folder=tmp_path, env=env)
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stdout.strip()

    assert run("--check") == (1, "behind: main")
    assert not (tmp_path / "data").exists()
    assert run() == (0, f"main: applied {', '.join(helicon_migrations.REVISIONS)}")
    assert run("--check") == (0, "current")
    assert run() == (0, "main: current")


def test_migrate__environment_with_its_own_database__is_migrated_too(tmp_path: Path) -> None:
    """Every database of the settings, each named."""
    env = {"HELICON_ENVIRONMENTS": f"DEV,PRO=sqlite+aiosqlite:///{tmp_path}/data/pro.db"}
    ended = helicon_server("migrate", folder=tmp_path, env=env)
    assert ended.returncode == 0, ended.stderr
    assert [line.partition(":")[0] for line in ended.stdout.splitlines()] == ["main", "PRO"]
    assert (tmp_path / "data" / "pro.db").exists()
    assert helicon_server("migrate", "--check", folder=tmp_path, env=env).stdout == "current\n"


@pytest.mark.parametrize(
    "command", [("user", "list"), ("token", "list"), ("token", "create", "--name", "x")], ids=" ".join
)
def test_command__in_a_folder_without_database__asks_for_the_right_one_and_makes_nothing(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    """A mistyped data dir must not become a new installation."""
    said = refusal(helicon_server(*command, folder=tmp_path), CONFIG)
    assert said.startswith(f"There is no database at {tmp_path / 'data' / 'helicon.db'}.")
    assert "--data-dir" in said
    assert not (tmp_path / "data").exists()


def test_token__created_while_the_server_runs__works_at_once(node: ServerProcess) -> None:
    """It stands alone on standard output, for `TOKEN=$(…)`."""
    made = helicon_server("token", "create", "--name", "ci", "--rights", "view, edit", folder=node.folder)
    assert made.returncode == 0, made.stderr
    token = made.stdout.removesuffix("\n")
    assert token.startswith("hlc_")
    assert "\n" not in token
    assert node.request("GET", "/api/v1/apps", token=token).status == 200
    assert node.request("POST", "/api/v1/apps", {"app_id": "x"}, token=token).status == 403
    listed = helicon_server("token", "list", folder=node.folder).stdout
    assert f"ci\t{token[:8]}…\tedit,view\tlive\n" in listed
    assert token not in listed
    revoked = helicon_server("token", "revoke", "ci", folder=node.folder)
    assert (revoked.returncode, revoked.stdout) == (0, "Revoked token ci.\n")
    assert node.request("GET", "/api/v1/apps", token=token).status == 401
    assert "ci\t" in helicon_server("token", "list", folder=node.folder).stdout
    assert "revoked" in helicon_server("token", "list", folder=node.folder).stdout


def test_token__with_days__says_when_it_ends(data: Path) -> None:
    """And `all` is every right."""
    assert helicon_server("token", "create", "--name", "short", "--days", "3", folder=data).returncode == 0
    listed = helicon_server("token", "list", folder=data).stdout
    assert "edit,manage,publish,view" in listed
    days = [f"{datetime.now(UTC) + timedelta(days=3, seconds=s):%Y-%m-%d}" for s in (-60, 60)]
    assert any(f"expires {day}" in listed for day in days)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("token", "create", "--name", "a b"), REFUSED, "[invalid_token_name]"),
        (("token", "create", "--name", "ci", "--rights", "view,root"), CONFIG, "--rights: "),
        (("token", "create", "--name", "ci", "--rights", ""), CONFIG, "--rights: "),
        (("token", "revoke", "absent"), REFUSED, "[token_not_found]"),
        (("user", "create", "a b"), REFUSED, "[invalid_user_name]"),
        (("user", "set-password", "absent"), REFUSED, "[user_not_found]"),
        (("user", "create", "short", "--password-stdin"), REFUSED, "[password_length]"),
    ],
)
def test_command__that_cannot_be_done__says_why_with_its_code(
    data: Path, command: tuple[str, ...], code: int, said: str
) -> None:
    """Nothing on standard output, so that no script takes a sentence for a token."""
    assert said in refusal(helicon_server(*command, folder=data, stdin="short\n"), code)


def test_name__in_use__is_refused_with_its_code(data: Path) -> None:
    """For tokens exactly, for users also in another case."""
    assert helicon_server("token", "create", "--name", "ci", folder=data).returncode == 0
    assert "[token_exists]" in refusal(helicon_server("token", "create", "--name", "ci", folder=data), REFUSED)
    assert helicon_server("user", "create", "ana", folder=data).returncode == 0
    assert "[user_exists]" in refusal(helicon_server("user", "create", "Ana", folder=data), REFUSED)


def test_user__created_with_a_password_from_stdin__signs_in_and_it_is_not_printed(node: ServerProcess) -> None:
    """A password on the command line could be read by every user of the machine."""
    made = helicon_server("user", "create", "ana", "--password-stdin", folder=node.folder, stdin=f"{PASSWORD}\n")
    assert (made.returncode, made.stdout) == (0, "Created user ana.\n")
    assert node.request("POST", "/api/v1/sign-in", {"user": "ana", "password": PASSWORD}, token=None).status == 201
    listed = helicon_server("user", "list", folder=node.folder).stdout
    assert [line.partition("\t")[0] for line in listed.splitlines()] == ["admin", "ana"]
    assert PASSWORD not in listed


def test_user__password_reset__lets_in_with_the_new_one_only(servers: Servers) -> None:
    """The way back for an administrator who lost it; a random one is shown once."""
    node = servers.start(env=NOTHING_GIVEN)
    reset = helicon_server("user", "set-password", "admin", folder=node.folder)
    assert reset.returncode == 0, reset.stderr
    shown = reset.stdout.partition("shown once: ")[2].strip()
    assert len(shown) >= 20

    def sign_in(password: str) -> int:
        return node.request("POST", "/api/v1/sign-in", {"user": "admin", "password": password}, token=None).status

    assert sign_in(shown) == 201
    changed = helicon_server("user", "set-password", "admin", "--password-stdin", folder=node.folder, stdin=PASSWORD)
    assert changed.stdout == "Set the password of admin.\n"
    assert (sign_in(shown), sign_in(PASSWORD)) == (401, 201)


def test_commands__leave_their_entries_in_the_audit(node: ServerProcess) -> None:
    """What is done on the machine itself is seen like everything else."""
    helicon_server("token", "create", "--name", "ci", folder=node.folder)
    helicon_server("user", "create", "ana", folder=node.folder)
    newest = node.request("GET", "/api/v1/audit?limit=2").json()["items"]
    assert [(e["action"], e["actor"], e["peer"]) for e in newest] == [
        ("user.create", "system:command", "local"),
        ("token.create", "system:command", "local"),
    ]


def test_version__names_program_and_schema(tmp_path: Path) -> None:
    """What a bug report needs."""
    ended = helicon_server("version", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, f"helicon-server {__version__} (schema {helicon_migrations.HEAD})\n")
