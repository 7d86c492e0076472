"""Leaves out tests that need the toolchain of another language where it is absent, and says so in one line.

They are deselected, not skipped: a machine without a JDK is not a broken one, in CI neither.
"""

from __future__ import annotations

import shutil

import pytest

# Mark → the programs that its tests call.
TOOLCHAINS = {"java": ("java", "javac", "mvn"), "go": ("go",)}

_absent = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    for mark, programs in TOOLCHAINS.items():
        config.addinivalue_line("markers", f"{mark}: needs {', '.join(programs)}; left out where one of them is absent")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    absent: list[str] = []
    for mark, programs in TOOLCHAINS.items():
        missing = [program for program in programs if shutil.which(program) is None]
        left_out = [item for item in items if missing and item.get_closest_marker(mark) is not None]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
            absent.append(f"tests marked {mark} ({len(left_out)}): no {', '.join(missing)} on this machine")
    config.stash[_absent] = absent


def pytest_report_collectionfinish(config: pytest.Config) -> str | list[str]:
    absent = config.stash.get(_absent, [])
    return f"left out: {'; '.join(absent)}" if absent else []
