"""docs/helicon-run.md and the command say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helicon.cli import exits, flagtable
from helicon.cli.flags import Flag
from helicon.cli.formats import WRITERS
from helicon.cli.help_text import twin_of

PAGE = Path(__file__).parents[3] / "docs" / "helicon-run.md"
ALL = {flag.name: flag for flags in (flagtable.GET, flagtable.PRINT, flagtable.WATCH, flagtable.RUN) for flag in flags}


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


@pytest.mark.parametrize("name", ALL)
def test_docs__every_accepted_flag__is_described_with_its_variable_and_choices(name: str, page: str) -> None:
    flag: Flag = ALL[name]
    lines = [line for line in page.splitlines() if re.search(rf"`--{name}[ `\[]", line)]

    assert lines
    if twin_of(flag):
        assert any(f"| `{twin_of(flag)}` |" in line for line in lines)
    for choice in flag.choices:
        assert choice in page


def test_docs__no_flag_is_promised_that_the_command_refuses(page: str) -> None:
    promised = set(re.findall(r"`--([a-z-]+)", page))
    foreign = {"init"}  # `docker run --init`

    assert promised - foreign - set(ALL) == set()


def test_docs__every_exit_code__is_in_the_table(page: str) -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}

    for code in codes - {exits.SIGNAL_BASE}:
        assert re.search(rf"^\| (\d+, )*{code}(, \d+)* \|", page, re.MULTILINE), code


@pytest.mark.parametrize("form", WRITERS)
def test_docs__every_print_format__is_in_the_table(form: str, page: str) -> None:
    assert re.search(rf"^\| `{form}`", page, re.MULTILINE)
