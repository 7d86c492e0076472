"""Keeps the last good release of each namespace on disk, for starts without a server.

One file per identity. The name is a hash, so no text of a request ever becomes a path; the identity itself
stands inside and is compared on loading. A file is written beside its place, synced and renamed: a reader,
another process and a power cut see the old copy or the new one, never a mixture.

    <state folder>/helicon-u<uid>/       0700, owned by this user, not a link
        <32 hex digits>.backup           0600
            helicon-backup 1 <sha256 of the rest> <length of the rest>\\n
            {"identity": [...], "release_key": ..., "notification_id": ..., "saved_at": ..., "configurations": {...}}

Nothing here raises for what is on the disk: `load` says why there is no copy, `save` why none was kept.
"""

from __future__ import annotations

import json
import os
import stat
import time
from hashlib import sha256
from typing import NamedTuple

from helicon._impl.file_lock import brief_lock
from helicon.protocol.merge import is_older

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.settings import ClientSettings

SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes of one backup file, in both directions."""

STALE_TEMPORARY_SECONDS = 600.0
"""After this time a temporary file belongs to a process that died while writing."""

CONCURRENT_SECONDS = 300.0
"""A copy saved within this time, and not older, is a sibling's and is left; longer ago, it may be of a server
whose ids have begun anew."""

_MAGIC = b"helicon-backup"
_VERSION = b"1"
_HEADER_LIMIT = 128
_OPEN_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class Identity(NamedTuple):
    """What a copy is of. Two clients share a copy only when all of it is equal."""

    scope: str
    """The meta addresses with their environment, and what else selects values: data center and label."""
    app_id: str
    cluster: str
    namespace: str


class Copy(NamedTuple):
    """One release as it was last received."""

    configurations: dict[str, str]
    release_key: str
    notification_id: int
    """The id that this release is known to satisfy; -1 when none is known."""
    saved_at: float
    """When it was received, in seconds since the epoch by the clock of the machine that saved it."""


class NoCopy(NamedTuple):
    """Why there is no usable copy, or why none was kept.

    Reasons: `off`, `missing`, `unreadable`, `unwritable`, `not_a_folder`, `not_a_file`, `link`,
    `other_owner`, `too_open`, `too_large`, `torn`, `old_format`, `other_identity`.
    """

    reason: str
    message: str


def identity_of(settings: ClientSettings, namespace: str) -> Identity:
    """Builds the identity under which this client keeps a namespace."""
    addresses = ",".join(sorted(address.url for address in settings.meta))
    scope = "|".join((addresses, settings.data_center or "", settings.label or ""))
    return Identity(scope, settings.app_id, settings.cluster, namespace)


class Backup:
    """The folder of backup files of one client. Safe to use from several threads and processes."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._folders = tuple([f"{folder}/helicon-u{os.geteuid()}" for folder in folders])

    def load(self, identity: Identity) -> Copy | NoCopy:
        """Reads the copy of an identity from the first folder that has one."""
        result: NoCopy | None = None
        for folder in self._folders:
            found = _load_from(folder, identity)
            if isinstance(found, Copy):
                return found
            # A copy that is there but bad is worth telling; that another folder has none is not.
            if result is None or result.reason == "missing":
                result = found
        return result or NoCopy("off", "the backup is switched off")

    def save(self, identity: Identity, copy: Copy, *, asked_at: float | None = None) -> NoCopy | None:
        """Keeps a copy in the first folder that can be written; None means it, or a newer one, is safely there.

        `asked_at` is for who asks once and does not follow: when it began to ask, in seconds since the epoch.
        """
        result: NoCopy | None = None
        for folder in self._folders:
            problem = _save_to(folder, identity, copy, asked_at)
            if problem is None:
                return None
            result = result or problem
        return result or NoCopy("off", "the backup is switched off")


def file_name(identity: Identity) -> str:
    """Names the file of an identity."""
    return sha256(json.dumps(identity).encode()).hexdigest()[:32] + ".backup"


def encode(identity: Identity, copy: Copy) -> bytes:
    """Builds the bytes of a backup file."""
    rest = json.dumps(
        {
            "identity": identity,
            "release_key": copy.release_key,
            "notification_id": copy.notification_id,
            "saved_at": float(copy.saved_at),
            "configurations": copy.configurations,
        },
        separators=(",", ":"),
    ).encode("ascii")
    header = b" ".join((_MAGIC, _VERSION, sha256(rest).hexdigest().encode(), str(len(rest)).encode()))
    return header + b"\n" + rest


def decode(identity: Identity, content: bytes) -> Copy | NoCopy:
    """Reads the bytes of a backup file and checks all that can be checked."""
    header, newline, rest = content.partition(b"\n")
    fields = header[:_HEADER_LIMIT].split(b" ")
    if newline and fields[0] == _MAGIC and len(fields) > 1 and fields[1] != _VERSION:
        return NoCopy("old_format", "the backup has another format version")
    if not newline or len(fields) != 4 or fields[0] != _MAGIC:
        return NoCopy("torn", "the backup has no complete header")
    if fields[3] != str(len(rest)).encode() or fields[2] != sha256(rest).hexdigest().encode():
        return NoCopy("torn", "the backup does not match its checksum")
    try:
        document: object = json.loads(rest)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not _is_sound(document):
        return NoCopy("torn", "the backup is not the document that its header promises")
    if document.get("identity") != list(identity):
        return NoCopy("other_identity", "the backup belongs to another app, cluster, namespace or server")
    return Copy(
        document["configurations"],
        document["release_key"],
        document["notification_id"],
        document["saved_at"],
    )


def _is_sound(document: dict[str, object]) -> bool:
    configurations = document.get("configurations")
    return (
        isinstance(configurations, dict)
        and all(isinstance(value, str) for value in configurations.values())
        and isinstance(document.get("release_key"), str)
        and type(document.get("notification_id")) is int
        and type(document.get("saved_at")) is float
    )


def _load_from(folder: str, identity: Identity) -> Copy | NoCopy:
    try:
        with _opened_folder(folder) as directory:
            if isinstance(directory, NoCopy):
                return directory
            return _read(directory, identity)
    except FileNotFoundError:
        return NoCopy("missing", "there is no backup yet")
    except OSError as error:
        return NoCopy("unreadable", f"the backup cannot be read: {error.strerror}")


def _read(directory: int, identity: Identity) -> Copy | NoCopy:
    name = file_name(identity)
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return NoCopy("link", "the backup is a symbolic link and is not followed")
    if not stat.S_ISREG(status.st_mode):
        return NoCopy("not_a_file", "the backup is not a regular file")
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _OPEN_FLAGS, dir_fd=directory)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - wraps a descriptor
        # Looked at again through the descriptor: between the two calls another file may have come.
        problem = _distrust(os.fstat(descriptor))
        content = b"" if problem else file.read(SIZE_LIMIT + 1)
    if problem:
        return problem
    if len(content) > SIZE_LIMIT:
        return NoCopy("too_large", f"the backup is larger than {SIZE_LIMIT} bytes")
    return decode(identity, content)


def _distrust(status: os.stat_result) -> NoCopy | None:
    if status.st_uid != os.geteuid():
        return NoCopy("other_owner", "the backup belongs to another user")
    if status.st_mode & 0o022:
        return NoCopy("too_open", "the backup can be written by other users")
    return None


def _save_to(folder: str, identity: Identity, copy: Copy, asked_at: float | None) -> NoCopy | None:
    content = encode(identity, copy)
    if len(content) > SIZE_LIMIT:
        return NoCopy("too_large", f"the release is too large for a backup of {SIZE_LIMIT} bytes")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - pathlib is too slow for the command
        with _opened_folder(folder) as directory:
            if isinstance(directory, NoCopy):
                return directory
            with brief_lock(directory):
                if not _sibling_suffices(directory, identity, copy, asked_at):
                    _replace(directory, file_name(identity), content)
    except OSError as error:
        return NoCopy("unwritable", f"the backup cannot be written: {error.strerror}")
    return None


def _sibling_suffices(directory: int, identity: Identity, copy: Copy, asked_at: float | None) -> bool:
    try:
        present = _read(directory, identity)
    except OSError:
        return False
    if not isinstance(present, Copy):
        return False
    if asked_at is not None:
        return _came_meanwhile(present, copy, asked_at)
    if copy.notification_id < 0:
        return False
    if abs(copy.saved_at - present.saved_at) >= CONCURRENT_SECONDS:
        return False
    same = present.notification_id == copy.notification_id and present.release_key == copy.release_key
    return same or present.notification_id > copy.notification_id


def _came_meanwhile(present: Copy, copy: Copy, asked_at: float) -> bool:
    """Says whether a copy that came since we began to ask is to be left: it is newer by its time or by its key.

    One from before is replaced whatever its key: after a rollback the older key is the current one. So is one
    from far ahead, which comes from a clock that was wrong.
    """
    if not asked_at <= present.saved_at < copy.saved_at + CONCURRENT_SECONDS:
        return False
    return present.saved_at >= copy.saved_at or not is_older(present.release_key, copy.release_key)


def _replace(directory: int, name: str, content: bytes) -> None:
    _remove_stale_temporaries(directory, name)
    temporary = f".{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN_FLAGS
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)


def _remove_stale_temporaries(directory: int, name: str) -> None:
    """Removes what processes left that were killed while writing this file, so that they cannot pile up."""
    oldest = time.time() - STALE_TEMPORARY_SECONDS
    for entry in os.listdir(directory):
        if entry.startswith(f".{name}.") and entry.endswith(".tmp"):
            try:
                status = os.stat(entry, dir_fd=directory, follow_symlinks=False)
                if status.st_mtime < oldest:
                    os.unlink(entry, dir_fd=directory)
            except FileNotFoundError:
                continue


class _opened_folder:  # noqa: N801 - used like a function; contextlib would cost import time
    """Opens the folder itself, so that nobody can swap it for a link between check and use."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptor = -1

    def __enter__(self) -> int | NoCopy:
        try:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | _OPEN_FLAGS)
        except NotADirectoryError:
            return NoCopy("not_a_folder", f"the backup folder {self._folder!r} is a link or not a folder")
        return _distrust(os.fstat(self._descriptor)) or self._descriptor

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
