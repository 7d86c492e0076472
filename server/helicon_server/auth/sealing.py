"""Sealing: how a secret is stored, readable with the master key alone and in its own place alone.

Envelope encryption with AES-256-GCM. Each secret has a fresh data key; the data key is wrapped by the master key. Both
layers are bound to the place of the record (what it is, and whose), so that a sealed text is worth nothing in another
row. A sealed text reads

    s1.<id of the master key>.<wrapped data key>.<sealed secret>

where the last two are a 12-byte nonce, the ciphertext and its 16-byte tag in URL-safe base64 without padding. Another
master key takes over by wrapping the data keys anew; the sealed secrets stay as they are.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from helicon_server.domain.access_key import AccessKey, SecretUnreadable

from .master_key import MasterKey

_VERSION: Final = "s1"
_NONCE_BYTES: Final = 12
_DATA_KEY_BITS: Final = 256

Place = tuple[str, ...]
"""What a record is and whose: the kind first, then what identifies it."""


class Sealer:
    """Seals and opens with one master key."""

    def __init__(self, master_key: MasterKey) -> None:
        self._key_id = master_key.id
        self._wrapping = AESGCM(master_key.wrapping_key)

    def seal(self, secret: str, place: Place) -> str:
        """Seals ``secret`` for ``place``; no two results are alike."""
        data_key = AESGCM.generate_key(_DATA_KEY_BITS)
        wrapped = _encrypt(self._wrapping, data_key, self._bound_to_key(place))
        return ".".join((_VERSION, self._key_id, wrapped, _encrypt(AESGCM(data_key), secret.encode(), _bound(place))))

    def open(self, sealed: str, place: Place) -> str:
        """Opens what ``seal`` made for the same place with the same master key.

        Raises SecretUnreadable, whatever is wrong, without a detail.
        """
        try:
            version, key_id, wrapped, secret = sealed.split(".")
            if (version, key_id) == (_VERSION, self._key_id):
                data_key = _decrypt(self._wrapping, wrapped, self._bound_to_key(place))
                return _decrypt(AESGCM(data_key), secret, _bound(place)).decode()
        except (ValueError, InvalidTag):
            pass  # and out of this block, so that not even the cause is chained
        raise SecretUnreadable

    def open_access_key(self, key: AccessKey) -> str:
        """The secret of a stored access key. Raises SecretUnreadable."""
        return self.open(key.sealed, place_of_access_key(key.environment, key.app, key.uid))

    def _bound_to_key(self, place: Place) -> bytes:
        return _bound((self._key_id, *place))


def place_of_access_key(environment: str, app: str, uid: str) -> Place:
    """The place that the secret of an access key is sealed for."""
    return ("access-key", environment, app, uid)


def key_id_of(sealed: str) -> str:
    """The id of the master key that a sealed text names; empty when it is no sealed text of this version."""
    version, _, rest = sealed.partition(".")
    return rest.partition(".")[0] if version == _VERSION else ""


def _bound(place: Place) -> bytes:
    """One spelling for each place: JSON keeps ``("a", "b")`` apart from ``("ab",)``."""
    return json.dumps([_VERSION, *place]).encode()


def _encrypt(cipher: AESGCM, plain: bytes, bound: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return _text(nonce + cipher.encrypt(nonce, plain, bound))


def _decrypt(cipher: AESGCM, text: str, bound: bytes) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(raw) != text:  # the decoder passes over foreign characters and surplus bits
        raise ValueError
    return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
