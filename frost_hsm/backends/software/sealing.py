"""What is secret in a software token's file: sealed with AES-256-GCM under a key that scrypt makes.

Everything sealed is bound to its token's serial and to its place in the file, so that entries cannot be
exchanged. The nonce is 12 random bytes in front of the ciphertext.
"""

from __future__ import annotations

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from frost_hsm.backends.software.file import FORMAT, Contents
from frost_hsm.secret import Secret

_KEY_LENGTH = 32
_NONCE_LENGTH = 12
_TAG_LENGTH = 16


class Unsealable(Exception):
    """Altered, moved, or under another passphrase."""


def key_from(passphrase: str, contents: Contents) -> Secret:
    """Derive a token's key, 32 secret bytes. The encoded passphrase cannot be wiped."""
    scrypt = Scrypt(salt=contents.scrypt_salt, length=_KEY_LENGTH, n=1 << contents.scrypt_log2_n, r=8, p=1)
    key = Secret.zeros(_KEY_LENGTH)
    with key.reveal() as view:
        scrypt.derive_into(passphrase.encode("utf-8", "surrogatepass"), view)
    return key


def seal(key: Secret, serial: str, place: tuple[str, ...], plain: bytes) -> bytes:
    """Seal ``plain`` for ``place``, such as ``("record", NAME)``."""
    nonce = os.urandom(_NONCE_LENGTH)
    with key.reveal() as view:
        return nonce + AESGCM(view).encrypt(nonce, plain, _associated_data(serial, place))


def unseal(key: Secret, serial: str, place: tuple[str, ...], sealed: bytes) -> Secret:
    """Open what was sealed for ``place``. Raises `Unsealable`."""
    nonce, ciphertext = sealed[:_NONCE_LENGTH], sealed[_NONCE_LENGTH:]
    if len(ciphertext) < _TAG_LENGTH:
        raise Unsealable
    plain = Secret.zeros(len(ciphertext) - _TAG_LENGTH)
    try:
        with key.reveal() as view, plain.reveal() as buffer:
            AESGCM(view).decrypt_into(nonce, ciphertext, _associated_data(serial, place), buffer)
    except InvalidTag:
        raise Unsealable from None
    return plain


def _associated_data(serial: str, place: tuple[str, ...]) -> bytes:
    return json.dumps([FORMAT, serial, *place]).encode()
