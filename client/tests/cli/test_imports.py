"""What a start loads: every import is paid for before the program begins."""

from __future__ import annotations

import ast
import subprocess
import sys

from tests.cli.fake_apollo import DEADLINE_SECONDS

SLOW = {"argparse", "asyncio", "dataclasses", "http.client", "inspect", "logging", "pathlib", "ssl", "urllib.parse"}


def test_run__modules_of_a_start__hold_nothing_slow() -> None:
    """Each of these alone takes a good part of the time in which the program has to have been started."""
    script = "import sys; import helicon.cli.dispatch, helicon.cli.run, helicon.cli.report; print(sorted(sys.modules))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=DEADLINE_SECONDS)

    assert set(ast.literal_eval(done.stdout.decode())) & SLOW == set()
