"""The snapshot on disk: what was saved comes back whole, and nothing else is ever taken for it."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from helicon_server.delivery.parts import AppPart, PartName
from helicon_server.delivery.snapshot.book import Plan, SavedPart, seal_of, sum_of_part
from helicon_server.delivery.snapshot.encoding import encode
from helicon_server.delivery.snapshot.file import SavedContent, SnapshotFile, SnapshotUnusableError, _sum_of_head

AT = datetime(2025, 1, 1, 8, 0, tzinfo=UTC)
LATER = datetime(2025, 1, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot" / "main.db"


HEAD = b'{"state":1}'


def part(name: str, body: bytes = b"{}") -> SavedPart:
    return SavedPart(name, sum_of_part(name, body), body)


def plan(*parts: SavedPart, gone: Sequence[str] = (), forget: Collection[str] = (), all_: Sequence[SavedPart]) -> Plan:
    """What puts some parts there and takes others away; ``all_`` are there afterwards."""
    return Plan(parts, gone, (), forget, seal_of(each.sha256 for each in all_), {}, full=False)


ONE, TWO = part("namespace/one"), part("namespace/two", b'{"a":2}')
BOTH = plan(ONE, TWO, all_=[ONE, TWO])


@pytest.fixture
def file(path: Path) -> Iterator[SnapshotFile]:
    """A file with one state and two contents, open to write."""
    made = SnapshotFile(path, "postgresql/helicon")
    assert made.own()
    assert made.prepare().contents == set()
    made.add([SavedContent("key-1", b'{"a":"1"}'), SavedContent("key-2", b'{"a":"2"}')])
    made.save(HEAD, BOTH, AT)
    yield made
    made.close()


def again(path: Path, database: str = "postgresql/helicon") -> SnapshotFile:
    """The file as a process opens it that starts later."""
    return SnapshotFile(path, database)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def reason(file: SnapshotFile) -> str:
    with pytest.raises(SnapshotUnusableError) as caught:
        file.load()
    return caught.value.reason


def test_saved__comes_back_as_it_was(file: SnapshotFile, path: Path) -> None:
    file.confirm(LATER)
    saved = again(path).load()
    assert (saved.head, saved.saved_at, saved.confirmed_at) == (HEAD, AT, LATER)
    assert dict(saved.parts) == {"namespace/one": b"{}", "namespace/two": b'{"a":2}'}
    assert again(path).content("key-1") == b'{"a":"1"}'
    assert again(path).content("key-3") is None


def test_saved__is_closed_to_others(file: SnapshotFile, path: Path) -> None:
    """It holds every value, as the database does; SQLite's own files beside it too."""
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) >= 2


def test_save__forgets_what_the_state_no_longer_names(file: SnapshotFile, path: Path) -> None:
    file.add([SavedContent("key-3", b"{}")])
    three = part("namespace/three")
    file.save(b'{"state":2}', plan(three, gone=[ONE.name], forget={"key-1"}, all_=[TWO, three]), LATER)
    file.close()
    reopened = again(path)
    assert reopened.own()
    assert reopened.prepare().contents == {"key-2", "key-3"}
    assert reopened.load().head == b'{"state":2}'
    assert dict(reopened.load().parts).keys() == {"namespace/two", "namespace/three"}
    reopened.close()


def test_save__killed_in_the_middle__leaves_the_older_one(file: SnapshotFile, path: Path) -> None:
    """Contents are added first; the state and what it forgets change together."""
    file.add([SavedContent("key-3", b"{}")])
    killed = again(path)
    assert killed.load().head == HEAD
    assert killed.content("key-1") == b'{"a":"1"}'


def test_owner__is_one_process_at_a_time(file: SnapshotFile, path: Path) -> None:
    """Workers of one machine share the file: one writes, all read."""
    other = again(path)
    assert not other.own()
    assert other.load().head == HEAD
    file.close()
    assert other.own()
    other.close()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE state SET head = CAST('{\"state\":2}' AS BLOB)", "torn"),
        ("UPDATE state SET head = 'text'", "torn"),
        ("UPDATE state SET confirmed_at = '2030-01-01T00:00:00+00:00'", "torn"),
        ("UPDATE parts SET body = CAST('{\"a\":3}' AS BLOB) WHERE name = 'namespace/two'", "torn"),
        ("UPDATE parts SET body = 'text' WHERE name = 'namespace/two'", "torn"),
        ("DELETE FROM parts WHERE name = 'namespace/two'", "torn"),
        ("UPDATE parts SET name = 'namespace/three' WHERE name = 'namespace/two'", "torn"),
        ("DROP TABLE parts", "unreadable"),
        ("UPDATE state SET saved_at = '2030-01-01T00:00:00+00:00'", "torn"),
        ("UPDATE state SET confirmed_at = 'yesterday'", "torn"),
        ("DELETE FROM state", "empty"),
        ("DROP TABLE state", "unreadable"),
        ("PRAGMA user_version = 0", "of_another_format"),
        ("PRAGMA user_version = 99", "of_another_format"),
        ("PRAGMA application_id = 0", "no_snapshot"),
    ],
)
def test_state__not_as_it_was_written__is_ignored(
    file: SnapshotFile, path: Path, statement: str, expected: str
) -> None:
    file.close()
    change(path, statement)
    assert reason(again(path)) == expected


@pytest.mark.parametrize("moment", ["2025-01-01T08:00:00", "yesterday"])
def test_state__with_a_time_that_is_none__is_ignored(file: SnapshotFile, path: Path, moment: str) -> None:
    """Also with the right checksum: ages are counted from it."""
    file.close()
    saved_at, seal = AT.isoformat(), BOTH.seal.text()
    summed = _sum_of_head("postgresql/helicon", saved_at, moment, seal, HEAD)
    change(path, f"UPDATE state SET confirmed_at = '{moment}', sha256 = '{summed}'")
    assert reason(again(path)) == "torn"


def test_state__mixed_of_two__is_ignored(file: SnapshotFile, path: Path) -> None:
    """A part of an older state is whole by itself; the sum over all tells."""
    newer = part(TWO.name, b'{"a":3}')
    file.save(HEAD, plan(newer, all_=[ONE, newer]), LATER)
    file.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE parts SET sha256 = ?, body = ? WHERE name = ?", (TWO.sha256, TWO.body, TWO.name))
    assert reason(again(path)) == "torn"


def test_confirm__of_a_state_that_is_torn__does_not_seal_it(file: SnapshotFile, path: Path) -> None:
    change(path, "UPDATE state SET head = CAST('{}' AS BLOB)")
    with pytest.raises(sqlite3.DatabaseError):
        file.confirm(LATER)
    assert reason(again(path)) == "torn"


def test_part__that_is_torn__is_written_anew(file: SnapshotFile, path: Path) -> None:
    file.close()
    name = PartName("app", "DEV", "shop")
    whole = AppPart("DEV", "shop", (), ())
    with closing(file):
        assert file.own()
        book = file.prepare()
        first = book.plan({name: whole}, full=True)
        file.save(HEAD, first, AT)
        book.saved(first)
        assert not book.plan({name: whole}, full=True).put
    change(path, "UPDATE parts SET body = CAST('{}' AS BLOB)")
    with closing(again(path)) as later:
        assert later.own()
        mended = later.prepare().plan({name: whole}, full=True)
        later.save(HEAD, mended, AT)
        assert dict(later.load().parts) == {"app/DEV/shop": encode(whole)}


def test_state__of_another_database__is_ignored(file: SnapshotFile, path: Path) -> None:
    """A data folder that is used with one database today and another one tomorrow."""
    assert reason(again(path, "postgresql/billing")) == "of_another_database"


def test_file__absent__is_ignored(path: Path) -> None:
    assert reason(again(path)) == "absent"
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_file__that_is_none__is_ignored_and_made_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    assert reason(again(path)) in ("unreadable", "no_snapshot")
    file = again(path)
    assert file.own()
    assert file.prepare().contents == set()
    file.save(HEAD, BOTH, AT)
    assert again(path).load().head == HEAD
    file.close()


def test_file__cut_in_the_middle__is_ignored_and_made_anew(file: SnapshotFile, path: Path) -> None:
    """A copy that did not come to its end."""
    file.add([SavedContent(f"large-{number}", bytes(20_000)) for number in range(10)])
    file.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    spoilt = again(path)
    assert reason(spoilt) in ("unreadable", "torn")
    assert spoilt.content("large-9") is None
    spoilt.close()
    assert spoilt.own()
    spoilt.prepare()
    spoilt.save(HEAD, BOTH, AT)
    assert again(path).load().head == HEAD
    spoilt.close()


def test_content__with_a_flipped_bit__is_not_given__c6(file: SnapshotFile, path: Path) -> None:
    file.close()
    change(path, "UPDATE contents SET body = CAST('{\"b\":\"1\"}' AS BLOB) WHERE release_key = 'key-1'")
    assert again(path).content("key-1") is None
    assert again(path).content("key-2") == b'{"a":"2"}'


def test_content__of_another_release__is_not_given(file: SnapshotFile, path: Path) -> None:
    """The key is part of the checksum."""
    file.close()
    change(path, "DELETE FROM contents WHERE release_key = 'key-2'")
    change(path, "UPDATE contents SET release_key = 'key-2'")
    assert again(path).content("key-2") is None


def test_disk__full__keeps_the_older_one(file: SnapshotFile, path: Path) -> None:
    """SQLite's own bound on pages stands for the disk's."""
    connection = file._open(write=True)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        file.save(bytes(1_000_000), plan(gone=[ONE.name], forget={"key-1"}, all_=[TWO]), LATER)
    assert again(path).load().head == HEAD
    assert again(path).content("key-1") == b'{"a":"1"}'


def test_file__behind_a_link__is_not_followed(path: Path, tmp_path: Path) -> None:
    """Whoever can put a link there must not choose what is overwritten."""
    path.parent.mkdir(mode=0o700)
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    path.symlink_to(target)
    file = again(path)
    assert file.own()
    with pytest.raises(OSError, match="symbolic"):
        file.prepare()
    assert target.read_bytes() == b"precious"
    file.close()
