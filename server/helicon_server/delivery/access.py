"""Access keys: whether a request is signed by its app (Apollo client protocol, section 11).

The check sits behind the one parser, on the app id that the read or the poll is about
(docs/decisions/0014-access-keys-in-the-decision.md).
"""

from __future__ import annotations

import time
from binascii import b2a_base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha1
from hmac import compare_digest
from typing import Final

import structlog

from helicon_server.delivery.answers import container_error
from helicon_server.delivery.observed import Notes, Observed
from helicon_server.delivery.outcomes import Answer
from helicon_server.delivery.requests import HeaderOf
from helicon_server.domain.access_key import AccessKey, AccessKeyMode

OpenSecret = Callable[[AccessKey], str]
"""Opens the sealed secret of a key. May raise anything: a key that cannot be opened denies."""

_BLOCK: Final = 64  # bytes, of SHA-1
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))  # the paddings of RFC 2104, as translations
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_sha1 = partial(sha1, usedforsecurity=False)  # the protocol's choice; within an HMAC its weakness does not matter
_SKEWED: Final = "request_time_skewed"
_UNFIT: Final = "invalid_signature"
_UNSIGNED: Final = "unsigned"  # of notes only: the wire has no code of its own for it
_TIMESTAMP_DIGITS: Final = 19  # of the greatest 64-bit number

_log = structlog.get_logger("helicon.delivery")


def nothing_opens(key: AccessKey) -> str:
    """Opens no key, so that an app with a key is served nothing: for planes that were given no way to open them."""
    raise LookupError(f"no way to open access key {key.id}")


class Signer:
    """HMAC-SHA1 with one secret. The states behind its padding are made once: they are half of a short signature."""

    __slots__ = ("_inner", "_outer", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        block = (_sha1(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
        self._inner = _sha1(block.translate(_INNER))
        self._outer = _sha1(block.translate(_OUTER))

    def sign(self, text: bytes) -> bytes:
        """The signature in base64, as the Authorization header has it (section 11.3)."""
        inner = self._inner.copy()
        inner.update(text)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return b2a_base64(outer.digest(), newline=False)


@dataclass(slots=True, eq=False)
class AppKeys:
    """The enabled keys of one app in one environment, opened.

    ``unreadable`` says that a filter key could not be opened: then nobody can be let in.
    """

    environment: str
    app: str
    filters: tuple[Signer, ...] = field(repr=False)
    observers: tuple[Signer, ...] = field(repr=False)
    unreadable: bool = False
    notes: Notes = field(default_factory=Notes, repr=False)  # of what its observer keys found

    @property
    def required(self) -> bool:
        """Whether requests without a fitting signature are refused."""
        return bool(self.filters) or self.unreadable


def open_keys(keys: Iterable[AccessKey], open_secret: OpenSecret) -> AppKeys | None:
    """Opens the keys of one app, once; None when none of them is enabled."""
    filters: list[Signer] = []
    observers: list[Signer] = []
    unreadable = False
    environment = app = ""
    for key in keys:
        if not key.enabled:
            continue
        environment, app = key.environment, key.app
        try:
            signer = Signer(open_secret(key).encode())
        except Exception as error:  # noqa: BLE001 - whatever keeps a key shut, its app stays shut with it
            _log.error(
                "delivery.access_key_unreadable",
                environment=key.environment,
                app=key.app,
                key_id=key.id,
                error=type(error).__name__,
            )
            unreadable = unreadable or key.mode is AccessKeyMode.FILTER
            continue
        (filters if key.mode is AccessKeyMode.FILTER else observers).append(signer)
    if not (filters or observers or unreadable):
        return None
    return AppKeys(environment, app, tuple(filters), tuple(observers), unreadable)


def tightened(before: AppKeys | None, now: AppKeys | None) -> bool:
    """Whether a request that passed before may be refused now."""
    if now is None or not now.required:
        return False
    if before is None or not before.required:
        return True
    return now.unreadable or not {each.secret for each in before.filters} <= {each.secret for each in now.filters}


class AccessGuard:
    """Checks signatures. ``tolerance_s`` is how far a client's clock may be off, ``now`` gives seconds of the epoch."""

    __slots__ = ("_now", "_tolerance_ms", "observed")

    def __init__(self, tolerance_s: float, now: Callable[[], float] = time.time) -> None:
        self._tolerance_ms = tolerance_s * 1000
        self._now = now
        self.observed = Observed()

    def refusal(self, keys: AppKeys, target: bytes, header: HeaderOf, peer: str) -> Answer | None:
        """The answer to a request that its app has not signed, None when it may pass.

        ``target`` is the raw target as received, ``peer`` the address that asks. A key in observer mode never refuses
        (section 11.2, step 6).
        """
        if keys.required:
            code = self._fault(keys.filters, target, header)
            if keys.unreadable:
                code = code or _UNFIT
            return None if code is None else _refused(code, target)
        code = self._fault(keys.observers, target, header)
        if code is not None:
            if header(b"authorization") is None and header(b"timestamp") is None:
                code = _UNSIGNED  # whoever looks for the client must not look at its clock
            self.observed.found(keys.notes, code, target, peer, environment=keys.environment, app=keys.app)
        return None

    def _fault(self, signers: tuple[Signer, ...], target: bytes, header: HeaderOf) -> str | None:
        timestamp = header(b"timestamp") or b""
        known = timestamp.isdigit() and len(timestamp) <= _TIMESTAMP_DIGITS
        if not abs(self._now() * 1000 - (int(timestamp) if known else 0)) < self._tolerance_ms:
            return _SKEWED
        pieces = (header(b"authorization") or b"").split(b":")
        given = pieces[1] if len(pieces) > 1 else b""
        path, _, query = target.partition(b"?")
        text = b"%b\n%b" % (timestamp, target if query else path)
        fits = False
        for signer in signers:  # all of them, so that the time taken does not tell which one fits
            fits |= compare_digest(signer.sign(text), given)
        return None if fits else _UNFIT


def _refused(code: str, target: bytes) -> Answer:
    path = target.partition(b"?")[0]
    if code == _SKEWED:
        message = "The Timestamp header is missing or too far from this server's time."
        return container_error(401, "request_time_skewed", message, path)
    message = "The request is not signed with an access key of this app."
    return container_error(401, "invalid_signature", message, path)
