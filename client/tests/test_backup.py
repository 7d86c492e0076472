"""The copy on disk: what is written can be trusted, and what is found never stops a start."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helicon._impl import backup as backup_module
from helicon._impl.backup import Backup, Copy, Identity, NoCopy, encode, file_name, identity_of
from helicon._impl.settings import read_settings

IDENTITY = Identity("http://config:8080||", "shop", "default", "application")


def copy(number: int = 1, *, size: int = 1, saved_at: float = 1000.0) -> Copy:
    return Copy({"number": str(number), "load": "é\ud800" * size}, f"r{number}", number, saved_at)


def path_of(folder: Path, identity: Identity = IDENTITY) -> Path:
    return folder / f"helicon-u{os.geteuid()}" / file_name(identity)


@pytest.fixture
def kept(tmp_path: Path) -> Backup:
    """A backup that holds one copy."""
    backup = Backup((str(tmp_path),))
    assert backup.save(IDENTITY, copy()) is None
    return backup


def reason(found: Copy | NoCopy) -> str:
    assert isinstance(found, NoCopy), found
    return found.reason


def test_backup__saved__loads_equal_and_is_private(kept: Backup, tmp_path: Path) -> None:
    assert kept.load(IDENTITY) == copy()
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o600
    assert path_of(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path_of(tmp_path).parent.iterdir()] == [file_name(IDENTITY)]


def test_backup__nothing_there__is_missing(tmp_path: Path) -> None:
    assert reason(Backup((str(tmp_path / "none"),)).load(IDENTITY)) == "missing"


def test_backup__switched_off__says_so() -> None:
    assert reason(Backup(()).load(IDENTITY)) == "off"
    problem = Backup(()).save(IDENTITY, copy())
    assert problem is not None
    assert problem.reason == "off"


@pytest.mark.parametrize("field", Identity._fields)
def test_backup__another_identity__has_a_file_of_its_own(kept: Backup, field: str) -> None:
    other = IDENTITY._replace(**{field: "../../../etc/passwd"})
    assert reason(kept.load(other)) == "missing"
    assert "/" not in file_name(other)


def test_backup__another_identity_under_our_name__is_refused(kept: Backup, tmp_path: Path) -> None:
    path_of(tmp_path).write_bytes(encode(IDENTITY._replace(app_id="other"), copy()))
    assert reason(kept.load(IDENTITY)) == "other_identity"


def test_backup__cut_at_every_length__is_torn(kept: Backup, tmp_path: Path) -> None:
    whole = path_of(tmp_path).read_bytes()
    for length in range(len(whole)):
        path_of(tmp_path).write_bytes(whole[:length])
        assert reason(kept.load(IDENTITY)) == "torn"


def test_backup__any_bit_flipped__is_refused(kept: Backup, tmp_path: Path) -> None:
    whole = path_of(tmp_path).read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x01
        path_of(tmp_path).write_bytes(bytes(changed))
        assert reason(kept.load(IDENTITY)) in ("torn", "old_format")


def test_backup__other_format_version__is_named(kept: Backup, tmp_path: Path) -> None:
    whole = path_of(tmp_path).read_bytes()
    path_of(tmp_path).write_bytes(whole.replace(b"helicon-backup 1 ", b"helicon-backup 2 ", 1))
    assert reason(kept.load(IDENTITY)) == "old_format"


def test_backup__symbolic_link__is_not_followed(kept: Backup, tmp_path: Path) -> None:
    path = path_of(tmp_path)
    path.rename(tmp_path / "real")
    path.symlink_to(tmp_path / "real")
    assert reason(kept.load(IDENTITY)) == "link"
    assert kept.save(IDENTITY, copy(2)) is None
    assert not path.is_symlink()
    assert b'"r1"' in (tmp_path / "real").read_bytes()


def test_backup__folder_is_a_link__is_refused_both_ways(kept: Backup, tmp_path: Path) -> None:
    folder = path_of(tmp_path).parent
    folder.rename(tmp_path / "real")
    folder.symlink_to(tmp_path / "real")
    assert reason(kept.load(IDENTITY)) == "not_a_folder"
    problem = kept.save(IDENTITY, copy(2))
    assert problem is not None
    assert problem.reason == "not_a_folder"


def test_backup__writable_by_others__is_refused(kept: Backup, tmp_path: Path) -> None:
    path_of(tmp_path).chmod(0o666)
    assert reason(kept.load(IDENTITY)) == "too_open"


def test_backup__of_another_user__is_refused(kept: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert reason(kept.load(IDENTITY)) == "other_owner"


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: os.mkfifo(path)])
def test_backup__not_a_file__is_refused_without_waiting(kept: Backup, tmp_path: Path, make: object) -> None:
    path_of(tmp_path).unlink()
    assert callable(make)
    make(path_of(tmp_path))
    assert reason(kept.load(IDENTITY)) == "not_a_file"


def test_backup__unreadable__is_refused(kept: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    found = kept.load(IDENTITY)
    assert reason(found) == "unreadable"


def test_backup__folder_below_a_file__is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    backup = Backup((str(tmp_path / "file" / "state"),))
    problem = backup.save(IDENTITY, copy())
    assert problem is not None
    assert problem.reason == "unwritable"
    assert reason(backup.load(IDENTITY)) == "not_a_folder"


def test_backup__first_folder_unusable__takes_the_second(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    backup = Backup((str(tmp_path / "file"), str(tmp_path / "good")))
    assert backup.save(IDENTITY, copy()) is None
    assert backup.load(IDENTITY) == copy()


@pytest.mark.parametrize("name", ["write", "fsync", "rename"])
def test_backup__disk_full_at_any_step__keeps_the_earlier_copy(
    kept: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, name, refuse)
        problem = kept.save(IDENTITY, copy(2))
    assert problem is not None
    assert problem.reason == "unwritable"
    assert "No space left" in problem.message
    assert kept.load(IDENTITY) == copy(1)
    assert [entry.name for entry in path_of(tmp_path).parent.iterdir()] == [file_name(IDENTITY)]


def test_backup__too_large__is_refused_both_ways(kept: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_module, "SIZE_LIMIT", 100)
    problem = kept.save(IDENTITY, copy(2, size=50))
    assert problem is not None
    assert problem.reason == "too_large"
    assert reason(kept.load(IDENTITY)) == "too_large"


def test_backup__siblings_newer_copy_of_now__is_not_replaced(kept: Backup) -> None:
    assert kept.save(IDENTITY, copy(9, saved_at=2000.0)) is None
    assert kept.save(IDENTITY, copy(8, saved_at=2001.0)) is None
    assert kept.load(IDENTITY) == copy(9, saved_at=2000.0)


def test_backup__lower_id_long_after__replaces_the_copy(kept: Backup) -> None:
    """After a restore of the servers ids are lower; the copy must not stay behind for ever."""
    assert kept.save(IDENTITY, copy(9, saved_at=2000.0)) is None
    assert kept.save(IDENTITY, copy(3, saved_at=9000.0)) is None
    assert kept.load(IDENTITY) == copy(3, saved_at=9000.0)


OLD_KEY, KEY, NEW_KEY = "20250101000000-aa", "20250102000000-bb", "20250103000000-cc"


@pytest.mark.parametrize(
    ("present", "saved_at", "stays"),
    [
        (NEW_KEY, 1000.0, False),  # before we asked: a rollback looks like this
        (NEW_KEY, 1999.9, False),
        (NEW_KEY, 2005.0, True),  # while we asked: the key decides
        (KEY, 2005.0, True),
        (OLD_KEY, 2005.0, False),
        ("of another shape", 2005.0, True),
        (NEW_KEY, 2011.0, True),  # after our answer: the time decides, also for a rollback
        (OLD_KEY, 2011.0, True),
        (NEW_KEY, 9000.0, False),  # from a clock that was wrong
    ],
)
@pytest.mark.parametrize("notification_id", [-1, 7])
def test_backup__asked_once__leaves_a_copy_that_is_known_to_be_newer(
    tmp_path: Path, present: str, saved_at: float, stays: bool, notification_id: int
) -> None:
    """Asked at 2000, answered at 2010."""
    backup = Backup((str(tmp_path),))
    theirs = Copy({"of": "theirs"}, present, notification_id, saved_at)
    ours = Copy({"of": "ours"}, KEY, -1, 2010.0)
    assert backup.save(IDENTITY, theirs) is None
    assert backup.save(IDENTITY, ours, asked_at=2000.0) is None
    assert backup.load(IDENTITY) == (theirs if stays else ours)


def test_backup__temporary_file_of_a_dead_process__is_removed_when_old(kept: Backup, tmp_path: Path) -> None:
    old = path_of(tmp_path).with_name(f".{file_name(IDENTITY)}.1.dead.tmp")
    young = old.with_name(old.name.replace("dead", "live"))
    old.write_text("half")
    young.write_text("half")
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    assert kept.save(IDENTITY, copy(2)) is None
    assert not old.exists()
    assert young.exists()


WRITER = """
import sys, time
from helicon._impl.backup import Backup, Copy, Identity
identity = Identity(*sys.argv[2:6])
backup = Backup((sys.argv[1],))
number = int(sys.argv[6])
print("ready", flush=True)
while True:
    number += 1
    text = str(number) * 20000
    problem = backup.save(identity, Copy({"a": text, "b": text}, f"r{number}", number, time.time()))
    assert problem is None, problem
"""


def start_writer(folder: Path, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), *IDENTITY, str(number)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def assert_whole(found: Copy | NoCopy) -> int:
    assert isinstance(found, Copy), found
    assert found.configurations["a"] == found.configurations["b"] == str(found.notification_id) * 20000
    return found.notification_id


def test_backup__killed_while_writing__leaves_the_old_or_the_new_copy(tmp_path: Path) -> None:
    backup = Backup((str(tmp_path),))
    last = 0
    for attempt in range(15):
        process = start_writer(tmp_path, last)
        time.sleep(0.01 + 0.003 * attempt)  # spreads the kills over the steps of a write
        stop(process)
        found = backup.load(IDENTITY)
        if isinstance(found, Copy):
            number = assert_whole(found)
            assert number >= last
            last = number
        else:
            assert found.reason == "missing"
            assert last == 0
    assert last > 0


def test_backup__two_processes_on_one_folder__never_interleave(tmp_path: Path) -> None:
    backup = Backup((str(tmp_path),))
    writers = [start_writer(tmp_path, 0), start_writer(tmp_path, 1_000_000)]
    numbers: list[int] = []
    try:
        deadline = time.monotonic() + 30
        while sum(number > 1_000_000 for number in numbers) < 100:
            found = backup.load(IDENTITY)
            if not isinstance(found, NoCopy) or found.reason != "missing":
                numbers.append(assert_whole(found))
            assert time.monotonic() < deadline
    finally:
        for writer in writers:
            stop(writer)
    assert numbers[0] < 1_000_000, "the first writer never wrote"
    # Once the sibling's newer copy is there, the older one never comes back.
    first = next(position for position, number in enumerate(numbers) if number > 1_000_000)
    assert numbers[first:] == sorted(numbers[first:])


def test_backup__many_threads__never_interleave(tmp_path: Path) -> None:
    backup = Backup((str(tmp_path),))
    problems: list[NoCopy | None] = []

    def write(number: int) -> None:
        text = str(number) * 20000
        problems.append(backup.save(IDENTITY, Copy({"a": text, "b": text}, "r", number, time.time())))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == [None] * 16
    assert assert_whole(backup.load(IDENTITY)) == 16


def test_identity__settings__cover_everything_that_selects_values() -> None:
    base = {"meta": "http://b:2,http://a:1", "app_id": "shop", "environ": {}}

    def identity(**changes: object) -> Identity:
        return identity_of(read_settings(**{**base, **changes}), "application")  # type: ignore[arg-type]  # a table of arguments

    assert identity() == identity(meta=["http://a:1", "http://b:2/"])
    others = [
        identity(meta="http://a:1"),
        identity(meta="http://a:1/{env},http://b:2/{env}", env="DEV"),
        identity(meta="http://a:1/{env},http://b:2/{env}", env="PRO"),
        identity(app_id="other"),
        identity(cluster="c"),
        identity(data_center="d"),
        identity(label="l"),
    ]
    assert len({identity(), *others}) == len(others) + 1
