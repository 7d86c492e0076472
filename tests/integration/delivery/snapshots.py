"""The snapshot of a node, looked at and damaged from outside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import orjson

_NAMESPACES = "SELECT body FROM parts WHERE name LIKE 'namespace/%'"


def file_of(data_dir: Path) -> Path:
    return data_dir / "snapshot" / "main.db"


def saved(data_dir: Path) -> set[str]:
    """The keys of the releases that the saved state serves and whose contents are there."""
    file = file_of(data_dir)
    if not file.exists():
        return set()
    try:
        with closing(sqlite3.connect(file)) as connection:
            parts = [orjson.loads(body) for (body,) in connection.execute(_NAMESPACES)]
            contents = {key for (key,) in connection.execute("SELECT release_key FROM contents")}
    except sqlite3.OperationalError:  # it is being made
        return set()
    served = [each for part in parts for each in (part["live"], *part["branches"]) if each is not None]
    return contents & {each["release_key"] for each in served}


def change(data_dir: Path, statement: str) -> None:
    with closing(sqlite3.connect(file_of(data_dir), isolation_level=None)) as connection:
        connection.execute(statement)
