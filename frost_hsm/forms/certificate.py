"""The X.509 certificates of an identity, in one exact profile.

The *sign* certificate is self-signed, a CA of path length 0. The *agree* certificate is issued by the first,
for the key that opens envelopes. A *recovery* certificate, where there is one, is issued by the first too, for the
sign key of its owner's second token. Nothing in them depends on a clock: they are valid from 2000 to the end of
9999, for what makes them trusted is that people compared their fingerprint. All are v3, ecdsa-with-SHA256,
low s.

An RSA agree certificate says in an S/MIME capabilities extension (RFC 4262) with which hash its token does
OAEP (RFC 3560 §5), for tokens differ and a sender has to know.

Source: RFC 5280; key identifiers RFC 7093.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from frost_hsm.errors import MalformedMessage
from frost_hsm.forms import der, oids
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.forms.public_key import PublicKey

MAX_SIZE: Final = 8192
SERIAL_LENGTH: Final = 16

_VERSION_3 = der.element(der.context(0), der.integer(2))
_SIGNATURE_ALGORITHM = der.algorithm(oids.ECDSA_WITH_SHA256)
_VALIDITY = der.sequence(
    der.element(der.UTC_TIME, b"000101000000Z"),
    der.element(der.GENERALIZED_TIME, b"99991231235959Z"),  # RFC 5280 §4.1.2.5: no well-defined end
)
_TRUE = der.element(der.BOOLEAN, b"\xff")

# KeyUsage (RFC 5280 §4.2.1.3) is a string of bits, the first being bit 0, without trailing zeros.
_SIGN_USAGE = der.bit_string(b"\x84", 2)  # digitalSignature (0), keyCertSign (5)
_RECOVERY_USAGE = der.bit_string(b"\x80", 7)  # digitalSignature (0)
_KEY_AGREEMENT = der.bit_string(b"\x08", 3)  # bit 4
_KEY_ENCIPHERMENT = der.bit_string(b"\x20", 5)  # bit 2

_SHA256_WITH_NULL = der.algorithm(oids.SHA256, der.element(der.NULL))  # RFC 4055 §2.1 writes the NULL
OAEP_ALGORITHM: Final = {
    OaepHash.SHA1: der.algorithm(oids.RSAES_OAEP, der.sequence()),  # every default of RFC 8017
    OaepHash.SHA256: der.algorithm(
        oids.RSAES_OAEP,
        der.sequence(
            der.element(der.context(0), _SHA256_WITH_NULL),
            der.element(der.context(1), der.algorithm(oids.MGF1, _SHA256_WITH_NULL)),
        ),
    ),
}
"""The AlgorithmIdentifier of RSAES-OAEP with each hash, for its MGF1 too, and no label (RFC 4055 §4.1)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate of ours says. Its bytes follow from it; `tbs` is the part that is signed.

    serial: 16 bytes, random. issuer: the sign key. oaep_hash: given exactly if ``key`` is RSA. is_recovery: whether
    the key signs, but is another token's.
    """

    name: str
    key: PublicKey
    serial: bytes
    issuer: PublicKey
    oaep_hash: OaepHash | None = None
    is_recovery: bool = False

    @property
    def is_self_signed(self) -> bool:
        """Whether this is the sign certificate."""
        return self.key == self.issuer

    @property
    def tbs(self) -> bytes:
        """The DER TBSCertificate."""
        name = der.sequence(der.element(der.SET, der.sequence(der.oid(oids.COMMON_NAME), der.utf8_string(self.name))))
        return der.sequence(
            _VERSION_3,
            der.element(der.INTEGER, _positive(self.serial)),
            _SIGNATURE_ALGORITHM,
            name,
            _VALIDITY,
            name,
            self.key.spki,
            der.element(der.context(3), der.sequence(*self._extensions())),
        )

    def _extensions(self) -> list[bytes]:
        subject_key = _extension(oids.SUBJECT_KEY_IDENTIFIER, der.octet_string(self.key.key_id))
        if self.is_self_signed:
            constraints = der.sequence(_TRUE, der.integer(0))
            return [
                _extension(oids.BASIC_CONSTRAINTS, constraints, critical=True),
                _extension(oids.KEY_USAGE, _SIGN_USAGE, critical=True),
                subject_key,
            ]
        authority_key = der.sequence(der.element(der.context(0, constructed=False), self.issuer.key_id))
        extensions = [
            _extension(oids.BASIC_CONSTRAINTS, der.sequence(), critical=True),
            _extension(oids.KEY_USAGE, self._usage, critical=True),
            subject_key,
            _extension(oids.AUTHORITY_KEY_IDENTIFIER, authority_key),
        ]
        if self.oaep_hash is not None:
            extensions.append(_extension(oids.SMIME_CAPABILITIES, der.sequence(OAEP_ALGORITHM[self.oaep_hash])))
        return extensions

    @property
    def _usage(self) -> bytes:
        if self.is_recovery:
            return _RECOVERY_USAGE
        return _KEY_ENCIPHERMENT if self.key.is_rsa else _KEY_AGREEMENT

    def issue(self, sign: Callable[[bytes], bytes]) -> bytes:
        """Return the DER certificate, signed by ``sign``: from the data to a DER signature by the issuer."""
        tbs = self.tbs
        return der.sequence(tbs, _SIGNATURE_ALGORITHM, der.bit_string(sign(tbs)))


@lru_cache(maxsize=4096)
def parse(data: bytes, issuer: PublicKey | None = None, *, is_recovery: bool = False) -> Certificate:
    """Read a certificate and verify it: by ``issuer``, or as self-signed if that is None.

    What was found good is remembered: the same few certificates stand in every roster and every message.

    Raises `MalformedMessage` unless it is, byte for byte, a certificate of this profile, and
    `BadMessageSignature`.
    """
    what = "a certificate" if issuer else "a sign certificate"
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"{what} is larger than {MAX_SIZE} bytes")
    outer = der.Reader(data, what).sequence()
    tbs = outer.inside(der.SEQUENCE)
    tbs.skip()  # the version
    serial = tbs.contents(der.INTEGER)
    tbs.skip()  # the algorithm
    name = _common_name(tbs.sequence())
    tbs.skip()  # the validity
    tbs.skip()  # the subject, which is the issuer
    key = PublicKey(tbs.whole(der.SEQUENCE))
    outer.skip()
    signature = outer.contents(der.BIT_STRING)[1:]
    if len(serial) != SERIAL_LENGTH:
        raise MalformedMessage(f"{what} has not a serial number of {SERIAL_LENGTH} bytes")
    signer = issuer or key
    for oaep_hash in OaepHash if key.is_rsa else (None,):
        certificate = Certificate(name, key, serial, signer, oaep_hash, is_recovery)
        if certificate.issue(lambda _: signature) == data:
            break
    else:
        raise MalformedMessage(f"{what} is not in the one form that an identity has")
    signer.verify(signature, certificate.tbs)
    return certificate


def name_in(data: bytes) -> str:
    """Read whose certificate it is said to be, and by whom issued, which is one name; and verify nothing.

    Raises `MalformedMessage` if it is two, as of a server and an authority.
    """
    tbs = der.Reader(data, "a certificate").sequence().inside(der.SEQUENCE)
    for _ in range(3):
        tbs.skip()  # version, serial number, algorithm
    issuer = tbs.whole(der.SEQUENCE)
    tbs.skip()  # the validity
    if tbs.whole(der.SEQUENCE) != issuer:
        raise MalformedMessage("a certificate is of one and issued by another")
    return _common_name(der.Reader(issuer, "a certificate").sequence())


def _positive(serial: bytes) -> bytes:
    """Make random bytes an INTEGER that is positive and keeps its length: the two top bits become 01."""
    return bytes((0x40 | serial[0] & 0x3F,)) + serial[1:]


def _extension(identifier: str, value: bytes, *, critical: bool = False) -> bytes:
    return der.sequence(der.oid(identifier), _TRUE if critical else b"", der.octet_string(value))


def _common_name(name: der.Reader) -> str:
    attribute = name.inside(der.SET).sequence()
    attribute.skip()  # the type
    return attribute.utf8_string()
