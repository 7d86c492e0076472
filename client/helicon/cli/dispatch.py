"""Chooses the subcommand, and turns everything that can go wrong into a message and an exit code."""

from __future__ import annotations

import os
import sys

from helicon.cli.launch import catch_stops, occupy_standard_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from helicon.cli.report import Report

    Command = Callable[[list[str], dict[bytes, bytes], Report], int]

COMMANDS = ("run", "get", "print", "watch")


def dispatch() -> int:
    """Runs `sys.argv`. Handlers first: a TERM that arrives earlier than them is lost to process 1."""
    catch_stops()
    occupy_standard_descriptors()
    from helicon.cli import exits, inherited

    environ = inherited.environment()
    arguments = sys.argv[1:]
    report = _early_report(arguments, environ)
    try:
        return _run(arguments, environ, report)
    except exits.Failure as failure:
        report.failure(failure)
        return failure.exit_code
    except BrokenPipeError:
        # The reader of stdout went away, as `head` does. Leave without Python's complaint at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return exits.SIGNAL_BASE + 13
    except Exception as problem:  # noqa: BLE001 - the last line of defence: a code and a name, never a value
        where = _innermost(problem)
        report.failure(
            exits.Failure(
                exits.INTERNAL,
                "internal",
                f"unexpected {type(problem).__name__} in {where}; this is a defect of helicon",
                "please report it with the version (helicon --version) and the flags used",
            )
        )
        return exits.INTERNAL


def _run(arguments: list[str], environ: dict[bytes, bytes], report: Report) -> int:
    from helicon.cli.exits import usage

    first = arguments[0] if arguments else "--help"
    if first in ("--help", "-h", "help"):
        from helicon.cli.help_text import overview, subcommand

        topic = arguments[1] if first == "help" and len(arguments) > 1 else ""
        return _show(subcommand(topic) if topic in COMMANDS else overview())
    if first in ("--version", "-V"):
        from helicon.cli.help_text import version

        return _show(version())
    if first not in COMMANDS:
        raise usage(f"unknown command {first!a}", f"commands: {', '.join(COMMANDS)}; see helicon --help")
    rest = arguments[1:]
    own = rest[: rest.index("--")] if "--" in rest else rest
    if own[:1] in (["--help"], ["-h"]) or (first != "run" and ("--help" in own or "-h" in own)):
        from helicon.cli.help_text import subcommand

        return _show(subcommand(first))
    return _command(first)(rest, environ, report)


def _command(name: str) -> Command:
    if name == "run":
        from helicon.cli.run import run

        return run
    if name == "get":
        from helicon.cli.get import get

        return get
    if name == "print":
        from helicon.cli.printing import print_variables

        return print_variables
    from helicon.cli.watch import watch

    return watch


def _show(text: str) -> int:
    from helicon.cli.output import write

    write(text)
    return 0


def _early_report(arguments: list[str], environ: dict[bytes, bytes]) -> Report:
    """Chooses the form of messages before the flags are read, so that a usage error has it too."""
    from helicon.cli.report import Report

    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = environ.get(b"HELICON_LOG") == b"json"
    for position, argument in enumerate(own):
        following = own[position + 1] if position + 1 < len(own) else ""
        if argument.startswith("--log"):
            chosen = argument[len("--log=") :] if "=" in argument else following
            as_json = chosen == "json"
    return Report("json" if as_json else "text")


def _innermost(problem: BaseException) -> str:
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
