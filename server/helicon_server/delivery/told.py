"""What a client was told by some node: the ``messages`` parameter (Apollo client protocol, section 4.6).

What cannot be read counts as absent, never as an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import orjson

from helicon_server.delivery.folding import fold
from helicon_server.delivery.index import EnvironmentView
from helicon_server.delivery.requests import Route, form_decoded

_SHORT: Final = 1024  # characters; only short texts are remembered, so that memory stays bounded


def _messages(text: str) -> dict[str, int]:
    """Watch keys and ids of the ``messages`` parameter; what cannot be read counts as absent (section 4.1)."""
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    details = parsed.get("details") if isinstance(parsed, dict) else None
    if not isinstance(details, dict):
        return {}
    return {key: value for key, value in details.items() if type(value) is int}


def newest_named(encoded: str) -> int:
    """The greatest id of an encoded ``messages`` value, 0 for none. After a release thousands of clients send one."""
    return _remembered_newest(encoded) if len(encoded) <= _SHORT else _read_newest(encoded)


def _read_newest(encoded: str) -> int:
    return max(_messages(form_decoded(encoded)).values(), default=0)


_remembered_newest = lru_cache(maxsize=4096)(_read_newest)


def wanted_message(view: EnvironmentView, route: Route, data_center: str, text: str) -> int:
    """The greatest id that the client names for one of the keys that this read depends on, 0 for none."""
    if not text:
        return 0
    relevant = set(view.watched(route.app, route.cluster, data_center, route.namespace).keys)
    ids = [value for key, value in _messages(text).items() if fold(f"{view.name}/{key}") in relevant]
    return max(ids, default=0)
