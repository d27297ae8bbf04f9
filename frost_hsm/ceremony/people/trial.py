"""Choosing a key that a token holds, and trying what it does: what the token says of it is not enough."""

from __future__ import annotations

import os
from dataclasses import replace

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from frost_hsm.backends import KeyKind, Token, TokenKey
from frost_hsm.errors import KeyNotFound
from frost_hsm.forms import public_key
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.forms.public_key import PublicKey
from frost_hsm.secret import Secret, system_entropy


def key_for(keys: list[TokenKey], key_id: bytes, kinds: tuple[KeyKind, ...]) -> TokenKey:
    """Choose the key of an id for one of these uses: claimed, or else possible for a key of its type.

    Raises `KeyNotFound` if there is none.
    """
    named = [key for key in keys if key.id == key_id]
    for kind in kinds:
        for key in named:
            if key.kind is kind:
                return key
    for key in named:
        possible = KeyKind.DECRYPT if key.kind is KeyKind.DECRYPT else kinds[0]
        if possible in kinds:
            return replace(key, kind=possible)
    raise KeyNotFound(
        f"the token holds no key for {' or '.join(kinds)} with id {key_id.hex()}",
        hint="frost-hsm doctor --login lists the keys that can be adopted",
    )


def sign(token: Token, key: TokenKey) -> None:
    """Have a key sign something of the moment. Raises `TokenProblem` unless the signature verifies."""
    data = b"frost-hsm tries this key: " + os.urandom(32)
    public_key.sign(lambda digest: token.sign(key.id, digest), PublicKey(key.public_key), data)


def agree(token: Token, key: TokenKey) -> None:
    """Have a key agree with a new one. Raises `KeyNotFound` unless both sides come to the same."""
    ours = ec.generate_private_key(ec.SECP256R1())
    theirs = serialization.load_der_public_key(key.public_key)
    if not isinstance(theirs, ec.EllipticCurvePublicKey):
        raise KeyNotFound(f'key "{key.label}" ({key.id.hex()}) is not one to agree with')
    point = ours.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    with token.agree(key.id, point) as agreed, Secret(ours.exchange(ec.ECDH(), theirs)) as expected:
        if not agreed.equals(expected):
            raise KeyNotFound(f'what key "{key.label}" ({key.id.hex()}) agrees on is not what its public key says')


def decrypt(token: Token, key: TokenKey, oaep_hash: OaepHash) -> None:
    """Have a key open what was just encrypted to it. Raises `KeyNotFound` unless the same comes out."""
    theirs = serialization.load_der_public_key(key.public_key)
    if not isinstance(theirs, rsa.RSAPublicKey):
        raise KeyNotFound(f'key "{key.label}" ({key.id.hex()}) is not one to decrypt with')
    algorithm = hashes.SHA256() if oaep_hash is OaepHash.SHA256 else hashes.SHA1()  # noqa: S303 - OAEP
    with Secret.zeros(32) as expected:
        with expected.reveal() as view:
            system_entropy(view)
            ciphertext = theirs.encrypt(bytes(view), padding.OAEP(padding.MGF1(algorithm), algorithm, None))
        with token.decrypt(key.id, ciphertext, oaep_hash) as opened:
            if not opened.equals(expected):
                raise KeyNotFound(f'what key "{key.label}" ({key.id.hex()}) opens is not what was encrypted to it')
