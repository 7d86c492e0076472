"""In CI a skip is a failure; on a developer's machine it is a line in the summary."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PASSING = "def test_fine():\n    pass\n"


def _run(folder: Path, text: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_sample.py").write_text("import pytest\n" + text)
    plugins = ["-p", "tests.plugins.no_skips", "-p", "no:cacheprovider"]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *plugins,
            "-c",
            os.devnull,
            "-W",
            "ignore",
            f"--rootdir={folder}",
            str(folder),
        ],
        cwd=ROOT,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "text",
    [
        '@pytest.mark.skip(reason="no browser here")\ndef test_it():\n    pass\n',
        'def test_it():\n    pytest.skip("no browser here")\n',
        'pytest.skip("no browser here", allow_module_level=True)\n',
        '@pytest.mark.xfail(reason="no browser here")\ndef test_it():\n    assert False\n',
        '@pytest.fixture\ndef f():\n    pytest.skip("no browser here")\ndef test_it(f):\n    pass\n',
    ],
    ids=["mark", "call", "module", "xfail", "fixture"],
)
def test_no_skips__test_did_not_run__red_in_ci_with_name_and_reason(tmp_path: Path, text: str) -> None:
    red = _run(tmp_path, PASSING + text, ci="true")
    free = _run(tmp_path, PASSING + text, ci="")

    assert (red.returncode, "test_sample.py" in red.stdout and "no browser here" in red.stdout) == (1, True), red.stdout
    assert free.returncode in (0, 5), free.stdout


def test_no_skips__all_ran__green_in_ci(tmp_path: Path) -> None:
    assert _run(tmp_path, PASSING, ci="true").returncode == 0
