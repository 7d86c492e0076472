"""Signs requests with an app's access key (Apollo client protocol, section 11.3)."""

from __future__ import annotations

import hmac
from binascii import b2a_base64

SCHEME = "Apollo"


def sign(secret: str, timestamp_ms: int | str, target: str) -> str:
    """Computes the signature of a raw request target.

    `target` is the path and query exactly as sent: never decoded, encoded again or put in another order.
    """
    text = f"{timestamp_ms}\n{target}"
    digest = hmac.digest(secret.encode(), text.encode(), "sha1")
    return b2a_base64(digest, newline=False).decode("ascii")


def verify(secret: str, timestamp_ms: int | str, target: str, signature: str) -> bool:
    """Compares a signature with the expected one in constant time."""
    expected = sign(secret, timestamp_ms, target)
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogateescape"))


def headers(app_id: str, secret: str, timestamp_ms: int, target: str) -> dict[str, str]:
    """Builds the two headers that authorise one request."""
    return {
        "Authorization": f"{SCHEME} {app_id}:{sign(secret, timestamp_ms, target)}",
        "Timestamp": str(timestamp_ms),
    }
