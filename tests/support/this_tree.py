"""Makes sure that tests start the code beside them, not another checkout that happens to be installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
DEADLINE_S = 60

_WHERE = """
import importlib.util, sys
for name in sys.argv[1:]:
    print(importlib.util.find_spec(name).origin)
"""


def require_this_tree(packages: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
    """Fails unless this process, and a child with that environment and folder, load the packages from this tree.

    A child without the parent's PYTHONPATH loads what is installed; tests of it would then prove nothing about
    the files that were changed.
    """
    done = subprocess.run(
        [sys.executable, "-c", _WHERE, *packages],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"{sys.executable} does not know {', '.join(packages)}: {done.stderr}"
    for package, origin in zip(packages, done.stdout.splitlines(), strict=True):
        require_within(TREE, package, origin, "a process that tests start")
        spec = find_spec(package)
        require_within(TREE, package, spec.origin if spec else None, "the process of the tests")


def require_within(tree: Path, package: str, origin: str | None, who: str) -> None:
    """Fails unless the file that a package was found in lies below a folder."""
    assert origin is not None and Path(origin).resolve().is_relative_to(tree), (  # noqa: PT018 - one fact
        f"{who} would run {package} from {origin}, not from {tree}: run the tests with the environment of this "
        "checkout (`make dev` makes it)"
    )
