"""Encodes what a client sends about notifications and reads what a long poll answers (section 7).

Every fault in an answer is an `AnswerError`; values never appear in its text.
"""

from __future__ import annotations

import json
from typing import NamedTuple, TypeGuard

from helicon.protocol.names import strip_properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NOTIFICATION_ID = 2**63 - 1


class AnswerError(ValueError):
    """Says that a server's answer is not what the protocol promises.

    `code` is stable: `not_json`, `wrong_shape`, `other_identity` or `incremental`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Notification(NamedTuple):
    """One entry of a long poll's answer: a namespace has a release that the client has not seen."""

    namespace: str
    """The client's own spelling, without `.properties`."""
    notification_id: int
    details: dict[str, int]
    """Watch key to id; sent back as `messages` with the next `/configs` request."""


def encode_notifications(notifications: Mapping[str, int]) -> str:
    """Encodes namespace to last processed id as the JSON text of the `notifications` parameter."""
    entries = [{"namespaceName": name, "notificationId": mark} for name, mark in notifications.items()]
    return json.dumps(entries, separators=(",", ":"), ensure_ascii=False)


def encode_messages(details: Mapping[str, int]) -> str:
    """Encodes watch key to id as the JSON text of the `messages` parameter (section 4.6)."""
    return json.dumps({"details": dict(details)}, separators=(",", ":"), ensure_ascii=False)


def load_json(body: bytes) -> object:
    """Decodes a body that must be JSON in UTF-8. Raises `AnswerError` with code `not_json`."""
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        start = body[:256].lstrip()[:1]
        what = "looks like an HTML page" if start == b"<" else "is empty" if not body else "is not JSON"
        raise AnswerError("not_json", f"the answer {what}") from None


def parse_notifications(body: bytes) -> tuple[Notification, ...]:
    """Reads the answer of a long poll (section 7.4). Raises `AnswerError`."""
    entries = load_json(body)
    if not isinstance(entries, list):
        raise AnswerError("wrong_shape", "the notifications are not a JSON array")
    return tuple([_notification(entry) for entry in entries])


def parse_services(body: bytes) -> tuple[str, ...]:
    """Reads the addresses of a discovery answer (section 12.1). Raises `AnswerError`."""
    entries = load_json(body)
    if not isinstance(entries, list):
        raise AnswerError("wrong_shape", "the service list is not a JSON array")
    addresses = []
    for entry in entries:
        address = entry.get("homepageUrl") if isinstance(entry, dict) else None
        if not isinstance(address, str) or not address:
            raise AnswerError("wrong_shape", "an entry of the service list has no homepageUrl")
        addresses.append(address)
    return tuple(addresses)


def _notification(entry: object) -> Notification:
    if not isinstance(entry, dict):
        raise AnswerError("wrong_shape", "a notification is not a JSON object")
    name, mark = entry.get("namespaceName"), entry.get("notificationId")
    if not isinstance(name, str) or not name:
        raise AnswerError("wrong_shape", "a notification has no namespaceName")
    if not _is_id(mark):
        raise AnswerError("wrong_shape", "a notification has no integer notificationId")
    messages = entry.get("messages")
    details = messages.get("details") if isinstance(messages, dict) else None
    # A wrong `details` only costs the hint to a caching server, so the notification itself still counts.
    kept = {key: seen for key, seen in details.items() if _is_id(seen)} if isinstance(details, dict) else {}
    return Notification(strip_properties(name), mark, kept)


def _is_id(value: object) -> TypeGuard[int]:
    return type(value) is int and -1 <= value <= MAX_NOTIFICATION_ID
