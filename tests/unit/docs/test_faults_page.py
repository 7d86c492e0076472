"""The page of faults names a test for each fault, and that test exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
PAGE = (TESTS.parent / "docs" / "faults.md").read_text()
_ROW = re.compile(r"^\| ([A-D]\d+) \| [^|]+ \| `([^`]+?)::(\w+)`[^|]*\|$", re.MULTILINE)
# What the delivery plane must stand.
WANTED = [
    *(f"A{number}" for number in range(1, 12)),
    *("B1", "B5", "B6", "B11", "B12"),
    *("C1", "C2", "C5", "C6", "C7", "C9"),
    *(f"D{number}" for number in range(1, 7)),
]


def test_page__names_every_fault_of_the_delivery_plane_once() -> None:
    assert [id_ for id_, _, _ in _ROW.findall(PAGE)] == WANTED


@pytest.mark.parametrize(("id_", "file", "name"), _ROW.findall(PAGE), ids=WANTED)
def test_fault__has_a_test_that_bears_its_id(id_: str, file: str, name: str) -> None:
    assert re.search(rf"def {name}\(", (TESTS / file).read_text()), f"{file} has no {name}"
    assert re.search(rf"(^test|_){id_.lower()}(_|$)", name)
