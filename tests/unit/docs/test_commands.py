"""The commands that people and CI rely on exist, explain themselves and are described."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
COMMANDS = ("run", "setup", "test", "faults", "check", "format", "bench", "bench-quick", "lock")


def _make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_make__each_command__exists_and_is_listed_by_help(command: str) -> None:
    dry = _make("--dry-run", command)
    listed = _make().stdout

    assert dry.returncode == 0, dry.stderr
    assert re.search(rf"^  make {command} +\S", listed, re.MULTILINE), listed


def test_make_run__port_and_host_given__reach_the_server() -> None:
    printed = _make("--dry-run", "run", "PORT=9999", "HOST=0.0.0.0").stdout

    assert "--host 0.0.0.0 --port 9999" in printed


def test_pre_commit__hooks__are_local_and_call_what_exists() -> None:
    """No hook repository is fetched, and a renamed target does not leave a dead hook behind."""
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for repository in repositories for hook in repository["hooks"]]

    assert [repository["repo"] for repository in repositories] == ["local"]
    for entry in entries:
        program, argument, *_ = entry.split()
        if program == "make":
            assert _make("--dry-run", argument).returncode == 0, entry
        else:
            assert (ROOT / program).exists(), entry


def test_ci__script__is_executable_and_well_formed() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
