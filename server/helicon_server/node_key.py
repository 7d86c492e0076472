"""Which master key a node works with: the one it is given, or one made beside the embedded database.

A database server is shared by nodes, which must all have the same key; so a node on one is given its key or does not
start. The embedded database has its key in the data dir, made at the first start.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import structlog

from .auth import master_key
from .auth.master_key import HOW_TO_MAKE, MasterKey
from .auth.sealing import key_id_of
from .settings import Settings, SettingsError
from .storage.contract import Storage

FILE_NAME: Final = "master.key"
_VARIABLE: Final = "HELICON_MASTER_KEY"
_log = structlog.get_logger("helicon.node")


def load(settings: Settings) -> MasterKey:
    """The master key of this node. Raises SettingsError, which names the variable or the file and what to do."""
    key = given(settings)
    return _read(_file(settings)) if key is None else key


def given(settings: Settings) -> MasterKey | None:
    """The key of the settings; None where it is in the data dir. Raises SettingsError.

    A database server needs a key in the settings.
    """
    if settings.master_key is not None:
        return master_key.parse(settings.master_key.get_secret_value())
    if settings.master_key_file is not None:
        return _read(settings.master_key_file, f"{_VARIABLE}_FILE: ")
    if not settings.embedded:
        raise SettingsError(
            f"{_VARIABLE}: is not set, and nodes on PostgreSQL need it for the secrets that the database keeps. "
            f"Make one with `{HOW_TO_MAKE}` and give the same one to every node, here or with {_VARIABLE}_FILE "
            "in a file."
        )
    return None


async def prepare(settings: Settings, storage: Storage) -> None:
    """Makes the key of an embedded database where there is none yet, and compares the key with what is sealed.

    Raises SettingsError when the key has sealed nothing of what is stored: a node with a wrong key would refuse
    every client. Raises Unavailable.
    """
    sealed = await _sealed_by(storage)
    key = given(settings)
    if key is None:
        file = _file(settings)
        if sealed and not file.exists():
            raise SettingsError(
                f"{_VARIABLE}: the database holds sealed secrets, and {file}, with the key to them, is missing. "
                f"Put it back, or give the key with {_VARIABLE}."
            )
        key = _make(file)
    if sealed and key.id not in sealed:
        raise SettingsError(
            f"{_VARIABLE}: this node's master key (id {key.id}) opens none of the stored secrets; they are sealed "
            f"with {' and '.join(sorted(sealed))}. Give it the key that the installation had before."
        )
    foreign = sealed.total() - sealed[key.id]
    if foreign:  # the others are in use, so the key is not simply wrong
        _log.error("master_key.some_secrets_are_of_another_key", unreadable=foreign, of=sealed.total(), key=key.id)


async def _sealed_by(storage: Storage) -> Counter[str]:
    """How many stored secrets each master key has sealed, by its id."""
    found: Counter[str] = Counter()
    for database in storage.config_databases:
        async with database.read() as tx:
            found.update(key_id_of(key.sealed) for key in await tx.access_keys.all())
    return found


def _file(settings: Settings) -> Path:
    return settings.data_dir.absolute() / FILE_NAME


def _make(file: Path) -> MasterKey:
    try:
        if file.exists():
            return _read(file)
        made = master_key.make(file)
    except (OSError, ValueError) as error:
        raise _unusable(file, error) from None
    _log.info("master_key.made", file=str(file), key=made.id)
    return made


def _read(file: Path, variable: str = "") -> MasterKey:
    try:
        return master_key.read(file)
    except (OSError, ValueError) as error:
        raise _unusable(file, error, variable) from None


def _unusable(file: Path, error: OSError | ValueError, variable: str = "") -> SettingsError:
    """What is wrong with a file of a key; never what it holds."""
    if isinstance(error, OSError):
        return SettingsError(f"{variable}the master key {file} cannot be read or made: {error.strerror or error}")
    return SettingsError(f"{variable}what {file} holds {error}")
