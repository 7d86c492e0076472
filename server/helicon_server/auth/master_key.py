"""The master key: 32 random bytes that wrap every secret which Helicon stores."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32
HOW_TO_MAKE: Final = "openssl rand -base64 32"
_DISTINCT_BYTES: Final = 12  # random keys have some thirty; a placeholder such as AAAA… has few
_ID_LABEL: Final = b"helicon master key id"
_WRAPPING_LABEL: Final = b"helicon wrapping key 1"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key by its public ``id`` and the key that is derived of it to wrap data keys.

    The id is 16 hex digits of an HMAC under the key: it tells keys apart and nothing of a key. The bytes of the master
    key themselves are not kept, and neither they nor the wrapping key are ever printed.
    """

    id: str
    wrapping_key: bytes = field(repr=False)


def parse(text: str) -> MasterKey:
    """Reads a master key in base64, blanks and a line end around it allowed.

    Raises ValueError with a sentence that holds nothing of the text.
    """
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except ValueError:  # binascii.Error is one
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} random bytes in base64, as `{HOW_TO_MAKE}` prints them")
    if len(set(raw)) < _DISTINCT_BYTES:
        raise ValueError(f"is a placeholder and no random key; make one with `{HOW_TO_MAKE}`")
    key_id = hmac.digest(raw, _ID_LABEL, hashlib.sha256).hex()[:16]
    return MasterKey(key_id, hmac.digest(raw, _WRAPPING_LABEL, hashlib.sha256))


def read(file: Path) -> MasterKey:
    """Reads a master key from a file. Raises OSError, and ValueError with a sentence without its content."""
    with file.open("rb") as opened:
        content = opened.read(1024)  # a key has 44 characters; /dev/zero has no end
    return parse(content.decode("ascii", "replace"))


def make(file: Path) -> MasterKey:
    """Makes a random master key in ``file`` for its owner alone, and returns the one that is there.

    Whole or not at all, and never over an existing file: of several processes that try at once one makes the key and
    all of them return it. Raises OSError, and ValueError when what is there is no key.
    """
    text = binascii.b2a_base64(secrets.token_bytes(KEY_BYTES)).decode("ascii")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)  # unlike a rename, it refuses an existing name
        except FileExistsError:
            return read(file)
    finally:
        draft.unlink()
    _flush_folder(file.parent)
    return parse(text)


def _flush_folder(folder: Path) -> None:
    """Makes a new name survive a power cut: a secret sealed with a lost key would be lost with it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
