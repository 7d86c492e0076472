"""One flat view over the namespaces of a start: a later namespace wins, documents stand by their name."""

from __future__ import annotations

from helicon.cli.exits import configuration
from helicon.cli.names import Entry
from helicon.protocol.names import CONTENT_KEY, is_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from helicon.cli.loaded import Part


def entries(parts: Iterable[Part], defaults: Sequence[tuple[str, str]] = ()) -> list[Entry]:
    """Merges parts in order. A key that a later namespace overrides takes its place there.

    `defaults` fill in for keys that no namespace has; a key with an empty value is not missing.
    """
    merged: dict[tuple[bool, str], Entry] = {}
    for part in parts:
        document = is_document(part.namespace)
        for key, value in part.configurations.items():
            if document and key != CONTENT_KEY:
                continue
            name = part.namespace if document else key
            merged.pop((document, name), None)
            merged[document, name] = Entry(name, value, part.namespace, document=document)
    for key, value in defaults:
        if (False, key) not in merged and (True, key) not in merged:
            merged[False, key] = Entry(key, value, "--default")
    return list(merged.values())


def require(found: Iterable[Entry], keys: Sequence[str], namespaces: Sequence[str]) -> None:
    """Raises Failure (exit 78) naming every required key that is in no namespace."""
    if not keys:
        return
    present = {entry.key for entry in found}
    missing = [ascii(key) for key in dict.fromkeys(keys) if key not in present]
    if missing:
        raise configuration(
            "required_key_missing",
            f"required but missing: {', '.join(missing)} (searched {', '.join(namespaces)})",
            "publish it, or give --default KEY=VALUE",
        )
