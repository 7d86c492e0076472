"""From configuration keys to variable names.

Pure. The order of the steps is part of the contract (docs/helicon-run.md): choose keys (`--include`,
`--exclude`), then `--map` decides alone, else `--strip-prefix`, `--add-prefix`, `--case`, `--names`.
"""

from __future__ import annotations

from helicon.cli.exits import configuration
from helicon.cli.globs import matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
# Only ASCII changes case: "ß".upper() is two letters, and a Turkish locale must not change a name.
_TO_UPPER = str.maketrans(_LOWER, _UPPER)
_TO_LOWER = str.maketrans(_UPPER, _LOWER)
_POSIX = frozenset(_LOWER + _UPPER + "0123456789_")


class Entry:
    """One key of the merged configuration: where it came from, what it holds."""

    __slots__ = ("document", "key", "namespace", "value")

    def __init__(self, key: str, value: str, namespace: str, *, document: bool = False) -> None:
        self.key = key
        self.value = value
        self.namespace = namespace
        self.document = document

    def origin(self) -> str:
        """Names the entry for a message; `!a` keeps hostile names from reaching a terminal."""
        return f"{self.key!a} ({self.namespace})"


class Variable:
    """A configuration entry under the name it will have in the environment."""

    __slots__ = ("entry", "name")

    def __init__(self, name: str, entry: Entry) -> None:
        self.name = name
        self.entry = entry


class Mapping:
    """The mapping flags of one command line; see the flag table for their meaning."""

    __slots__ = (
        "add_prefix",
        "case",
        "exclude",
        "explicit",
        "include",
        "names",
        "on_collision",
        "strip_prefix",
    )

    def __init__(
        self,
        *,
        names: str = "posix",
        case: str = "upper",
        strip_prefix: str = "",
        add_prefix: str = "",
        explicit: dict[str, str] | None = None,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        on_collision: str = "error",
    ) -> None:
        self.names = names
        self.case = case
        self.strip_prefix = strip_prefix
        self.add_prefix = add_prefix
        self.explicit = explicit or {}
        self.include = include or []
        self.exclude = exclude or []
        self.on_collision = on_collision

    def name_of(self, key: str) -> str:
        """Gives the variable name of a key; may be empty, which `variables` reports."""
        explicit = self.explicit.get(key)
        if explicit is not None:
            return explicit
        name = key
        if self.strip_prefix and name.startswith(self.strip_prefix):
            name = name[len(self.strip_prefix) :]
        if not name:
            return ""
        name = self.add_prefix + name
        if self.case == "upper":
            name = name.translate(_TO_UPPER)
        elif self.case == "lower":
            name = name.translate(_TO_LOWER)
        return posix(name) if self.names == "posix" else name

    def chosen(self, entry: Entry) -> bool:
        """Says whether an entry becomes a variable; a document does only when mapped by name."""
        return not self.unnamed(entry) and self._wanted(entry.key)

    def unnamed(self, entry: Entry) -> bool:
        """Says whether an entry is a document that nobody gave a name."""
        return entry.document and entry.key not in self.explicit

    def left_out(self, entry: Entry) -> bool:
        """Says whether an entry would become a variable if somebody gave it a name."""
        return self.unnamed(entry) and self._wanted(entry.key)

    def _wanted(self, key: str) -> bool:
        if self.include and not matches(key, self.include):
            return False
        return not matches(key, self.exclude)


def left_out(entries: Iterable[Entry], mapping: Mapping) -> str:
    """Says, for the end of a sentence, which documents become no variable because nobody named one; or nothing."""
    documents = [entry.key for entry in entries if mapping.left_out(entry)]
    if not documents:
        return ""
    what = "is a document" if len(documents) == 1 else "are documents"
    return f"; {' and '.join(documents)} {what}: --map {documents[0]}=NAME passes it on"


def posix(name: str) -> str:
    """Replaces what a shell would not accept in a name by `_`; a leading digit gets `_` in front.

    The kernel passes any name on, but dash drops the ones it cannot set and bash hides them.
    """
    if not name.isascii() or not name.replace("_", "a").isalnum():
        name = "".join([char if char in _POSIX else "_" for char in name])
    return "_" + name if name[:1].isdigit() else name


def variables(entries: Iterable[Entry], mapping: Mapping) -> list[Variable]:
    """Maps entries to variables, sorted by name.

    Raises Failure (exit 78) for a name that cannot exist and, unless told to choose, for two keys that
    become one name.
    """
    taken: dict[str, Variable] = {}
    clashes: dict[str, list[Entry]] = {}
    for entry in entries:
        if not mapping.chosen(entry):
            continue
        name = mapping.name_of(entry.key)
        _require_possible(name, entry)
        earlier = taken.get(name)
        if earlier is None or mapping.on_collision == "last":
            taken[name] = Variable(name, entry)
        elif mapping.on_collision == "error":
            clashes.setdefault(name, [earlier.entry]).append(entry)
    if clashes:
        raise _collision(clashes)
    return [taken[name] for name in sorted(taken)]


def _require_possible(name: str, entry: Entry) -> None:
    if name and "=" not in name and "\0" not in name:
        return
    what = "is empty" if not name else "contains '=' or NUL, which no environment can hold"
    raise configuration(
        "invalid_name",
        f"key {entry.origin()}: its variable name {what}",
        "give it a name with --map KEY=NAME, or leave it out with --exclude KEY",
    )


def _collision(clashes: dict[str, list[Entry]]) -> Exception:
    lines = [
        f"{' and '.join(entry.origin() for entry in entries)} would all be {name}"
        if len(entries) > 2
        else f"{entries[0].origin()} and {entries[1].origin()} would both be {name}"
        for name, entries in sorted(clashes.items())
    ]
    shown = "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")
    return configuration(
        "name_collision",
        f"keys collide as variables: {shown}",
        "use --map KEY=NAME, --exclude KEY, --names raw, --case keep, or --on-collision first|last",
    )
