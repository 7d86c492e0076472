"""Exit codes and the one exception that ends a command.

The codes are documented and stable (docs/helicon-run.md). The code of the started program is never ours to
change: in exec mode the program *is* the process, so its own code or signal reaches the caller untouched.
"""

from __future__ import annotations

MISSING = 1
"""`get`: the key does not exist. Not a failure of the tool, so the plain code scripts test for."""
USAGE = 64
UNAVAILABLE = 69
INTERNAL = 70
STILL_WAITING = 75
DENIED = 77
CONFIGURATION = 78
NOT_EXECUTABLE = 126
NOT_FOUND = 127
SIGNAL_BASE = 128


class Failure(Exception):
    """Ends the command: a sentence for a person, a stable code for a program, and the exit code.

    `message` and `hint` name keys, variables, flags and addresses; never a value of the configuration.
    """

    def __init__(self, exit_code: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code
        self.message = message
        self.hint = hint


def usage(message: str, hint: str = "") -> Failure:
    """Builds the failure of a wrong command line (exit 64)."""
    return Failure(USAGE, "usage", message, hint)


def configuration(code: str, message: str, hint: str = "") -> Failure:
    """Builds the failure of data that must not become an environment (exit 78)."""
    return Failure(CONFIGURATION, code, message, hint)
