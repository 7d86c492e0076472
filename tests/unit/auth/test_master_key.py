"""The master key: what is one, what shows of it, and how a file of it is made."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

import pytest

from helicon_server.auth import master_key

RAW = bytes(range(100, 132))
TEXT = base64.b64encode(RAW).decode()


@pytest.mark.parametrize("text", [TEXT, TEXT + "\n", f"  {TEXT}\r\n"])
def test_parse__blanks_around__are_no_part_of_the_key(text: str) -> None:
    """Files end in a line feed, and some editors add a carriage return."""
    assert master_key.parse(text) == master_key.parse(TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        TEXT[:-1],
        TEXT[:-4] + "==",
        base64.b64encode(RAW[:31]).decode(),
        base64.b64encode(RAW + b"x").decode(),
        RAW.hex(),
        TEXT[:20] + "\n" + TEXT[20:],
        TEXT[:-2] + "é=",
        base64.b64encode(bytes(32)).decode(),
        base64.b64encode(b"changeme" * 4).decode(),
    ],
)
def test_parse__no_random_key_of_32_bytes__is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32") as refused:
        master_key.parse(text)
    assert not text or text not in str(refused.value)
    assert refused.value.__cause__ is None


def test_id__tells_keys_apart_and_is_no_part_of_them() -> None:
    """It stands in the database and may stand in a log."""
    one, other = master_key.parse(TEXT), master_key.parse(base64.b64encode(RAW[::-1]).decode())
    assert one.id == "ee66584c9a55221d", "stored texts name it: it must stay as it is"
    assert one.id != other.id
    assert bytes.fromhex(one.id) not in RAW + one.wrapping_key


def test_repr__shows_the_id_alone() -> None:
    """Whatever prints an object prints this."""
    key = master_key.parse(TEXT)
    assert repr(key) == f"MasterKey(id='{key.id}')"
    assert key.wrapping_key != RAW


def test_make__is_for_its_owner_alone_and_survives_a_second_call(tmp_path: Path) -> None:
    file = tmp_path / "data" / "master.key"
    umask = os.umask(0)
    try:
        made = master_key.make(file)
    finally:
        os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    before = file.read_bytes()
    assert master_key.make(file) == made == master_key.read(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file], "no draft is left"


def test_make__file_that_holds_no_key__is_left_as_it_is(tmp_path: Path) -> None:
    """An empty or foreign file may be a mistake of its owner; another key in its place would hide it."""
    file = tmp_path / "master.key"
    file.write_text("notes")
    with pytest.raises(ValueError, match="32 random bytes"):
        master_key.make(file)
    assert file.read_text() == "notes"
    assert list(tmp_path.iterdir()) == [file]


def test_make__by_many_at_once__gives_all_the_same_key(tmp_path: Path) -> None:
    """Two nodes started on one folder must not seal with two keys."""
    file = tmp_path / "master.key"
    together = threading.Barrier(8)
    made: list[str] = []

    def run() -> None:
        together.wait()
        made.append(master_key.make(file).id)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [master_key.read(file).id] * 8
    assert list(tmp_path.iterdir()) == [file]


def test_read__endless_file__ends() -> None:
    """A device instead of a file must not fill the memory."""
    with pytest.raises(ValueError, match="32 random bytes"):
        master_key.read(Path("/dev/zero"))
