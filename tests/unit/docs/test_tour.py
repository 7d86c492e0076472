"""The tour runner reads console blocks, keeps the shell between commands and compares what they print."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tour import Shell, Step, TourError, matches, read_steps, run_step

HEADING = "## Tour"
DOCUMENT = """\
# Project

```console
$ never run: before the tour
```

## Tour

Set a name.

```console
$ NAME=world
$ echo "hello, $NAME" \\
>   and all
hello, world and all
```

### A part of the tour

```sh
$ never run: another language
```

```console
$ printf 'id 17\\none\\ntwo\\nthree\\n'
id ...
one
...
three
```

## After it

```console
$ never run: after the tour
```
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path, {"PATH": os.environ["PATH"]})
    yield shell
    shell.close()


def test_tour__document__yields_the_commands_of_its_section() -> None:
    assert read_steps(DOCUMENT, HEADING) == [
        Step(12, "NAME=world", ()),
        Step(13, 'echo "hello, $NAME" \\\n  and all', ("hello, world and all",)),
        Step(25, "printf 'id 17\\none\\ntwo\\nthree\\n'", ("id ...", "one", "...", "three")),
    ]


def test_tour__sample__runs_in_one_shell(shell: Shell) -> None:
    for step in read_steps(DOCUMENT, HEADING):
        run_step(shell, step)


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (Step(7, "echo out; echo why >&2; (exit 3)", ()), r"(?s)line 7.*failed with 3:.*out.*why"),
        (Step(8, "echo other", ("this",)), r"(?s)line 8.*says:\nthis\nit printed:\nother"),
        (Step(9, "printf 'one\\nmore\\n'", ("one",)), "line 9"),
        (Step(9, "exit 0", ()), "ended the shell"),
        (Step(9, "echo 'unfinished", ()), "still no end of"),
    ],
    ids=["status", "output", "more output", "exit", "unfinished"],
)
def test_tour__command_goes_wrong__says_where_and_what(shell: Shell, step: Step, complaint: str) -> None:
    if "unfinished" in step.command:
        with pytest.raises(TourError, match=complaint):
            shell.run(step.command, deadline_s=0.2)
        return
    with pytest.raises(TourError, match=complaint):
        run_step(shell, step)


@pytest.mark.parametrize(
    ("expected", "printed", "answer"),
    [
        (["a"], ["a  "], True),
        (["a"], ["ab"], False),
        (["...b"], ["ab"], True),
        (["a...c"], ["abbc"], True),
        (["a...c"], ["a", "c"], False),
        (["a", "..."], ["a"], True),
        (["...", "z"], ["a", "b", "z"], True),
        (["a.b"], ["axb"], False),
    ],
)
def test_matches__wildcards__stand_for_text_or_lines(expected: list[str], printed: list[str], answer: bool) -> None:
    assert matches(expected, printed) is answer


def test_tour__output_before_any_command__is_refused() -> None:
    with pytest.raises(TourError, match="line 4"):
        read_steps("## Tour\n\n```console\nhello\n```\n", HEADING)
