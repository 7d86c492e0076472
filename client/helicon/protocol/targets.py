"""Builds the request targets of Apollo's client protocol.

Segments are percent-encoded one by one and queries form-encoded, with upper-case escapes. What comes out
is sent and signed as it is: encoding it again anywhere would break the signature (section 11.3).
"""

from __future__ import annotations

import string

from helicon.protocol.messages import encode_messages, encode_notifications

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_UNRESERVED = string.ascii_letters + string.digits + "_.-~"
_SEGMENT = tuple(chr(code) if chr(code) in _UNRESERVED else f"%{code:02X}" for code in range(256))
_FORM = tuple("+" if code == 0x20 else text for code, text in enumerate(_SEGMENT))

CONFIG_FILE_FORMS = ("", "json", "raw")


def segment(text: str) -> str:
    """Percent-encodes one path segment."""
    return "".join([_SEGMENT[byte] for byte in text.encode()])


def query(*pairs: tuple[str, str | None]) -> str:
    """Form-encodes the pairs that have a value, with the leading `?`; empty text when none has one."""
    encoded = "&".join([f"{name}={_form(value)}" for name, value in pairs if value])
    return "?" + encoded if encoded else ""


def config_target(
    app_id: str,
    cluster: str,
    namespace: str,
    *,
    prefix: str = "",
    release_key: str | None = None,
    data_center: str | None = None,
    ip: str | None = None,
    label: str | None = None,
    details: Mapping[str, int] | None = None,
) -> str:
    """Builds the target of `GET /configs/...` (section 4.1).

    `prefix` is the path of the server's address as it stands there, such as `/envs/PRO`; `details` are the
    notification ids that the answer must have seen (section 4.6).
    """
    return f"{prefix}/configs/{segment(app_id)}/{segment(cluster)}/{segment(namespace)}" + query(
        ("releaseKey", release_key),
        ("dataCenter", data_center),
        ("ip", ip),
        ("label", label),
        ("messages", encode_messages(details) if details else None),
    )


def config_file_target(
    app_id: str,
    cluster: str,
    namespace: str,
    *,
    form: str = "",
    prefix: str = "",
    data_center: str | None = None,
    ip: str | None = None,
    label: str | None = None,
) -> str:
    """Builds the target of `GET /configfiles/...`; `form` is one of `CONFIG_FILE_FORMS` (section 6)."""
    if form not in CONFIG_FILE_FORMS:
        raise ValueError(f"form is one of {', '.join(map(repr, CONFIG_FILE_FORMS))}, not {form!r}")
    folder = f"/configfiles/{form}" if form else "/configfiles"
    return f"{prefix}{folder}/{segment(app_id)}/{segment(cluster)}/{segment(namespace)}" + query(
        ("dataCenter", data_center), ("ip", ip), ("label", label)
    )


def notifications_target(
    app_id: str,
    cluster: str,
    notifications: Mapping[str, int],
    *,
    prefix: str = "",
    data_center: str | None = None,
    ip: str | None = None,
    label: str | None = None,
) -> str:
    """Builds the target of the long poll; `notifications` is namespace to last processed id (section 7.1)."""
    return f"{prefix}/notifications/v2" + query(
        ("appId", app_id),
        ("cluster", cluster),
        ("notifications", encode_notifications(notifications)),
        ("dataCenter", data_center),
        ("ip", ip),
        ("label", label),
    )


def services_target(app_id: str, *, prefix: str = "", ip: str | None = None) -> str:
    """Builds the target of service discovery (section 12.1)."""
    return f"{prefix}/services/config" + query(("appId", app_id), ("ip", ip))


def _form(text: str) -> str:
    return "".join([_FORM[byte] for byte in text.encode()])
