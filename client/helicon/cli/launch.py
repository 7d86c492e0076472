"""Replaces this process with the program, leaving no trace of having been here."""

from __future__ import annotations

import errno
import os
import signal
import sys

from helicon.cli.environment import require_fit
from helicon.cli.exits import NOT_EXECUTABLE, NOT_FOUND, Failure, configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_ON_OUR_WAY = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def catch_stops() -> None:
    """Makes TERM, INT and HUP end a start at once with 128+n, also as process 1.

    The kernel gives process 1 no default action: without a handler a TERM during start-up would be lost.
    A signal the caller ignores (nohup) stays ignored.
    """
    for number in _ON_OUR_WAY:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _stop)


def _stop(number: int, frame: object) -> None:
    # Nothing to tidy up: files are written aside and renamed, and there is no child yet.
    os._exit(128 + number)


def occupy_standard_descriptors() -> None:
    """Fills a closed descriptor 0, 1 or 2, so that no socket of ours is taken for stdin or stderr.

    The filler closes on exec: the program finds the descriptor closed, as the caller left it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def launch(command: list[str], block: dict[bytes, bytes]) -> NoReturn:
    """Executes the command with this environment. Returns never; raises Failure when it cannot.

    Raises: exit 127 when there is no such program, 126 when it cannot be executed, 78 when the kernel
    finds the environment too big after all.
    """
    argv = [os.fsencode(argument) for argument in command]
    require_fit(argv, block, path_bytes=max(map(len, _candidates(argv[0], block))))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    reset_signals()
    try:
        os.execvpe(argv[0], argv, block)  # noqa: S606 - the point: no shell ever sees a value
    except OSError as problem:
        raise _exec_failure(command[0], argv[0], block, problem) from None


def reset_signals() -> None:
    """Gives the program the dispositions and the empty mask it would have had without us.

    CPython ignores PIPE and XFSZ, and an ignored signal stays ignored across exec: `yes | head` would
    never end. Our own handlers go as well, so that from here on a TERM ends us by default.
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ, *_ON_OUR_WAY):
        if number in _ON_OUR_WAY and signal.getsignal(number) is signal.SIG_IGN:
            continue
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _candidates(program: bytes, block: dict[bytes, bytes]) -> list[bytes]:
    """Lists the paths that execvpe tries: PATH is the program's, not ours."""
    if b"/" in program:
        return [program]
    folders = block.get(b"PATH", os.defpath.encode()).split(b":")
    return [folder + b"/" + program for folder in folders]


def _exec_failure(name: str, program: bytes, block: dict[bytes, bytes], problem: OSError) -> Failure:
    shown = f"{name!a}"
    if problem.errno == errno.E2BIG:
        return configuration(
            "environment_too_big",
            f"the system refused the environment and arguments of {shown} as too big",
            "leave keys out with --include or --exclude, or raise `ulimit -s`",
        )
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        if any(os.access(path, os.F_OK) for path in _candidates(program, block)):
            return Failure(
                NOT_EXECUTABLE,
                "command_not_executable",
                f"{shown} exists, but the interpreter or loader it names does not",
            )
        where = "there is no such file" if b"/" in program else "it is in no folder of PATH"
        return Failure(NOT_FOUND, "command_not_found", f"cannot start {shown}: {where}")
    reason = os.strerror(problem.errno or 0).lower()
    if problem.errno == errno.ENOEXEC:
        reason = "it is no program for this machine; a script needs a first line such as #!/bin/sh"
    return Failure(NOT_EXECUTABLE, "command_not_executable", f"cannot start {shown}: {reason}")
