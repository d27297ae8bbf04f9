"""RSA-OAEP in a token, and which of its hashes the token knows: it is tried, since tokens do not say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pkcs11
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import MGF, KeyType, Mechanism

from frost_hsm.backends import KeyKind
from frost_hsm.backends.pkcs11.answers import BINDING_ERRORS
from frost_hsm.backends.pkcs11.attributes import NO_DEFAULT_USE, key_pair_templates, kind_of, public_key_info
from frost_hsm.forms.oaep import OaepHash

_PARAMETERS = {
    OaepHash.SHA256: (Mechanism.SHA256, MGF.SHA256, None),
    OaepHash.SHA1: (Mechanism.SHA_1, MGF.SHA1, None),
}
_PROBE_BITS = 2048


def decrypt(key: Any, ciphertext: bytes, oaep_hash: OaepHash) -> bytes:
    """Decrypt in the token. Raises whatever python-pkcs11 raises."""
    result: bytes = key.decrypt(ciphertext, mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=_PARAMETERS[oaep_hash])
    return result


def known_hashes(raw: pkcs11.Session, private_keys: list[Any]) -> frozenset[OaepHash]:
    """Try each hash with a key that the token holds, or with one made for it; none if there is neither."""
    with _probe_key(raw, private_keys) as key:
        return frozenset() if key is None else frozenset(each for each in OaepHash if _opens(key, each))


@contextmanager
def _probe_key(raw: pkcs11.Session, private_keys: list[Any]) -> Iterator[Any]:
    held = next((key for key in private_keys if kind_of(key) is KeyKind.DECRYPT), None)
    if held is not None:
        yield held
        return
    public_template, private_template = key_pair_templates(KeyKind.DECRYPT)[-1]
    try:
        public, private = raw.generate_keypair(
            KeyType.RSA,
            _PROBE_BITS,
            capabilities=NO_DEFAULT_USE,
            public_template=public_template,
            private_template=private_template,
        )
    except pkcs11.PKCS11Error:  # not for a session only, or not at all
        yield None
        return
    try:
        yield private
    finally:
        public.destroy()
        private.destroy()


def _opens(key: Any, oaep_hash: OaepHash) -> bool:
    encoded = public_key_info(KeyKind.DECRYPT, key)
    public = load_der_public_key(encoded) if encoded is not None else None
    if not isinstance(public, rsa.RSAPublicKey):
        return False
    algorithm = hashes.SHA256() if oaep_hash is OaepHash.SHA256 else hashes.SHA1()  # noqa: S303 - OAEP
    ciphertext = public.encrypt(b"probe", padding.OAEP(padding.MGF1(algorithm), algorithm, None))
    with suppress(*BINDING_ERRORS):
        return decrypt(key, ciphertext, oaep_hash) == b"probe"
    return False
