"""What a figure was measured on; without it a figure says nothing."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("helicon-server", "uvicorn", "uvloop", "httptools", "starlette", "sqlalchemy", "pydantic")
_QUIET = 0.5  # load for each core, over the minute before


def print_environment() -> None:
    """Prints date, machine, load and versions."""
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {cores} cores ({_processor()}), load {load:.1f} before the start")
    print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}; {versions}")
    if load > cores * _QUIET:
        print("The machine was busy in the minute before: unless that ended, figures look worse than they are.")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
