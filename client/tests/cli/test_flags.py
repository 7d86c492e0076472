"""The command line and its twins: what is read, what is refused."""

from __future__ import annotations

import pytest

from helicon.cli import flagtable
from helicon.cli.exits import Failure
from helicon.cli.flags import duration, parse


def test_parse__separate_and_joined_values__are_equal() -> None:
    separate = parse(["--case", "keep", "--", "env"], flagtable.RUN, {}, command=True)
    joined = parse(["--case=keep", "env"], flagtable.RUN, {}, command=True)

    assert separate.text("case") == joined.text("case") == "keep"
    assert separate.rest == joined.rest == ["env"]


def test_parse__flags_of_the_program__are_left_alone() -> None:
    options = parse(["sh", "--case", "-c", "--", "x"], flagtable.RUN, {}, command=True)

    assert options.rest == ["sh", "--case", "-c", "--", "x"]
    assert options.text("case") == "upper"


def test_parse__repeatable__keeps_order_and_replaces_the_twin() -> None:
    environ = {"HELICON_INCLUDE": "x, y", "HELICON_KEEP": "a,b"}

    options = parse(["--include", "b*", "--include=a*"], flagtable.RUN, environ)

    assert options.many("include") == ["b*", "a*"]
    assert options.many("keep") == ["a", "b"]


def test_parse__pairs__split_at_the_first_equals_and_twins_at_line_breaks() -> None:
    options = parse(["--set", "A=b=c,d"], flagtable.RUN, {"HELICON_DEFAULT": "x=1,2\ny=\n"})

    assert options.pairs("set") == [("A", "b=c,d")]
    assert options.pairs("default") == [("x", "1,2"), ("y", "")]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--watch"], "unknown flag '--watch'"),
        (["-x"], "unknown flag '-x'"),
        (["--case"], "--case needs a value"),
        (["--case", "--"], "--case needs a value"),
        (["--case", "UPPER"], "--case is one of upper, keep, lower"),
        (["--set", "A"], "NAME=VALUE"),
        (["--set", "=b"], "NAME=VALUE"),
        (["--start-timeout", "soon"], "--start-timeout is a duration"),
        (["--offline=perhaps"], "--offline is on or off"),
        (["--pristine=some"], "--pristine is all or nothing"),
        (["--include", ""], "--include needs a value"),
    ],
)
def test_parse__bad_command_line__is_a_usage_error_naming_the_flag(arguments: list[str], part: str) -> None:
    with pytest.raises(Failure) as failure:
        parse(arguments, flagtable.RUN, {})

    assert failure.value.exit_code == 64
    assert part in failure.value.message


def test_parse__mistyped_flag__suggests_the_near_one() -> None:
    with pytest.raises(Failure) as failure:
        parse(["--presedence", "env"], flagtable.RUN, {})

    assert failure.value.hint == "did you mean --precedence?"


def test_parse__bad_twin__names_the_variable() -> None:
    with pytest.raises(Failure, match="HELICON_ON_COLLISION is one of"):
        parse([], flagtable.RUN, {"HELICON_ON_COLLISION": "both"})


@pytest.mark.parametrize("pair", ["hunter2", "=hunter2"])
def test_parse__malformed_pair__does_not_repeat_what_may_be_a_secret(pair: str) -> None:
    with pytest.raises(Failure) as failure:
        parse(["--set", pair], flagtable.RUN, {})

    assert "hunter2" not in failure.value.message + failure.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("2.5", 2.5), ("500ms", 0.5), ("3s", 3.0), ("1m", 60.0), ("1h", 3600.0), (".5s", 0.5)],
)
def test_duration__known_units__are_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "ms", "-1s", "1d", "1.2.3", ".", "1e3", "nan", "inf", "٣s"])
def test_duration__anything_else__is_none(text: str) -> None:
    assert duration(text) is None


@pytest.mark.parametrize("switch", ["on", "true", "1", "yes"])
def test_parse__switch_twin__turns_it_on_and_the_flag_turns_it_off(switch: str) -> None:
    environ = {"HELICON_OFFLINE": switch}

    assert parse([], flagtable.RUN, environ).on("offline")
    assert not parse(["--offline=off"], flagtable.RUN, environ).on("offline")
