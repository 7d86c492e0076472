"""The `helicon` command. `main` is the entry point of the console script.

Almost nothing is imported here: each subcommand loads what it needs after the signal handlers stand.
"""

from __future__ import annotations


def main() -> int:
    """Runs the command line of this process and returns its exit code."""
    from helicon.cli.isolation import isolate

    isolate()
    from helicon.cli.dispatch import dispatch

    return dispatch()
