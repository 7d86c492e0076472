"""Keeps the application's Python settings away from ours."""

from __future__ import annotations

import os.path
import sys

# ruff's pathlib rules are off for this file: importing pathlib costs more than the rest of the start-up.
# ruff: noqa: PTH100, PTH118, PTH120


def isolate() -> None:
    """Drops the working directory, the script's folder and PYTHONPATH from our own import path.

    A `json.py` beside the application, or PYTHONPATH meant for it, would otherwise replace the standard
    library under our feet. The environment is not touched: the program still receives its PYTHON*.
    """
    if sys.flags.isolated:
        return
    foreign = set(os.environ.get("PYTHONPATH", "").split(os.pathsep)) if not sys.flags.ignore_environment else set()
    foreign = {os.path.abspath(folder) for folder in foreign if folder}
    if not sys.flags.safe_path and sys.path:
        foreign.add(os.path.abspath(sys.path[0]))
    library = os.path.dirname(os.__file__)
    foreign -= {library, os.path.join(library, "lib-dynload")}
    sys.path[:] = [folder for folder in sys.path if folder and os.path.abspath(folder) not in foreign]
