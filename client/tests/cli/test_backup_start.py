"""The backup of `helicon run`: when it is written, when it is trusted, and starts without any folder for it."""

from __future__ import annotations

import socket
import stat
import time
from pathlib import Path

import pytest

from helicon._impl.backup import Backup, Copy, identity_of
from helicon._impl.settings import ClientSettings, read_settings
from tests.cli import faults
from tests.cli.fake_apollo import DEADLINE_SECONDS, RELEASE, FakeApollo, Request
from tests.cli.process import Cli

NEXT = "20250102000000-0000000000000000"


def settings(cli: Cli) -> ClientSettings:
    return read_settings(environ=cli.env)


def files(cli: Cli) -> list[Path]:
    return sorted(path for path in cli.home.rglob("*") if path.is_file())


def test_run__first_start__leaves_a_private_backup_the_sdk_can_read(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "good"})

    assert cli("run", "true").code == 0

    (file,) = files(cli)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    copy = Backup(settings(cli).cache_dirs).load(identity_of(settings(cli), "application"))
    assert isinstance(copy, Copy)
    assert (copy.configurations, copy.release_key) == ({"db.url": "good"}, RELEASE)


def test_run__same_revision__does_not_write_again(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "good"})
    cli("run", "true")
    before = files(cli)[0].stat()

    cli("run", "true")
    unchanged = files(cli)[0].stat()
    server.publish({"db.url": "new"}, key=NEXT)
    cli("run", "true")

    assert (before.st_ino, before.st_mtime_ns) == (unchanged.st_ino, unchanged.st_mtime_ns)
    assert files(cli)[0].stat().st_ino != before.st_ino or files(cli)[0].stat().st_mtime_ns != before.st_mtime_ns
    assert cli("run", "--offline", "--", "env", "-0").variables()["DB_URL"] == "new"


@pytest.mark.parametrize(
    "damage", [b"", b"helicon-backup 1 00 5\n{}", b"helicon-backup 99 x y\n", b"\xff" * 1000, None]
)
def test_run__backup_damaged__is_a_miss_with_a_reason_and_healed_by_the_next_start(
    damage: bytes | None, server: FakeApollo, cli: Cli
) -> None:
    server.publish({"db.url": "good"})
    cli("run", "true")
    (file,) = files(cli)
    file.write_bytes(file.read_bytes()[:-10] if damage is None else damage)
    server.fault = faults.reset

    broken = cli("run", "--start-timeout", "200ms", "--", "echo", "started")
    server.fault = None
    healed = cli("run", "true")

    assert (broken.code, broken.out) == (69, b"")
    assert "there is no usable backup (application: the backup" in broken.err
    assert healed.code == 0
    assert cli("run", "--offline", "--", "env", "-0").variables()["DB_URL"] == "good"


def test_run__slow_start__does_not_replace_a_newer_copy_that_came_meanwhile(server: FakeApollo, cli: Cli) -> None:
    """The second namespace takes long, and the first is released and kept by an SDK before it answers."""
    server.publish({"db.url": "old"})
    server.publish({}, "slow")
    kept: list[object] = []
    newer = Copy({"db.url": "new"}, NEXT, 7, 0.0)

    def keeps_meanwhile(_: socket.socket, request: Request) -> bool:
        if request.segments[-1] == "slow":
            identity = identity_of(settings(cli), "application")
            kept.append(Backup(settings(cli).cache_dirs).save(identity, newer._replace(saved_at=time.time())))
        return False

    server.fault = keeps_meanwhile
    flags = ["--namespace", "application", "--namespace", "slow"]

    result = cli("run", *flags, "--", "env", "-0")

    assert result.variables()["DB_URL"] == "old"
    assert kept == [None]
    copy = Backup(settings(cli).cache_dirs).load(identity_of(settings(cli), "application"))
    assert isinstance(copy, Copy)
    assert copy._replace(saved_at=0.0) == newer


def test_run__rolled_back__keeps_the_older_release(server: FakeApollo, cli: Cli) -> None:
    """The older key is the current one then; the bad release must not come back with an outage."""
    server.publish({"db.url": "bad"}, key=NEXT)
    assert cli("run", "true").code == 0
    server.publish({"db.url": "good"})
    assert cli("run", "true").code == 0

    assert cli("run", "--offline", "--", "env", "-0").variables()["DB_URL"] == "good"


def test_run__offline__asks_no_server(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "good"})
    cli("run", "true")
    server.requests.clear()

    result = cli("run", "--offline", "--", "env", "-0")

    assert result.variables()["DB_URL"] == "good"
    assert server.requests == []


def test_run__offline_without_backup__is_69(cli: Cli) -> None:
    result = cli("run", "--offline", "true")

    assert result.code == 69
    assert "--offline, but there is no usable backup (application: there is no backup yet)" in result.err


def test_run__backup_of_another_app_server_or_namespace__is_not_used(
    server: FakeApollo, cli: Cli, refused: str
) -> None:
    server.publish({"db.url": "good"})
    cli("run", "true")

    for flags in (["--app-id", "other"], ["--meta", refused], ["--namespace", "other"], ["--cluster", "other"]):
        assert cli("run", "--offline", *flags, "true").code == 69


def test_run__backup_off__neither_writes_nor_reads(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "good"})

    result = cli("run", "--backup", "off", "true")
    by_variable = cli("run", "true", env={"HELICON_CACHE_DIR": "off"})
    by_twin = cli("run", "true", env={"HELICON_BACKUP": "off"})

    assert files(cli) == []
    for each in (result, by_variable, by_twin):
        assert each.code == 0
        assert "warning" not in each.err


def test_run__backup_folder_flag__is_where_it_goes(server: FakeApollo, cli: Cli, tmp_path: Path) -> None:
    server.publish({"db.url": "good"})

    assert cli("run", "--backup", str(tmp_path / "deep" / "er"), "true").code == 0

    assert files(cli) == []
    assert cli("run", "--backup", str(tmp_path / "deep" / "er"), "--offline", "true").code == 0


def test_run__no_home_at_all__warns_and_starts(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "good"})

    result = cli("run", "--", "env", "-0", env={"HOME": None})

    assert result.variables()["DB_URL"] == "good"
    assert "HOME and XDG_STATE_HOME are not set" in result.err


def test_run__backup_folder_cannot_be_made__warns_and_starts(server: FakeApollo, cli: Cli, tmp_path: Path) -> None:
    """A file in the way stops even root, as a read-only file system would."""
    (tmp_path / "file").write_text("")
    server.publish({"db.url": "good"})

    result = cli("run", "--backup", str(tmp_path / "file" / "below"), "--", "env", "-0")

    assert result.variables()["DB_URL"] == "good"
    assert "no backup was kept" in result.err


@pytest.mark.parametrize("years", [-10, 10])
def test_run__clock_was_wrong_when_saved__backup_is_still_used(years: int, server: FakeApollo, cli: Cli) -> None:
    stamp = time.time() + years * 365 * 86400
    copy = Copy({"db.url": "good"}, RELEASE, -1, stamp)
    assert Backup(settings(cli).cache_dirs).save(identity_of(settings(cli), "application"), copy) is None
    server.fault = faults.reset

    result = cli("run", "--", "env", "-0")

    assert result.variables()["DB_URL"] == "good"
    assert ("more than a day old" in result.err) == (years < 0)


def test_run__two_starts_at_once__leave_one_good_backup(server: FakeApollo, cli: Cli) -> None:
    server.publish({f"key.{number}": "x" * 1000 for number in range(500)})

    processes = [cli.start("run", "true") for _ in range(8)]
    for process in processes:
        with process:
            process.communicate(timeout=DEADLINE_SECONDS)
            assert process.returncode == 0

    assert len(files(cli)) == 1
    assert cli("run", "--offline", "true").code == 0
