"""`helicon run` as a container starts it, and what the program finds in its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

DEADLINE_S = 60


def environment_of_program(flags: Sequence[str]) -> dict[str, str]:
    """Runs `helicon run FLAGS -- env` with nothing but a PATH and returns what the program has beside it."""
    result = subprocess.run(
        [sys.executable, "-m", "helicon.cli", "run", *flags, "--", "env", "-0"],
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr.decode()
    environment = dict(entry.split("=", 1) for entry in result.stdout.decode().split("\0") if entry)
    assert environment.pop("PATH") == os.defpath
    return environment
