"""One snapshot on disk: an SQLite file with a row for the head of the state, for each of its parts and each content.

SQLite gives what is easily done wrong by hand: the head, the parts and the removal of contents change together or not
at all, an interrupted write leaves the older state, and only what changed is written. Contents are added before the
state that names them. All calls block and belong to one thread at a time.

The file is not trusted: every part and every content carries a checksum, and the head one that holds the number and the
sum of those of the parts, both times and the name of the database. A state of which anything does not fit is treated as
not there, as is a content that does not fit.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from helicon_server.delivery.snapshot.book import Book, Plan, seal_of, sum_of_part
from helicon_server.delivery.snapshot.encoding import FORMAT

ABSENT: Final = "absent"  # the reason of a file that is not there
_APPLICATION: Final = 0x48534E50  # marks the file as ours
_BUSY_S: Final = 2.0
_PAGES_FREED: Final = 4096  # given back to the disk behind one save
_HEAD: Final = "SELECT database, saved_at, confirmed_at, seal, sha256, head FROM state"
_SCHEMA: Final = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    database TEXT NOT NULL, saved_at TEXT NOT NULL, confirmed_at TEXT NOT NULL, seal TEXT NOT NULL,
    sha256 TEXT NOT NULL, head BLOB NOT NULL
);
CREATE TABLE parts (name TEXT PRIMARY KEY, sha256 BLOB NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE contents (release_key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, body BLOB NOT NULL);
"""


class SnapshotUnusableError(Exception):
    """There is no snapshot that could be served; ``reason`` is a word for logs."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SavedState:
    """An encoded state, when it was saved, and when the node last knew that the database held nothing newer."""

    head: bytes
    parts: Sequence[tuple[str, bytes]]  # by name
    saved_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class SavedContent:
    """The encoded content of a release."""

    release_key: str
    body: bytes


class SnapshotFile:
    """The snapshot of one database. ``database`` tells databases apart: a snapshot of another one is not used."""

    def __init__(self, path: Path, database: str) -> None:
        self.path = path
        self._database = database
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._writable = False

    # --- reading ----------------------------------------------------------------------------------

    def load(self) -> SavedState:
        """The state that was saved last. Raises SnapshotUnusableError."""
        try:
            connection = self._open()
            self._require_ours(connection)
            with _transaction(connection, "BEGIN"):  # one state, also while another process writes
                row = connection.execute(_HEAD).fetchone()
                parts = connection.execute("SELECT name, sha256, body FROM parts").fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise SnapshotUnusableError("unreadable", type(error).__name__) from error
        if row is None:
            raise SnapshotUnusableError("empty")
        database, saved_at, confirmed_at, seal, sha256, head = row
        if not isinstance(head, bytes) or _sum_of_head(database, saved_at, confirmed_at, seal, head) != sha256:
            raise SnapshotUnusableError("torn")
        if database != self._database:
            raise SnapshotUnusableError("of_another_database")
        if not all(map(_is_whole, parts)) or seal_of(each for _, each, _ in parts).text() != seal:
            raise SnapshotUnusableError("torn")
        return SavedState(head, [(name, body) for name, _, body in parts], _moment(saved_at), _moment(confirmed_at))

    def content(self, release_key: str) -> bytes | None:
        """The content of a release; None when it is not there or not as it was written."""
        try:
            connection = self._open()
            row = connection.execute(
                "SELECT sha256, body FROM contents WHERE release_key = ?", (release_key,)
            ).fetchone()
        except (sqlite3.Error, UnicodeDecodeError, SnapshotUnusableError):
            return None
        if row is None or not isinstance(row[1], bytes) or _sum_of_content(release_key, row[1]) != row[0]:
            return None
        return row[1]

    # --- writing ----------------------------------------------------------------------------------

    def own(self) -> bool:
        """Makes this process the one that writes; False while another one is. Raises OSError."""
        if self._lock is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return False
            except OSError:
                os.close(lock)
                raise
            self._lock = lock
        return True

    def prepare(self) -> Book:
        """Opens the file to write, made anew when it is not ours; returns what is there.

        Only for the owner. Raises sqlite3.Error or OSError.
        """
        try:
            connection = self._open(write=True)
            self._require_ours(connection)
            rows = connection.execute("SELECT name, sha256, body FROM parts")
            # A part that does not fit its checksum is written anew.
            sums = {row[0]: row[1] if _is_whole(row) else bytes(32) for row in rows}
            return Book(sums, [key for (key,) in connection.execute("SELECT release_key FROM contents")])
        except (sqlite3.Error, UnicodeDecodeError, SnapshotUnusableError) as error:
            if isinstance(error, sqlite3.Error) and not _spoilt(error):
                raise
        self._discard()
        connection = self._open(write=True)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        return Book({}, ())

    def add(self, contents: Iterable[SavedContent]) -> None:
        """Writes contents that no state refers to yet. Raises sqlite3.Error."""
        connection = self._open(write=True)
        with _transaction(connection):
            connection.executemany(
                "INSERT OR REPLACE INTO contents VALUES (?, ?, ?)",
                ((each.release_key, _sum_of_content(each.release_key, each.body), each.body) for each in contents),
            )

    def save(self, head: bytes, plan: Plan, at: datetime) -> None:
        """Carries out a plan: the state of before becomes this one, or stays. Raises sqlite3.Error."""
        connection = self._open(write=True)
        moment, seal = at.isoformat(), plan.seal.text()
        with _transaction(connection):
            connection.executemany("DELETE FROM parts WHERE name = ?", ((name,) for name in plan.gone))
            connection.executemany(
                "INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", ((p.name, p.sha256, p.body) for p in plan.put)
            )
            connection.execute(
                "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?)",
                (self._database, moment, moment, seal, _sum_of_head(self._database, moment, moment, seal, head), head),
            )
            connection.executemany("DELETE FROM contents WHERE release_key = ?", ((key,) for key in plan.forget))
        if plan.forget:
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES_FREED})").fetchall()

    def confirm(self, at: datetime) -> None:
        """Notes that the database held nothing newer than the saved state. Raises sqlite3.Error."""
        connection = self._open(write=True)
        with _transaction(connection):
            row = connection.execute(_HEAD).fetchone()
            if row is not None:
                database, saved_at, before, seal, sha256, head = row
                if _sum_of_head(database, saved_at, before, seal, head) != sha256:
                    raise sqlite3.DatabaseError("torn")  # to be written anew, not to be sealed as it is
                summed = _sum_of_head(database, saved_at, at.isoformat(), seal, head)
                connection.execute("UPDATE state SET confirmed_at = ?, sha256 = ?", (at.isoformat(), summed))

    def close(self) -> None:
        """Gives everything back; another process may write then."""
        self._disconnect()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    # --- the file ---------------------------------------------------------------------------------

    def _open(self, *, write: bool = False) -> sqlite3.Connection:
        if self._connection is not None and (self._writable or not write):
            return self._connection
        self._disconnect()
        if write:
            # SQLite gives its own files beside this one the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        elif not self.path.exists():
            raise SnapshotUnusableError(ABSENT)
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,  # one thread at a time, not always the same one
        )
        try:
            if write:
                # Before the first table; a file that has some keeps what it was made with.
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL")
            # The newest save may be lost in a power cut, the file not.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA journal_size_limit = 16777216")
        except BaseException:
            connection.close()
            raise
        self._connection, self._writable = connection, write
        return connection

    def _require_ours(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION:
            raise SnapshotUnusableError("no_snapshot")
        if version != FORMAT:
            raise SnapshotUnusableError("of_another_format")

    def _discard(self) -> None:
        self._disconnect()
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).unlink()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._writable = False
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """BEGIN, and COMMIT or ROLLBACK. The driver's own way begins transactions late."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise


def _spoilt(error: sqlite3.Error) -> bool:
    """Tells whether a failure is the file's own: it is no database, a damaged one, or lacks our tables.

    A full disk, or another program that holds the file, says nothing about it.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


def _moment(text: str) -> datetime:
    """A moment as it was written. Raises SnapshotUnusableError, also for one without a time zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise SnapshotUnusableError("torn") from error
    if found.utcoffset() is None:
        raise SnapshotUnusableError("torn")
    return found


def _is_whole(row: tuple[object, object, object]) -> bool:
    name, sha256, body = row
    return isinstance(name, str) and isinstance(body, bytes) and sum_of_part(name, body) == sha256


def _sum_of_head(database: str, saved_at: str, confirmed_at: str, seal: str, head: bytes) -> str:
    return hashlib.sha256(f"{database}\n{saved_at}\n{confirmed_at}\n{seal}\n".encode() + head).hexdigest()


def _sum_of_content(release_key: str, body: bytes) -> str:
    return hashlib.sha256(release_key.encode() + b"\n" + body).hexdigest()
