"""What the command tells the operator, on stderr: stdout belongs to the program.

At most three info lines per start. Names, counts, addresses and release keys only; never a value.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon.cli.exits import Failure

_STDERR = 2


class Report:
    """Writes lines as text for people or JSON for collectors; `quiet` drops the info lines."""

    __slots__ = ("_json", "_quiet")

    def __init__(self, log: str = "text", *, quiet: bool = False) -> None:
        self._json = log == "json"
        self._quiet = quiet

    def info(self, event: str, message: str, **fields: object) -> None:
        """Says what was done."""
        if not self._quiet:
            self._write("info", event, message, fields)

    def warning(self, event: str, message: str, **fields: object) -> None:
        """Says what went on in spite of a trouble; not silenced by `quiet`."""
        self._write("warning", event, message, fields)

    def failure(self, failure: Failure) -> None:
        """Says why the command ends."""
        fields: dict[str, object] = {"exit_code": failure.exit_code}
        if self._json and failure.hint:
            fields["hint"] = failure.hint
        message = failure.message
        if not self._json and failure.hint:
            message += "\n  " + failure.hint.replace("\n", "\n  ")
        self._write("error", failure.code, message, fields)

    def _write(self, level: str, event: str, message: str, fields: dict[str, object]) -> None:
        if self._json:
            import json

            line = json.dumps({"level": level, "event": event, "message": message, **fields})
        else:
            # Addresses and names reach a terminal here; nothing of theirs may move its cursor.
            text = "".join([char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in message])
            line = f"helicon: {text}" if level == "info" else f"helicon: {level}: {text}"
            if level == "error":
                line += f"\n  [{event}]" if "\n" in text else f" [{event}]"
        data = (line + "\n").encode("utf-8", "backslashreplace")
        try:
            os.write(_STDERR, data)  # unbuffered: nothing is left to flush when exec replaces us
        except OSError:
            return  # a closed stderr must not keep the program from starting
