"""Finds variables that look like a setting of the client and are none: a typing error there changes nothing,
silently. Loaded only when there is a `HELICON_*` variable that is no setting of the SDK.
"""

from __future__ import annotations

from helicon._impl.settings import PREFIX, VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OF_THE_COMMAND = (
    "HELICON_ADD_PREFIX",
    "HELICON_ALLOW_RESERVED",
    "HELICON_BACKUP",
    "HELICON_CASE",
    "HELICON_DEFAULT",
    "HELICON_EXCLUDE",
    "HELICON_EXPORT_META",
    "HELICON_INCLUDE",
    "HELICON_KEEP",
    "HELICON_LOG",
    "HELICON_MAP",
    "HELICON_NAMES",
    "HELICON_OFFLINE",
    "HELICON_ON_AUTH_ERROR",
    "HELICON_ON_COLLISION",
    "HELICON_ON_EMPTY",
    "HELICON_ON_UNAVAILABLE",
    "HELICON_OVERSIZE",
    "HELICON_PASS",
    "HELICON_PASS_CREDENTIALS",
    "HELICON_PRECEDENCE",
    "HELICON_PRISTINE",
    "HELICON_QUIET",
    "HELICON_REQUIRE",
    "HELICON_SET",
    "HELICON_START_TIMEOUT",
    "HELICON_STRIP_PREFIX",
)
"""The variables that stand in for flags. A list of its own, so that the SDK does not load the command."""

_MEANT = {
    "ENVIRONMENT": "ENV",
    "ACCESS_KEY": "ACCESS_KEY_SECRET",
    "SECRET": "ACCESS_KEY_SECRET",
}
"""What people write for a setting whose name is too different to be found by its letters."""

_NEAR = 0.75
"""How alike two names without their prefix have to be. No variable of the server is; a test holds that."""


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Returns those of the names that were probably meant as a setting, each with that setting."""
    known = [name.removeprefix(PREFIX) for name in (*VARIABLES, *OF_THE_COMMAND)]
    unknown = [name.removeprefix(PREFIX) for name in names]
    unknown = [name for name in unknown if name not in known and not _is_known_elsewhere(name)]
    if not unknown:
        return {}
    from difflib import get_close_matches  # imported late: it costs as much as the rest of this together

    found = {}
    for name in sorted(unknown):
        near = [_MEANT[name]] if name in _MEANT else get_close_matches(name, known, n=1, cutoff=_NEAR)
        if near:
            found[PREFIX + name] = PREFIX + near[0]
    return found


def _is_known_elsewhere(name: str) -> bool:
    """Says whether a name is no variable of a person: what `helicon run` sets, and Kubernetes' service links.

    In a pod beside a service `helicon` or `helicon-x` these are `HELICON_SERVICE_HOST`, `HELICON_X_PORT_80_TCP`...
    """
    if not name.isascii() or not name.isidentifier():
        return True
    parts = name.split("_")
    return parts[0] == "RUN" or "PORT" in parts or name.endswith("SERVICE_HOST")
