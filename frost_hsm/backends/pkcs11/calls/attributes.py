"""Attributes of keys, certificates and records: what we ask for, and how we read what tokens say.

Nothing is left to a token's defaults: without a word EXTRACTABLE means no to some tokens and yes to others.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from asn1crypto.core import OctetString
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.attributes import AttributeMapper
from pkcs11.util.x509 import decode_x509_certificate

from frost_hsm.backends import KeyAttributes, KeyKind
from frost_hsm.errors import NotPossible

Template = dict[Attribute, Any]
Told = Mapping[Attribute, Any]
"""What a token told of an object; what it did not tell is left out."""

APPLICATION = "frost_hsm"
P256_PARAMETERS = bytes.fromhex("06082a8648ce3d030107")  # OBJECT IDENTIFIER 1.2.840.10045.3.1.7, RFC 5480
RSA_BITS = 3072
RSA_EXPONENT = b"\x01\x00\x01"

_KEY_TYPE = {KeyKind.SIGN: KeyType.EC, KeyKind.AGREE: KeyType.EC, KeyKind.DECRYPT: KeyType.RSA}
_USE = {
    KeyKind.SIGN: Attribute.SIGN,
    KeyKind.AGREE: Attribute.DERIVE,
    KeyKind.DECRYPT: Attribute.DECRYPT,
}
_PUBLIC_USE = {KeyKind.SIGN: Attribute.VERIFY, KeyKind.AGREE: None, KeyKind.DECRYPT: Attribute.ENCRYPT}
_MECHANISM = {
    KeyKind.SIGN: Mechanism.ECDSA,
    KeyKind.AGREE: Mechanism.ECDH1_DERIVE,
    KeyKind.DECRYPT: Mechanism.RSA_PKCS_OAEP,
}

PRIVATE_KEY = (
    Attribute.KEY_TYPE,
    Attribute.ID,
    Attribute.LABEL,
    *_USE.values(),
    Attribute.ALWAYS_AUTHENTICATE,
)
"""What is read of every private key."""

CLAIMS = (
    Attribute.SENSITIVE,
    Attribute.EXTRACTABLE,
    Attribute.ALWAYS_SENSITIVE,
    Attribute.NEVER_EXTRACTABLE,
    Attribute.LOCAL,
)
"""What a token claims of how it keeps a private key."""


def attribute_mapper() -> AttributeMapper:
    """Make python-pkcs11's mapper, with CKA_ALLOWED_MECHANISMS added."""
    mapper = AttributeMapper()
    mapper.register_handler(
        Attribute.ALLOWED_MECHANISMS,
        lambda mechanisms: struct.pack(f"@{len(mechanisms)}L", *map(int, mechanisms)),
        lambda data: list(struct.unpack(f"@{len(data) // struct.calcsize('@L')}L", data)),
    )
    return mapper


def key_pair_templates(kind: KeyKind, *, rsa_bits: int = RSA_BITS) -> list[tuple[Template, Template]]:
    """List templates for a new key pair, public and private, the best first: tokens refuse some extras."""
    public: Template = {Attribute.PRIVATE: False}
    if kind is KeyKind.DECRYPT:
        public |= {Attribute.MODULUS_BITS: rsa_bits, Attribute.PUBLIC_EXPONENT: RSA_EXPONENT}
    else:
        public[Attribute.EC_PARAMS] = P256_PARAMETERS
    public_use = _PUBLIC_USE[kind]
    useful = public if public_use is None else {**public, public_use: True}
    kept: Template = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    use = {_USE[kind]: True}
    other_uses = {Attribute.SIGN: False, Attribute.DERIVE: False, Attribute.DECRYPT: False, Attribute.UNWRAP: False}
    private = {**kept, **other_uses, **use}
    fixed = {Attribute.MODIFIABLE: False}
    allowed = {Attribute.ALLOWED_MECHANISMS: [_MECHANISM[kind]]}
    uncopyable = {Attribute.COPYABLE: False}
    return [
        (useful, {**private, **fixed, **allowed, **uncopyable}),
        (useful, {**private, **fixed, **allowed}),
        (useful, {**private, **fixed}),
        (useful, private),
        (useful, {**kept, Attribute.SIGN: False, Attribute.DERIVE: False, **use}),
        (public, {**kept, **use} if kind is KeyKind.SIGN else kept),  # a TPM sets the uses itself
    ]


AGREED_SECRET: Template = {
    Attribute.CLASS: ObjectClass.SECRET_KEY,
    Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
    Attribute.VALUE_LEN: 32,
    Attribute.TOKEN: False,
    Attribute.SENSITIVE: False,  # both, or tokens do not let the value be read
    Attribute.EXTRACTABLE: True,
}
"""The shared secret of an ECDH, for the instant until it is read and destroyed."""


def private_key_template(key_id: bytes, kind: KeyKind) -> Template:
    """What a private key of a kind is found by. Its uses are not in it: modules get them wrong."""
    return {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.KEY_TYPE: _KEY_TYPE[kind], Attribute.ID: key_id}


def record_template(name: str) -> Template:
    """What a record is found by."""
    return {Attribute.CLASS: ObjectClass.DATA, Attribute.APPLICATION: application_of(name), Attribute.LABEL: name}


def application_of(name: str) -> str:
    """Return what a record says as its application: ours, and its kind, by which one kind alone is searched for."""
    kind, dot, _ = name.partition(".")
    return f"{APPLICATION} {kind}" if dot else APPLICATION


def certificate_template(key_id: bytes, label: str, der: bytes) -> Template:
    """What a certificate object is made of. Raises `NotPossible` if ``der`` is no X.509 certificate."""
    try:
        Certificate.load(der, strict=True).native  # noqa: B018 - parses all of it
        template: Template = dict(decode_x509_certificate(der))
    except (ValueError, TypeError, LookupError, AttributeError):  # what asn1crypto's classes fail with
        raise NotPossible("what is to be stored is not an X.509 certificate in DER") from None
    return {
        **template,
        Attribute.TOKEN: True,
        Attribute.PRIVATE: False,
        Attribute.ID: key_id,
        Attribute.LABEL: label,
    }


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────


def audit(told: Told) -> KeyAttributes:
    """Say what a token claims of how it keeps a private key."""
    return KeyAttributes(*(told.get(claim) for claim in CLAIMS))


def is_for(told: Told, kind: KeyKind) -> bool:
    """Whether a private key claims a use, among others perhaps."""
    return told.get(Attribute.KEY_TYPE) is _KEY_TYPE[kind] and told.get(_USE[kind]) is True


def kinds_of(told: Told) -> list[KeyKind]:
    """List which of our kinds a private key can be: each use that it claims, and all of its type if it claims none."""
    possible = [kind for kind, key_type in _KEY_TYPE.items() if told.get(Attribute.KEY_TYPE) is key_type]
    return [kind for kind in possible if told.get(_USE[kind])] or possible


def public_attributes(told: Told) -> tuple[Attribute, ...]:
    """Return which attributes make the public key of a key of this type."""
    if told.get(Attribute.KEY_TYPE) is KeyType.RSA:
        return (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT)
    return (Attribute.EC_PARAMS, Attribute.EC_POINT)


def public_key_info(told: Told) -> bytes | None:
    """Encode a public key as SubjectPublicKeyInfo; None if what was told is not a good one on our curve, or RSA."""
    try:
        modulus, exponent = told.get(Attribute.MODULUS), told.get(Attribute.PUBLIC_EXPONENT)
        if modulus is not None and exponent is not None:
            numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
            return _encode(numbers.public_key())
        point = told.get(Attribute.EC_POINT)
        if point is None or told.get(Attribute.EC_PARAMS) != P256_PARAMETERS:
            return None
        if len(point) != 65:  # the standard's form; some tokens leave the OCTET STRING away
            point = OctetString.load(point, strict=True).native
        return _encode(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
    except (ValueError, TypeError):
        return None


def _encode(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
