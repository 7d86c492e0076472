"""How a driver in Python tells what its client does: one JSON object a line, whatever the client itself prints.

A driver runs on the interpreter and the pinned packages of its client alone, so this module imports nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """What the test tells a driver."""

    meta: str
    app: str
    folder: str
    namespaces: list[str]
    secret: str  # of the app's access key; empty without one
    label: str  # for the rules of gray releases; empty without one


class Lines:
    """Takes stdout for the driver; what the client prints there goes to stderr from now on."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        self._lock = threading.Lock()
        os.dup2(2, 1)

    def value(self, namespace: str, key: str, value: Any) -> None:
        """The client answers this when it is asked after its start."""
        self._write(event="value", namespace=namespace, key=key, value=value)

    def changed(self, namespace: str, key: str, value: Any) -> None:
        """The client told of this change by itself."""
        self._write(event="changed", namespace=namespace, key=key, value=value)

    def _write(self, **line: Any) -> None:
        with self._lock:
            self._out.write(json.dumps(line) + "\n")
            self._out.flush()


def settings() -> Settings:
    """Reads the one argument of a driver."""
    return Settings(**json.loads(sys.argv[1]))


def wait_for_the_end() -> None:
    """Returns when the test closes the driver's stdin, or is gone."""
    sys.stdin.read()
