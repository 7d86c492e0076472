"""The `helicon-server` command as a person runs it: in a folder, with an environment, to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.server import server_environment

UNAVAILABLE, CANNOT_CREATE, CONFIG, REFUSED = 69, 73, 78, 1
FIRST_PASSWORD = "the-first-password"
NOTHING_GIVEN = {"HELICON_BOOTSTRAP_PASSWORD": "", "HELICON_BOOTSTRAP_TOKEN": ""}


def helicon_server(
    *arguments: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    deadline_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end; its data dir is `folder`/data unless the environment says otherwise."""
    return subprocess.run(
        [sys.executable, "-m", "helicon_server.cli", *arguments],
        env=server_environment({"HELICON_DATA_DIR": str(folder / "data"), **(env or {})}),
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


def refusal(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """What a command that could not do its work said: one sentence on stderr, and never a traceback."""
    assert ended.returncode == code, f"{ended.returncode}: {ended.stdout}{ended.stderr}"
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("helicon-server: "), ended.stderr
    return last.removeprefix("helicon-server: ")
