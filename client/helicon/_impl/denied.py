"""Reads a 401 or 403: why the servers refuse the client, and what a person can do about it.

Servers of ours say which check failed by the `code` in the body; Apollo's say it in a `message`, or not at all
(Apollo client protocol, sections 1.3 and 11.2).
"""

from __future__ import annotations

from helicon._impl.errors import DeniedError
from helicon._impl.not_found import object_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.address import Address
    from helicon._impl.http1 import Answer

_SKEWED = ("request_time_skewed", "RequestTimeTooSkewed")


def explain(answer: Answer, server: Address, *, signed: bool) -> DeniedError:
    """Turns the answer into an error. `signed` says whether the client has a secret to sign with."""
    refused = f"{server.url} answers {answer.status}"
    body = object_in(answer.body)
    if answer.status == 401 and not signed:
        why = "the app has an access key and this client has none; set HELICON_ACCESS_KEY_SECRET (or …_FILE)"
    elif body.get("code") in _SKEWED or body.get("message") in _SKEWED:
        why = "the clock of this machine and that of the server are too far apart; set both by a time server"
    elif body.get("code") == "invalid_signature":
        why = (
            "the secret fits no enabled access key of this app and environment, or a proxy changes requests on the "
            "way; compare HELICON_ACCESS_KEY_SECRET (or …_FILE) with the key"
        )
    else:
        why = "the access key is missing, wrong or revoked"
    return DeniedError("denied", f"{refused}: {why}")
