"""Changes between two releases as incremental answers tell them (Apollo client protocol, section 5)."""

from __future__ import annotations

from helicon.protocol.messages import AnswerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

INCREMENTAL_SYNC = "IncrementalSync"
"""The `configSyncType` of an answer that holds changes in the place of a release."""

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"


def changes_between(before: Mapping[str, str], now: Mapping[str, str]) -> list[dict[str, str]]:
    """Lists what turns one configuration into another, in the order of the new one, deletions last."""
    changes = [
        {"key": key, "newValue": value, "configurationChangeType": MODIFIED if key in before else ADDED}
        for key, value in now.items()
        if before.get(key) != value
    ]
    gone = [{"key": key, "configurationChangeType": DELETED} for key in before if key not in now]
    return changes + gone


def apply_changes(held: Mapping[str, str], changes: object) -> dict[str, str]:
    """Applies the `configurationChanges` of an answer to the configuration that the client holds.

    Raises `AnswerError`: `wrong_shape` for what is no list of changes, `incremental` for a change that does not
    fit what is held, for then the server meant another base.
    """
    if not isinstance(changes, list):
        raise AnswerError("wrong_shape", "the answer has no configurationChanges")
    now = dict(held)
    for change in changes:
        key = change.get("key") if isinstance(change, dict) else None
        if not isinstance(key, str):
            raise AnswerError("wrong_shape", "a change has no key")
        kind = change.get("configurationChangeType")
        if kind not in (ADDED, MODIFIED, DELETED):
            raise AnswerError("wrong_shape", f"the change of key {key[:128]!r} is of no known kind")
        if (kind == ADDED) == (key in now):
            raise AnswerError(
                "incremental", f"the change of key {key[:128]!r} is for another release than the held one"
            )
        if kind == DELETED:
            del now[key]
            continue
        value = change.get("newValue")
        if not isinstance(value, str):
            raise AnswerError("wrong_shape", f"the value of key {key[:128]!r} is not a string")
        now[key] = value
    return now
