"""A walk over YAML events that finds what the grammar allows and configuration must not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from yaml import events

from helicon_server.domain.formats.problem import MAX_PROBLEMS, SyntaxProblem, locate, problem_at, shown

MAX_DEPTH = 100
MAX_ALIAS_NODES = 100_000  # nodes that all aliases of a text may stand for, together

_CORE = "tag:yaml.org,2002:"


class _Kind(Enum):
    SCALAR = auto()
    MAPPING = auto()
    LIST = auto()
    UNKNOWN = auto()  # an alias without anchor: reported once, then left alone


_TAGS = {
    _Kind.SCALAR: {"!", *(_CORE + name for name in ("str", "int", "float", "bool", "null"))},
    _Kind.MAPPING: {"!", _CORE + "map"},
    _Kind.LIST: {"!", _CORE + "seq"},
}


@dataclass(slots=True)
class _Anchored:
    """What an anchor names. `size` counts nodes with aliases expanded; None while the node is still open."""

    kind: _Kind
    scalar: str
    size: int | None


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun and not ended."""

    kind: _Kind
    offset: int
    flow: bool
    anchored: _Anchored | None
    merge_list: bool  # the list that is the value of `<<`
    size: int = 1
    keys: dict[str, int] = field(default_factory=dict)  # key → offset of its first use
    awaits_key: bool = True
    merges: bool = False  # the value to come belongs to `<<`


class Stop(Exception):
    """Ends the walk: its last problem makes everything behind it worthless or dangerous to look at."""


class Walk:
    """Takes the events of one text in order and collects `problems`. Raises Stop when it wants no more."""

    def __init__(self, text: str, shift: int) -> None:
        self.problems: list[SyntaxProblem] = []
        self._text = text
        self._shift = shift
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._alias_nodes = 0

    def see(self, event: Any) -> None:
        """Take the next event."""
        offset = event.start_mark.index + self._shift
        if isinstance(event, events.ScalarEvent):
            self._check_tag(event, _Kind.SCALAR, offset)
            anchored = self._anchor(event.anchor, _Kind.SCALAR, event.value, 1)
            is_merge_key = event.value == "<<" and event.implicit[0] and event.tag is None
            self._arrive(anchored, offset, is_merge_key=is_merge_key)
        elif isinstance(event, events.AliasEvent):
            self._alias(event.anchor or "", offset)
        elif isinstance(event, events.MappingStartEvent):
            self._begin(event, _Kind.MAPPING, offset)
        elif isinstance(event, events.SequenceStartEvent):
            self._begin(event, _Kind.LIST, offset)
        elif isinstance(event, events.CollectionEndEvent):
            self._end()
        elif isinstance(event, events.DocumentStartEvent):
            self._anchors.clear()

    def open_bracket(self) -> int | None:
        """Return the offset of the innermost `[` or `{` collection that is open."""
        return self._open[-1].offset if self._open and self._open[-1].flow else None

    def _begin(self, event: Any, kind: _Kind, offset: int) -> None:
        if len(self._open) == MAX_DEPTH:
            self._report(
                offset,
                "yaml_depth",
                f"Mappings and lists are nested deeper than {MAX_DEPTH} levels; flatten the document.",
            )
            raise Stop
        self._check_tag(event, kind, offset)
        parent = self._open[-1] if self._open else None
        is_merge_value = parent is not None and parent.merges and not parent.awaits_key
        anchored = self._anchor(event.anchor, kind, "", None)
        self._arrive(anchored, offset)
        merge_list = is_merge_value and kind is _Kind.LIST
        self._open.append(_Open(kind, offset, bool(event.flow_style), anchored, merge_list))

    def _end(self) -> None:
        done = self._open.pop()
        if done.anchored is not None:
            done.anchored.size = done.size
        if self._open:
            self._open[-1].size += done.size

    def _anchor(self, name: str | None, kind: _Kind, scalar: str, size: int | None) -> _Anchored:
        anchored = _Anchored(kind, scalar, size)
        if name is not None:
            self._anchors[name] = anchored
        return anchored

    def _alias(self, name: str, offset: int) -> None:
        anchored = self._anchors.get(name)
        if anchored is None:
            self._report(
                offset,
                "yaml_alias",
                "No anchor of this name stands before this alias; define it, or put text that begins with * in quotes.",
            )
            anchored = _Anchored(_Kind.UNKNOWN, "", 1)
        elif anchored.size is None:
            self._report(
                offset,
                "yaml_alias",
                "This alias stands inside its own anchor and would never end; remove it.",
            )
            anchored = _Anchored(_Kind.UNKNOWN, "", 1)
        self._alias_nodes += anchored.size or 1
        if self._alias_nodes > MAX_ALIAS_NODES:
            self._report(
                offset,
                "yaml_bomb",
                f"With this alias, aliases stand for more than {MAX_ALIAS_NODES:,} nodes; use fewer, or smaller ones.",
            )
            raise Stop
        self._arrive(anchored, offset)

    def _arrive(self, node: _Anchored, offset: int, *, is_merge_key: bool = False) -> None:
        """Give a node its place in the collection around it."""
        if not self._open:
            return
        parent = self._open[-1]
        parent.size += node.size or 0  # an open collection adds its size when it ends
        if parent.kind is _Kind.LIST:
            if parent.merge_list and node.kind not in (_Kind.MAPPING, _Kind.UNKNOWN):
                self._report(offset, "yaml_merge", "Only mappings can be merged; this item of the << list is none.")
        elif parent.awaits_key:
            parent.awaits_key = False
            parent.merges = is_merge_key
            if not is_merge_key:
                self._check_key(parent, node, offset)
        else:
            parent.awaits_key = True
            if parent.merges and node.kind is _Kind.SCALAR:
                self._report(
                    offset,
                    "yaml_merge",
                    "The value of << must be a mapping, an alias of one, or a list of them; correct it.",
                )

    def _check_key(self, parent: _Open, key: _Anchored, offset: int) -> None:
        if key.kind is _Kind.UNKNOWN:
            return
        if key.kind is not _Kind.SCALAR:
            self._report(
                offset,
                "yaml_key",
                "A mapping or list stands here as a key, which most clients cannot read; "
                "put text that begins with { or [ in quotes.",
            )
            return
        first = parent.keys.setdefault(key.scalar, offset)
        if first != offset:
            line = locate(self._text, first)[0]
            self._report(
                offset,
                "yaml_duplicate_key",
                f"The key {shown(key.scalar)} is already set on line {line} in this mapping; keep one of the two.",
            )

    def _check_tag(self, event: Any, kind: _Kind, offset: int) -> None:
        if event.tag is not None and event.tag not in _TAGS[kind]:
            names = ", ".join(sorted("!!" + tag.removeprefix(_CORE) for tag in _TAGS[kind] if tag != "!"))
            self._report(offset, "yaml_tag", f"This tag is not allowed here; remove it, or use one of {names}.")

    def _report(self, offset: int, code: str, message: str) -> None:
        self.problems.append(problem_at(self._text, offset, code, message))
        if len(self.problems) == MAX_PROBLEMS:
            raise Stop
