"""The public keys of tokens, and the signatures that are verified with them.

A key is P-256 (signing, key agreement) or RSA (decryption), always as the DER SubjectPublicKeyInfo of RFC
5480 or RFC 8017 in its one canonical form. A signature is ECDSA with SHA-256, ``Ecdsa-Sig-Value`` in DER, and
its s is low: of the two forms (r, s) and (r, n - s) that verify alike only one exists here, so that nobody
can turn a signed message into a second one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature as _InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from frost_hsm.errors import BadMessageSignature, MalformedMessage, TokenProblem
from frost_hsm.forms import der, oids

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
_EC_ALGORITHM: Final = der.algorithm(oids.EC_PUBLIC_KEY, der.oid(oids.PRIME256V1))
_RSA_ALGORITHM: Final = der.algorithm(oids.RSA_ENCRYPTION, der.element(der.NULL))


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of a token, valid by construction.

    spki: DER SubjectPublicKeyInfo. Raises `MalformedMessage` unless it is canonical and either an
    uncompressed P-256 point on the curve or an RSA key of 2048 to 8192 bits.
    """

    spki: bytes
    bits: bytes = field(init=False, repr=False, compare=False)  # the subjectPublicKey: for P-256 the 65-byte point
    handle: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = der.Reader(self.spki, "a public key").sequence()
        algorithm, bits = key.whole(der.SEQUENCE), key.contents(der.BIT_STRING)[1:]
        der.require_same(der.sequence(algorithm, der.bit_string(bits)), self.spki, "a public key")
        if algorithm == _EC_ALGORITHM:
            handle: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = point(bits)
        elif algorithm == _RSA_ALGORITHM:
            handle = _rsa_key(bits)
        else:
            raise MalformedMessage("a public key is neither P-256 nor RSA")
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "handle", handle)

    @property
    def is_rsa(self) -> bool:
        """Whether this is an RSA key; otherwise it is a P-256 key."""
        return isinstance(self.handle, rsa.RSAPublicKey)

    @property
    def key_id(self) -> bytes:
        """The subject key identifier: 20 bytes, the leftmost of SHA-256 over ``bits`` (RFC 7093 §2, 1)."""
        return hashlib.sha256(self.bits).digest()[:20]

    @property
    def digest(self) -> bytes:
        """SHA-256 over the SubjectPublicKeyInfo: how a context names its sender and its recipient."""
        return hashlib.sha256(self.spki).digest()

    def verify(self, signature: bytes, data: bytes) -> None:
        """Verify an ECDSA signature over ``data``; raises `BadMessageSignature`, high s included."""
        if not (isinstance(self.handle, ec.EllipticCurvePublicKey) and is_low(signature)):
            raise BadMessageSignature("the signature does not verify")
        try:
            self.handle.verify(signature, data, ec.ECDSA(SHA256()))
        except _InvalidSignature:
            raise BadMessageSignature("the signature does not verify") from None


def sign(sign_digest: Callable[[bytes], bytes], key: PublicKey, data: bytes) -> bytes:
    """Have a token sign ``data`` and return the DER signature with a low s.

    sign_digest: the token's ECDSA, from a 32-byte digest to r ‖ s, with the private key of ``key``. Raises
    `TokenProblem` if what the token returns does not verify: a faulty token is found out here and not by the others.
    """
    raw = sign_digest(hashlib.sha256(data).digest())
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big") % P256_ORDER
    signature = der.sequence(der.integer(r), der.integer(min(s, P256_ORDER - s)))
    try:
        key.verify(signature, data)
    except BadMessageSignature:
        raise TokenProblem("the token returned a signature that does not verify") from None
    return signature


def is_low(signature: bytes) -> bool:
    """Tell whether this is a canonical ``Ecdsa-Sig-Value`` whose s is the lower of the two that verify."""
    try:
        values = der.Reader(signature, "a signature").sequence()
        r, s = values.integer(33), values.integer(33)
    except MalformedMessage:
        return False
    return 2 * s < P256_ORDER and der.sequence(der.integer(r), der.integer(s)) == signature


def point(encoded: bytes) -> ec.EllipticCurvePublicKey:
    """Load a P-256 point, 65 bytes, SEC 1 uncompressed; raises `MalformedMessage` unless on the curve."""
    if len(encoded) != 65 or encoded[0] != 4:
        raise MalformedMessage("a P-256 point is not 65 bytes in uncompressed form")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
    except ValueError:
        raise MalformedMessage("a P-256 point is not on the curve") from None


def _rsa_key(bits: bytes) -> rsa.RSAPublicKey:
    values = der.Reader(bits, "an RSA key").sequence()
    modulus, exponent = values.integer(MAX_RSA_BITS // 8 + 1), values.integer()
    der.require_same(der.sequence(der.integer(modulus), der.integer(exponent)), bits, "an RSA key")
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or modulus % 2 == 0:
        raise MalformedMessage(f"an RSA key has not {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if not 0x10001 <= exponent < 1 << 32 or exponent % 2 == 0:
        raise MalformedMessage("an RSA key has an unusual exponent")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()
