"""What differs between two contents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from helicon_server.domain.diff import Change, diff
from helicon_server.domain.draft import ChangeKind

CONTENTS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "1", "2"]), max_size=6)


def test_diff__added_modified_deleted__come_with_both_sides() -> None:
    """An empty value is a value: only a missing key has no side."""
    changes = diff({"gone": "", "same": "1", "mod": "old"}, {"same": "1", "mod": "", "new": "2"})
    assert list(changes) == [
        Change("mod", ChangeKind.MODIFIED, "old", ""),
        Change("new", ChangeKind.ADDED, None, "2"),
        Change("gone", ChangeKind.DELETED, "", None),
    ]


@given(CONTENTS, CONTENTS)
def test_diff__applied_to_the_old__gives_the_new(old: dict[str, str], new: dict[str, str]) -> None:
    """Nothing is missing, and nothing is told that did not change."""
    result = dict(old)
    for change in diff(old, new):
        assert (change.old, change.new) == (old.get(change.key), new.get(change.key))
        assert change.old != change.new
        if change.new is None:
            del result[change.key]
        else:
            result[change.key] = change.new
    assert result == new
