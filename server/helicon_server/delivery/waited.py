"""What a deferred request has waited for: at hand when it is decided again, even where the store kept nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from helicon_server.delivery.incremental import Base
from helicon_server.delivery.store import Content, ReleaseId


@dataclass(slots=True)
class Waited:
    """Grows with each wait of one request. ``again`` is False before the first one."""

    again: bool = True
    contents: dict[ReleaseId, Content] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)  # keys of releases whose content exists no more
    bases: dict[str, tuple[Base, Content]] | None = None  # by release key; None when nobody looked for them


NOT_YET: Final = Waited(again=False)
"""Of a request that has waited for nothing. Never written."""
