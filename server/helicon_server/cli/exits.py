"""Exit codes of ``helicon-server``, from sysexits.h, and the one way to end with one."""

from __future__ import annotations

import sys
from typing import NoReturn

UNAVAILABLE = 69  # a database does not answer, or the port is taken
CANNOT_CREATE = 73  # the data dir cannot be written
CONFIG = 78  # a setting or the schema does not fit
REFUSED = 1  # the command was understood and cannot be done


def stop(code: int, message: str) -> NoReturn:
    """Says on stderr what is wrong and what to do, and ends the process."""
    print(f"helicon-server: {message}", file=sys.stderr)
    raise SystemExit(code)
