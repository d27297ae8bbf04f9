"""Attributes of keys, certificates and records: what we ask for, and how we read what tokens say.

Nothing is left to a token's defaults: without a word EXTRACTABLE means no to some tokens and yes to others.
"""

from __future__ import annotations

import struct
from typing import Any

import pkcs11
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

APPLICATION = "frost_hsm"
P256_PARAMETERS = bytes.fromhex("06082a8648ce3d030107")  # OBJECT IDENTIFIER 1.2.840.10045.3.1.7, RFC 5480
RSA_BITS = 3072
NO_DEFAULT_USE = pkcs11.MechanismFlag(0)  # without a word the binding asks for every use of a key

_KEY_TYPE = {KeyKind.SIGN: KeyType.EC, KeyKind.AGREE: KeyType.EC, KeyKind.DECRYPT: KeyType.RSA}
_USAGE = {
    KeyKind.SIGN: Attribute.SIGN,
    KeyKind.AGREE: Attribute.DERIVE,
    KeyKind.DECRYPT: Attribute.DECRYPT,
}
_PUBLIC_USAGE = {KeyKind.SIGN: Attribute.VERIFY, KeyKind.AGREE: None, KeyKind.DECRYPT: Attribute.ENCRYPT}
_MECHANISM = {
    KeyKind.SIGN: Mechanism.ECDSA,
    KeyKind.AGREE: Mechanism.ECDH1_DERIVE,
    KeyKind.DECRYPT: Mechanism.RSA_PKCS_OAEP,
}

_UNREADABLE = (
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.AttributeSensitive,
    pkcs11.FunctionFailed,  # the binding's word for CK_UNAVAILABLE_INFORMATION
    pkcs11.ObjectHandleInvalid,  # destroyed by another process since it was found
    ArithmeticError,
    LookupError,
    NotImplementedError,
    ValueError,
    struct.error,
)
_TEMPLATE_REFUSED = (  # what tokens answer to an attribute that they do not want
    pkcs11.ArgumentsBad,
    pkcs11.AttributeReadOnly,
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.FunctionFailed,
    pkcs11.GeneralError,
    pkcs11.TemplateInconsistent,
)


def attribute_mapper() -> AttributeMapper:
    """Make python-pkcs11's mapper, with CKA_ALLOWED_MECHANISMS added."""
    mapper = AttributeMapper()
    mapper.register_handler(
        Attribute.ALLOWED_MECHANISMS,
        lambda mechanisms: struct.pack(f"@{len(mechanisms)}L", *map(int, mechanisms)),
        lambda data: list(struct.unpack(f"@{len(data) // struct.calcsize('@L')}L", data)),
    )
    return mapper


def key_pair_templates(kind: KeyKind) -> list[tuple[Template, Template]]:
    """List templates for a new key pair, public and private, the best first: tokens refuse some extras."""
    public: Template = {
        Attribute.PRIVATE: False,
        Attribute.ENCRYPT: pkcs11.constants.DEFAULT,  # the binding names every use; only one is ours
        Attribute.WRAP: pkcs11.constants.DEFAULT,
        Attribute.VERIFY: pkcs11.constants.DEFAULT,
    }
    public_usage = _PUBLIC_USAGE[kind]
    if public_usage is not None:
        public[public_usage] = True
    private: Template = {
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.SIGN: False,
        Attribute.DERIVE: False,
        Attribute.DECRYPT: False,
        Attribute.UNWRAP: False,
        _USAGE[kind]: True,
    }
    fixed = {Attribute.MODIFIABLE: False}
    allowed = {Attribute.ALLOWED_MECHANISMS: [_MECHANISM[kind]]}
    uncopyable = {Attribute.COPYABLE: False}
    terse = {
        **private,
        Attribute.DECRYPT: pkcs11.constants.DEFAULT,
        Attribute.UNWRAP: pkcs11.constants.DEFAULT,
    }
    return [
        (public, {**private, **fixed, **allowed, **uncopyable}),
        (public, {**private, **fixed, **allowed}),
        (public, {**private, **fixed}),
        (public, private),
        (public, {**terse, _USAGE[kind]: True}),
    ]


def generate_key_pair(
    session: pkcs11.Session, kind: KeyKind, key_id: bytes, label: str
) -> tuple[pkcs11.PublicKey, pkcs11.PrivateKey]:
    """Make a key pair in the token, by the first template that it takes. Raises what python-pkcs11 raises."""
    for public_template, private_template in key_pair_templates(kind):
        options: dict[str, Any] = {
            "id": key_id,
            "label": label,
            "store": True,
            "capabilities": NO_DEFAULT_USE,
            "public_template": public_template,
            "private_template": private_template,
        }
        try:
            if kind is KeyKind.DECRYPT:
                return session.generate_keypair(KeyType.RSA, RSA_BITS, **options)
            curve = {Attribute.EC_PARAMS: P256_PARAMETERS}
            return session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(**options)
        except _TEMPLATE_REFUSED as error:
            refusal = error
    raise refusal


AGREED_SECRET: Template = {
    Attribute.CLASS: ObjectClass.SECRET_KEY,
    Attribute.TOKEN: False,
    Attribute.SENSITIVE: False,  # both, or tokens do not let the value be read
    Attribute.EXTRACTABLE: True,
    **dict.fromkeys(  # the binding's other defaults: some tokens refuse them on a derived secret
        (
            Attribute.ID,
            Attribute.LABEL,
            Attribute.PRIVATE,
            Attribute.ENCRYPT,
            Attribute.DECRYPT,
            Attribute.WRAP,
            Attribute.UNWRAP,
            Attribute.SIGN,
            Attribute.VERIFY,
            Attribute.DERIVE,
        ),
        pkcs11.constants.DEFAULT,
    ),
}
"""The shared secret of an ECDH, for the instant until it is read and destroyed."""


def private_key_template(key_id: bytes, kind: KeyKind) -> Template:
    """What a private key of a kind is found by."""
    return {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY,
        Attribute.KEY_TYPE: _KEY_TYPE[kind],
        Attribute.ID: key_id,
        _USAGE[kind]: True,
    }


def record_template(name: str) -> Template:
    """What a record is found by."""
    return {
        Attribute.CLASS: ObjectClass.DATA,
        Attribute.APPLICATION: APPLICATION,
        Attribute.LABEL: name,
    }


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


def read(item: pkcs11.Object, attribute: Attribute) -> Any:
    """Read one attribute; None where the token does not say, or says what the binding cannot read."""
    try:
        return item[attribute]
    except _UNREADABLE:
        return None


def audit(private: pkcs11.PrivateKey) -> KeyAttributes:
    """Read what keeps a key inside, one attribute at a time: some tokens fail when asked for many."""
    return KeyAttributes(
        sensitive=read(private, Attribute.SENSITIVE),
        extractable=read(private, Attribute.EXTRACTABLE),
        always_sensitive=read(private, Attribute.ALWAYS_SENSITIVE),
        never_extractable=read(private, Attribute.NEVER_EXTRACTABLE),
        local=read(private, Attribute.LOCAL),
    )


def kind_of(private: pkcs11.PrivateKey) -> KeyKind | None:
    """Say which of our kinds a private key is; None for a curve or type that is not ours."""
    key_type = read(private, Attribute.KEY_TYPE)
    if key_type is KeyType.EC and read(private, Attribute.EC_PARAMS) != P256_PARAMETERS:
        return None
    kinds = (kind for kind, expected in _KEY_TYPE.items() if expected is key_type)
    return next((kind for kind in kinds if read(private, _USAGE[kind])), None)


def public_key_info(kind: KeyKind, public: pkcs11.Object) -> bytes | None:
    """Encode a public key as SubjectPublicKeyInfo; None if the object does not hold a good one."""
    try:
        if kind is KeyKind.DECRYPT:
            modulus, exponent = read(public, Attribute.MODULUS), read(public, Attribute.PUBLIC_EXPONENT)
            if modulus is None or exponent is None:
                return None
            numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
            return _encode(numbers.public_key())
        point = read(public, Attribute.EC_POINT)
        if point is None:
            return None
        if len(point) != 65:  # the standard's form; some tokens leave the OCTET STRING away
            point = OctetString.load(point, strict=True).native
        return _encode(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
    except (ValueError, TypeError):
        return None


def _encode(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
