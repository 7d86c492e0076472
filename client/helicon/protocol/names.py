"""Holds the rules of names on the wire (Apollo client protocol, sections 2 and 3).

Written without `re`: these checks run on every request and before the first one.
"""

from __future__ import annotations

import string

DEFAULT_CLUSTER = "default"
DEFAULT_NAMESPACE = "application"
NO_APP_ID_PLACEHOLDER = "ApolloNoAppIdPlaceHolder"
SEPARATOR = "+"
"""Joins app id, cluster and namespace in a watch key, and the parts of a merged release key."""

CONTENT_KEY = "content"
"""The only key of a release of a document namespace; its value is the whole text."""

NO_NOTIFICATION = -1
"""The notification id of a client that has seen none."""

PROPERTIES_FORMAT = "properties"
DOCUMENT_FORMATS = ("json", "yaml", "yml", "xml", "txt")

_PROPERTIES_SUFFIX = "." + PROPERTIES_FORMAT
_FIRST = frozenset(string.ascii_letters + string.digits + "_-")
_FOLLOWING = _FIRST | {"."}


def is_name(text: str) -> bool:
    """Says whether the text may name an app, a cluster, a namespace or an environment.

    Letters, digits, `_`, `-` and `.`, and no `.` in front; so `.` and `..` never pass.
    """
    return bool(text) and text[0] in _FIRST and _FOLLOWING.issuperset(text)


def strip_properties(name: str) -> str:
    """Removes one `.properties` suffix, written in any case. Other suffixes stay (section 3, step 1)."""
    if name.lower().endswith(_PROPERTIES_SUFFIX):
        return name[: -len(_PROPERTIES_SUFFIX)]
    return name


def format_of(namespace: str) -> str:
    """Names the format that a namespace's suffix stands for; without a known suffix it is properties."""
    _, dot, suffix = namespace.rpartition(".")
    lowered = suffix.lower()
    return lowered if dot and lowered in DOCUMENT_FORMATS else PROPERTIES_FORMAT


def is_document(namespace: str) -> bool:
    """Says whether a release of this namespace holds one text under `CONTENT_KEY`."""
    return format_of(namespace) != PROPERTIES_FORMAT


def watch_key(app_id: str, cluster: str, namespace: str) -> str:
    """Joins the key under which release messages are sent and `messages.details` is filled (section 7.3)."""
    return f"{app_id}{SEPARATOR}{cluster}{SEPARATOR}{namespace}"
