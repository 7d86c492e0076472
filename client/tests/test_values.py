"""Typed reads and the differences between releases."""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helicon import ChangeEvent, ChangeKind, Snapshot, Source
from helicon._impl.convert import convert
from helicon.events import difference, fold


class Colour(Enum):
    RED = "r"


GOOD: list[tuple[str, Any, object]] = [
    ("", str, ""),
    (" x ", str, " x "),
    (" 42 ", int, 42),
    ("-7", int, -7),
    ("1e3", float, 1000.0),
    ("TRUE", bool, True),
    ("off", bool, False),
    (" Yes ", bool, True),
    ("0", bool, False),
    ("250ms", timedelta, timedelta(milliseconds=250)),
    ("1m30s", timedelta, timedelta(seconds=90)),
    ("1.5 h", timedelta, timedelta(minutes=90)),
    ("2D", timedelta, timedelta(days=2)),
    ("0", timedelta, timedelta()),
    ("a, b ,c", list, ["a", "b", "c"]),
    ("", list, []),
    ('["a,b", 1]', list, ["a,b", 1]),
    ("1,2", list[int], [1, 2]),
    ("[1, 2]", list[int], [1, 2]),
    ("[1, 2]", list[float], [1.0, 2.0]),
    ("a,a", set[str], {"a"}),
    ("1,2", tuple[int, ...], (1, 2)),
    ('{"a": {"b": [1]}}', dict, {"a": {"b": [1]}}),
    ('{"a": 1}', dict[str, int], {"a": 1}),
    ("7", int | None, 7),
    ("x", int | str, "x"),
    ("fast", Literal["fast", "slow"], "fast"),
    ("r", Colour, Colour.RED),
    ("RED", Colour, Colour.RED),
    ("1.10", Decimal, Decimal("1.10")),
]


@pytest.mark.parametrize(("text", "wanted", "value"), GOOD)
def test_convert__good_text__gives_the_type(text: str, wanted: Any, value: object) -> None:
    converted = convert(text, wanted)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", int),
        ("1_000", int),
        ("1.0", int),
        ("0x10", int),
        ("nan", float),
        ("inf", float),
        ("1_0.0", float),
        ("2", bool),
        ("", bool),
        ("30", timedelta),
        ("", timedelta),
        ("s", timedelta),
        ("1s x", timedelta),
        ("99999999999d", timedelta),
        ("[1", list),
        ("{}", list[int]),
        ("[true]", list[int]),
        ("[null]", list[str]),
        ("[]", dict),
        ("{", dict),
        ("[" * 100_000, list),
        ("x", int | None),
        ("medium", Literal["fast", "slow"]),
        ("g", Colour),
    ],
)
def test_convert__bad_text__is_a_value_error(text: str, wanted: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any text will do: it is never shown
        convert(text, wanted)


def snapshot(values: dict[str, str], told: list[tuple[str, str, str]] | None = None) -> Snapshot:
    def report(namespace: str, key: str, wanted: str) -> None:
        if told is not None:
            told.append((namespace, key, wanted))

    return Snapshot("application", values, "r1", Source.SERVER, report)


def test_snapshot__bad_value__gives_the_default_and_is_told_once() -> None:
    told: list[tuple[str, str, str]] = []
    view = snapshot({"a": "x", "b": "7"}, told)
    assert [view.get("a", 5, as_=int) for _ in range(3)] == [5, 5, 5]
    assert view.get("a", as_=int) is None
    assert view.get("b", 5, as_=int) == 7
    assert told == [("application", "a", "int")]


def test_snapshot__converter_that_raises_anything__gives_the_default() -> None:
    def convert_badly(_: str) -> int:
        raise KeyError("x")

    assert snapshot({"a": "x"}).get("a", 1, as_=convert_badly) == 1


def test_snapshot__missing_key__gives_the_default_without_telling() -> None:
    told: list[tuple[str, str, str]] = []
    assert snapshot({}, told).get("a", 5, as_=int) == 5
    assert snapshot({}, told).get("a") is None
    assert told == []


def test_snapshot__changed_result__does_not_change_what_others_read() -> None:
    view = snapshot({"a": '{"b": [1]}'})
    first = view.get("a", {}, as_=dict)
    first["b"].append(2)
    assert view.get("a", as_=dict) == {"b": [1]}


def test_snapshot__conversions__are_done_once() -> None:
    calls = []

    def count(text: str) -> str:
        calls.append(text)
        return text.upper()

    view = snapshot({"a": "x"})
    assert [view.get("a", as_=count) for _ in range(3)] == ["X", "X", "X"]
    assert calls == ["x"]


def test_snapshot__a_new_function_with_each_read__does_not_grow_without_bound() -> None:
    view = snapshot({"a": "1"})
    for _ in range(10_100):
        view.get("a", as_=lambda text: text)
    assert len(view._converted) <= 10_000


def test_snapshot__as_a_mapping__reads_like_one_and_shows_no_value() -> None:
    view = snapshot({"a": "s3cret", "b": "2"})
    assert dict(view) == {"a": "s3cret", "b": "2"} == view.as_dict() == dict(view.items())
    assert list(view) == ["a", "b"] == list(view.keys())
    assert (len(view), "a" in view, "z" in view, view["b"]) == (2, True, False, "2")
    assert "s3cret" not in repr(view)
    with pytest.raises(KeyError):
        view["z"]


def test_snapshot__document__is_read_as_text_and_json() -> None:
    view = snapshot({"content": '{"a": [1]}'})
    assert view.content == '{"a": [1]}'
    view.json()["a"].append(2)
    assert view.json() == {"a": [1]}
    assert snapshot({}).json("none") == "none"
    assert snapshot({"content": "<x/>"}).json("none") == "none"


def test_snapshot__document_that_is_not_json__is_told_without_a_name_of_ours() -> None:
    told: list[tuple[str, str, str]] = []
    assert snapshot({"content": "<x/>"}, told).json("none") == "none"
    assert told == [("application", "content", "JSON")]


VALUES = st.dictionaries(st.sampled_from("abcde"), st.sampled_from("123"))


@given(VALUES, VALUES)
def test_difference__two_releases__leads_from_one_to_the_other(old: dict[str, str], new: dict[str, str]) -> None:
    changes = difference(old, new)
    result = dict(old)
    for key, change in changes.items():
        assert change.key == key
        assert change.old == old.get(key)
        assert change.new == new.get(key)
        assert change.old != change.new
        if change.kind is ChangeKind.DELETED:
            del result[key]
        else:
            assert (change.kind is ChangeKind.ADDED) == (key not in old)
            assert change.new is not None
            result[key] = change.new
    assert result == new


@given(st.lists(VALUES, min_size=3, max_size=5))
def test_fold__events_in_a_row__equal_the_difference_of_the_ends(releases: list[dict[str, str]]) -> None:
    folded: ChangeEvent | None = None
    for number, (old, new) in enumerate(itertools.pairwise(releases)):
        changes = difference(old, new)
        if not changes:
            continue
        event = ChangeEvent("n", str(number), str(number + 1), changes)
        folded = event if folded is None else fold(folded, event)
    expected = difference(releases[0], releases[-1])
    assert dict(folded.changes if folded else {}) == dict(expected)


def test_event__shown_as_text__hides_values() -> None:
    event = ChangeEvent("n", "r1", "r2", difference({"a": "s3cret"}, {"a": "s4cret"}))
    assert "cret" not in repr(event)
    assert "'a'" in repr(event)


def test_event__matching__keeps_wanted_keys_only() -> None:
    event = ChangeEvent("n", "r1", "r2", difference({}, {"http.a": "1", "db.a": "2"}))
    reduced = event.matching(lambda key: key.startswith("http."))
    assert reduced is not None
    assert list(reduced.changes) == ["http.a"]
    assert event.matching(lambda _: False) is None
    assert event.matching(lambda _: True) is event
