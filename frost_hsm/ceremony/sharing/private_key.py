"""Private keys as other programs write them, for `dealing.deal`: PKCS#8 and SEC1, in PEM or DER.

An Ed25519 or Ed448 file holds a seed; what is shared out is the scalar that RFC 8032 makes of it, modulo the order of
the group. Whatever the file was, the result is seen to belong to its public key: its certificates stay good.
"""

from __future__ import annotations

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

from frost_hsm.errors import DeserializationError, NotPossible
from frost_hsm.forms import der
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import SigningKey
from frost_hsm.secret import Secret

_CURVES = {"secp256r1": ("p256",), "secp256k1": ("secp256k1", "secp256k1-tr")}

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


def is_encrypted(data: bytes) -> bool:
    """Whether it takes a passphrase: PEM says so in clear."""
    return b"BEGIN ENCRYPTED PRIVATE KEY" in data or b"Proc-Type: 4,ENCRYPTED" in data


def read(data: bytes, suite: Ciphersuite, passphrase: str | None = None) -> SigningKey:
    """Read a private key of the curve of a suite; the caller wipes it.

    The library keeps and returns copies that cannot be wiped. Raises `DeserializationError` for what is no private key
    and for a wrong passphrase, `NotPossible` for a key that has no place in the suite.
    """
    load = serialization.load_pem_private_key if b"-----BEGIN" in data else serialization.load_der_private_key
    try:
        key = load(data, passphrase.encode() if passphrase is not None else None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):  # whose texts may quote the file
        why = "" if passphrase is None else ", or not with this passphrase"
        raise DeserializationError(f"this is no private key in PKCS#8 or SEC1{why}") from None
    if not isinstance(key, PrivateKey) or suite.name not in _suites_of(key):
        raise NotPossible(
            f"a private key of this kind does not go with {suite.name}", hint="each suite takes keys of its own curve"
        )
    signing_key = _of_curve(key, suite) if isinstance(key, ec.EllipticCurvePrivateKey) else _of_seed(key, suite)
    if signing_key.verifying_key().serialize() != _public(key):
        signing_key.wipe()
        raise DeserializationError("the private key does not belong to its public key")
    return signing_key


def _suites_of(key: PrivateKey) -> tuple[str, ...]:
    match key:
        case ec.EllipticCurvePrivateKey():
            return _CURVES.get(key.curve.name, ())
        case ed25519.Ed25519PrivateKey():
            return ("ed25519",)
        case ed448.Ed448PrivateKey():
            return ("ed448",)


def _of_curve(key: ec.EllipticCurvePrivateKey, suite: Ciphersuite) -> SigningKey:
    sec1 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    fields = der.Reader(sec1, "a private key").sequence()
    fields.integer()  # the version
    with Secret(fields.octet_string()) as encoded:  # as long as the order, by RFC 5915
        return SigningKey.deserialize(suite, encoded)


def _of_seed(key: ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey, suite: Ciphersuite) -> SigningKey:
    """Hash and clamp (RFC 8032, sections 5.1.5 and 5.2.5)."""
    group = suite.group
    is_25519 = isinstance(key, ed25519.Ed25519PrivateKey)
    algorithm, digest_length, length = ("sha512", 64, 32) if is_25519 else ("shake_256", 114, 57)
    with Secret(key.private_bytes_raw()) as seed, Secret.zeros(digest_length) as hashed:
        with seed.reveal() as source, hashed.reveal() as target:
            group.digest(algorithm, source, target)
            if is_25519:
                target[0] &= 0xF8
                target[31] = target[31] & 0x7F | 0x40
            else:
                target[0] &= 0xFC
                target[55] |= 0x80
                target[56] = 0
        with hashed.part(0, length) as clamped:
            return SigningKey(suite, group.reduce(clamped))


def _public(key: PrivateKey) -> bytes:
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    return public.public_bytes_raw()
