"""What stands in certificates and lists of X.509, said in words; what cannot be said is refused.

Everything raises `MalformedMessage` for extensions, kinds of names and values that no line below shows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    SignatureAlgorithmOID,
)

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import words

SUITES: Final = frozenset({"ed25519", "ed448"})
ALGORITHMS: Final = {"ed25519": SignatureAlgorithmOID.ED25519, "ed448": SignatureAlgorithmOID.ED448}
"""The signature algorithm of each suite."""

USES: Final = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code": ExtendedKeyUsageOID.CODE_SIGNING,
    "email": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "documents": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # RFC 9336, which the library has no name for
    "timestamps": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp": ExtendedKeyUsageOID.OCSP_SIGNING,
}

_ATTRIBUTES: Final = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.SERIAL_NUMBER: "serial number",
    NameOID.EMAIL_ADDRESS: "e-mail",
}
_TEXTS: Final = ("UTF8String", "PrintableString", "IA5String")
KEY_USES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_ACCESS: Final = {AuthorityInformationAccessOID.OCSP: "OCSP", AuthorityInformationAccessOID.CA_ISSUERS: "caIssuers"}
_DNS_NAME: Final = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

UNREADABLE: Final = (
    ValueError,
    TypeError,  # a text that is none
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for what it cannot read, or makes only when a part is asked for."""


def require_algorithm(oid: x509.ObjectIdentifier, key: VerifyingKey) -> None:
    """Raise `NotPossible` unless a structure says that it is signed as this key signs."""
    if oid != ALGORITHMS[key.ciphersuite.name]:
        raise NotPossible(f"this is to be signed by another kind of key than {key.ciphersuite.name}")


def public_key(key: VerifyingKey) -> ed25519.Ed25519PublicKey | ed448.Ed448PublicKey:
    """Return the group's key in the library's type."""
    kind = ed25519.Ed25519PublicKey if key.ciphersuite.name == "ed25519" else ed448.Ed448PublicKey
    return kind.from_public_bytes(key.serialize())


def key_identifier(key: VerifyingKey) -> x509.SubjectKeyIdentifier:
    """Return how certificates name the group's key: SHA-1 over it (RFC 5280 §4.2.1.2)."""
    return x509.SubjectKeyIdentifier.from_public_key(public_key(key))


def require_issuer(extensions: x509.Extensions, key: VerifyingKey) -> None:
    """Raise `NotPossible` unless the authority key identifier names the group's key."""
    try:
        authority = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        raise NotPossible("this does not name the key that is to sign it") from None
    if authority.key_identifier != key_identifier(key).digest:
        raise NotPossible("this names another key as the one that is to sign it")


def moment(time: datetime) -> str:
    """Say when."""
    return words.moment(int(time.replace(tzinfo=UTC).timestamp()))


def name(value: x509.Name) -> str:
    """Say a distinguished name: every attribute, in order."""
    return ", ".join(" + ".join(map(_attribute, rdn)) for rdn in value.rdns) or "(empty)"


def _attribute(attribute: x509.NameAttribute[str | bytes]) -> str:
    label = _ATTRIBUTES.get(attribute.oid)
    if label is None or not isinstance(attribute.value, str):
        raise MalformedMessage(f"a name has an attribute that is not shown: {attribute.oid.dotted_string}")
    return f"{label}={_in_words(attribute.value, 'an attribute of a name')}{_unusual_type(attribute)}"


def _unusual_type(attribute: x509.NameAttribute[str | bytes]) -> str:
    """Say as what the text of an attribute is written, unless it is as usual: some programs tell these names apart."""
    kind = attribute._type
    if kind == x509.NameAttribute(attribute.oid, attribute.value)._type:
        return ""
    if kind.name not in _TEXTS:
        raise MalformedMessage("an attribute of a name is written as a kind of text that nobody uses")
    return f" ({kind.name})"


def _in_words(text: str, what: str) -> str:
    try:
        words.require_line(text, what)
    except NotPossible as error:
        raise MalformedMessage(str(error)) from None
    return words.quoted(text)


def key_line(key: CertificatePublicKeyTypes) -> str:
    """Say which public key; raises `MalformedMessage` for one that a sane authority does not certify."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048 and key.public_numbers().e >= 0x10001:
        kind = f"RSA of {key.key_size} bits"
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        kind = f"EC {key.curve.name}"
    elif isinstance(key, ed25519.Ed25519PublicKey):
        kind = "Ed25519"
    elif isinstance(key, ed448.Ed448PublicKey):
        kind = "Ed448"
    else:
        raise MalformedMessage("a public key is of no kind that is certified: P-256 and up, RSA of 2048 bits, Ed25519")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"{kind}, sha256 {hashlib.sha256(spki).hexdigest()}"


def general_name(value: x509.GeneralName) -> str:
    """Say a general name: of DNS, an address, e-mail or a URI."""
    if isinstance(value, x509.DNSName) and _DNS_NAME.fullmatch(value.value):
        return f"dns {value.value}"
    if isinstance(value, x509.IPAddress):
        return f"address {value.value}"
    if isinstance(value, x509.RFC822Name):
        return f"e-mail {_in_words(value.value, 'an e-mail address')}"
    if isinstance(value, x509.UniformResourceIdentifier):
        return f"uri {_in_words(value.value, 'a URI')}"
    raise MalformedMessage("a name is neither of DNS in lower case, nor an address, e-mail or a URI")


def extension_line(extension: x509.Extension[Any]) -> str:
    """Say what an extension says."""
    said = _say(extension.value)
    return f"  {said}" + (" (critical)" if extension.critical else "")


def _say(value: x509.ExtensionType) -> str:
    if isinstance(value, x509.BasicConstraints):
        if not value.ca:
            return "no authority itself"
        limit = "any number of" if value.path_length is None else str(value.path_length)
        return f"an authority, with {limit} authorities below it"
    if isinstance(value, x509.KeyUsage):
        used = [each.replace("_", " ") for each in KEY_USES if getattr(value, each)]
        if value.key_agreement and (value.encipher_only or value.decipher_only):
            raise MalformedMessage("a key usage is not shown: encipher or decipher only")
        return f"key for  {', '.join(used)}"
    if isinstance(value, x509.ExtendedKeyUsage):
        known = {oid: use for use, oid in USES.items()}
        if unknown := [oid for oid in value if oid not in known]:
            raise MalformedMessage(f"a use of the key is not shown: {unknown[0].dotted_string}")
        return f"use      {', '.join(known[oid] for oid in value)}"
    if isinstance(value, x509.SubjectAlternativeName):
        return f"for      {_names(value)}"
    if isinstance(value, x509.SubjectKeyIdentifier):
        return f"key id   {value.digest.hex()}"
    if isinstance(value, x509.AuthorityKeyIdentifier):
        if value.key_identifier is None or value.authority_cert_issuer or value.authority_cert_serial_number:
            raise MalformedMessage("an authority is named in another way than by its key")
        return f"signed by key id {value.key_identifier.hex()}"
    if isinstance(value, x509.NameConstraints):
        if value.excluded_subtrees:
            raise MalformedMessage("excluded names are not shown")
        return f"only for {_names(value.permitted_subtrees or ())}"
    if isinstance(value, x509.CRLDistributionPoints):
        if any(point.relative_name or point.crl_issuer or point.reasons for point in value):
            raise MalformedMessage("a place of a revocation list is not shown: it is more than a URI")
        return f"revoked  see {'; '.join(_names(point.full_name or ()) for point in value)}"
    if isinstance(value, x509.AuthorityInformationAccess):
        return "; ".join(f"{_access(each.access_method)} {general_name(each.access_location)}" for each in value)
    if isinstance(value, x509.CRLNumber):
        return f"number   {value.crl_number}"
    if isinstance(value, x509.CRLReason):
        return f"reason   {value.reason.value}"
    raise MalformedMessage(f"an extension is not shown: {value.oid.dotted_string}")


def _access(method: x509.ObjectIdentifier) -> str:
    if method not in _ACCESS:
        raise MalformedMessage(f"a way to what is said of an issuer is not shown: {method.dotted_string}")
    return _ACCESS[method]


def _names(values: Iterable[x509.GeneralName]) -> str:
    said = ", ".join(map(general_name, values))
    if not said:
        raise MalformedMessage("a list of names is empty")
    return said
