"""What a gray branch changes of its namespace, and the content that comes of it (protocol, section 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .draft import check_item, check_line_count
from .errors import InvalidInput
from .formats import INVALID_KEY, Format, check_key, fold_key
from .model import ItemType


def laid_over(base: Mapping[str, str], overlay: Mapping[str, str], removed: Sequence[str]) -> dict[str, str]:
    """``base`` with the keys of ``overlay`` changed or added and those of ``removed`` left out.

    Keys that differ by case only are one key, in the spelling of the overlay, at its place in ``base``.
    """
    left_out = {fold_key(key) for key in removed}
    changed = {fold_key(key): key for key in overlay}
    content: dict[str, str] = {}
    for key, value in base.items():
        folded = fold_key(key)
        if folded not in left_out:
            own = changed.get(folded)
            content.update({key: value} if own is None else {own: overlay[own]})
    content.update(overlay)
    return content


def check_overlay(format_: Format, overlay: Mapping[str, str], removed: Sequence[str], value_limit: int) -> None:
    """Vouches for the changes of a branch of a namespace of this format.

    A hostile document can take a second: call it in a thread and outside a transaction. Raises InvalidInput (codes of
    items; ``key_set_and_removed``; ``duplicate_key_case``; ``document_removed``), InvalidDocument and LimitExceeded.
    """
    check_line_count(len(overlay) + len(removed))
    if format_ is not Format.PROPERTIES and removed:
        raise InvalidInput(
            f"A {format_} namespace is one text; no part of it can be left out.", code="document_removed"
        )
    for key, value in overlay.items():
        check_item(format_, key, value, ItemType.STRING, value_limit)
    for key in removed:
        if (problem := check_key(key)) is not None:
            raise InvalidInput(problem, code=INVALID_KEY)
    folded = [fold_key(key) for key in overlay]
    if len(set(folded)) < len(folded):
        raise InvalidInput("A key is set twice, in different letter case.", code="duplicate_key_case")
    both = set(folded).intersection(map(fold_key, removed))
    if both:
        raise InvalidInput(
            f"The key {min(both)!r} is both set and removed.", code="key_set_and_removed", details={"key": min(both)}
        )
