"""From keys to variable names: the steps, the limits, the collisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helicon.cli.exits import Failure
from helicon.cli.names import Entry, Mapping, posix, variables

POSIX_NAME = r"\A[A-Za-z_][A-Za-z0-9_]*\Z"


def entries(*keys: str) -> list[Entry]:
    return [Entry(key, f"value of {number}", "application") for number, key in enumerate(keys)]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("db.url", "DB_URL"),
        ("db-url", "DB_URL"),
        ("a/b c", "A_B_C"),
        ("1st", "_1ST"),
        ("_x", "_X"),
        ("straße", "STRA_E"),
        ("数据库", "___"),
        ("PATHS", "PATHS"),
        ("dotted.İ", "DOTTED__"),
        ("tab\tquote'", "TAB_QUOTE_"),
    ],
)
def test_name_of__default_flags__is_upper_posix(key: str, name: str) -> None:
    assert Mapping().name_of(key) == name


@given(st.text(min_size=1))
def test_posix__any_text__is_a_name_a_shell_can_set(text: str) -> None:
    import re

    assert re.match(POSIX_NAME, posix(text))


@given(st.from_regex(POSIX_NAME))
def test_posix__a_posix_name__stays_as_it_is(name: str) -> None:
    assert posix(name) == name


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"case": "keep"}, "spring_Db_url"),
        ({"case": "lower"}, "spring_db_url"),
        ({"names": "raw", "case": "keep"}, "spring.Db.url"),
        ({"names": "raw"}, "SPRING.DB.URL"),
        ({"strip_prefix": "spring."}, "DB_URL"),
        ({"strip_prefix": "other."}, "SPRING_DB_URL"),
        ({"add_prefix": "app."}, "APP_SPRING_DB_URL"),
        ({"strip_prefix": "spring.", "add_prefix": "9"}, "_9DB_URL"),
        ({"explicit": {"spring.Db.url": "dsn"}, "case": "upper"}, "dsn"),
    ],
)
def test_name_of__mapping_flags__apply_in_the_documented_order(flags: dict[str, object], name: str) -> None:
    assert Mapping(**flags).name_of("spring.Db.url") == name  # type: ignore[arg-type]  # a table of keyword arguments


def test_variables__include_and_exclude__choose_by_key_and_exclude_wins() -> None:
    mapping = Mapping(include=["db.*", "http.port"], exclude=["*.secret"])

    found = variables(entries("db.url", "db.secret", "http.port", "http.host"), mapping)

    assert [variable.name for variable in found] == ["DB_URL", "HTTP_PORT"]


def test_variables__any_order_of_keys__come_sorted_by_name() -> None:
    found = variables(entries("c", "a", "b"), Mapping())

    assert [variable.name for variable in found] == ["A", "B", "C"]


@pytest.mark.parametrize("keys", [("db.url", "db-url"), ("Path.x", "path.X"), ("1", "_1")])
def test_variables__two_keys_one_name__names_both_sources(keys: tuple[str, str]) -> None:
    first, second = Entry(keys[0], "first", "application"), Entry(keys[1], "second", "shared.db")

    with pytest.raises(Failure) as failure:
        variables([first, second], Mapping())

    assert failure.value.exit_code == 78
    assert failure.value.code == "name_collision"
    for part in (*keys, "application", "shared.db"):
        assert part in failure.value.message
    assert "second" not in failure.value.message


def test_variables__explicit_name_meets_mapped_key__is_a_collision() -> None:
    with pytest.raises(Failure, match="would both be DB_URL"):
        variables(entries("db.url", "dsn"), Mapping(explicit={"dsn": "DB_URL"}))


@pytest.mark.parametrize(("policy", "value"), [("first", "value of 0"), ("last", "value of 2")])
def test_variables__collision_decided_by_flag__takes_that_one(policy: str, value: str) -> None:
    (variable,) = variables(entries("a.b", "a-b", "a/b"), Mapping(on_collision=policy))

    assert variable.entry.value == value


def test_variables__case_only_difference_kept__are_two_variables() -> None:
    found = variables(entries("Mode", "mode"), Mapping(case="keep"))

    assert [variable.name for variable in found] == ["Mode", "mode"]


@pytest.mark.parametrize(
    ("key", "flags"),
    [
        ("prefix.", {"strip_prefix": "prefix."}),
        ("a=b", {"names": "raw"}),
        ("a\0b", {"names": "raw"}),
    ],
)
def test_variables__impossible_name__names_the_key(key: str, flags: dict[str, str]) -> None:
    with pytest.raises(Failure) as failure:
        variables(entries(key), Mapping(**flags))  # type: ignore[arg-type]  # a table of keyword arguments

    assert failure.value.code == "invalid_name"
    assert ascii(key) in failure.value.message


def test_variables__document__appears_only_when_mapped() -> None:
    document = Entry("routes.json", "{}", "routes.json", document=True)

    assert variables([document], Mapping()) == []
    (variable,) = variables([document], Mapping(explicit={"routes.json": "ROUTES"}))
    assert (variable.name, variable.entry.value) == ("ROUTES", "{}")
