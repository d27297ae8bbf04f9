"""A file signed as CMS, the signature beside it or around it; taken by ``openssl cms`` from 3.5 on, and by certtool.

What is signed are attributes: the digest of the file, the time, and which certificate is the signer's, so that nobody
can put another in its place. Ed25519 alone: with Ed448 the standard wants a digest that no such tool knows.

Source: RFC 5652, RFC 5035 for the certificate, RFC 8419 for Ed25519.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, ClassVar, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.forms import der, oids
from frost_hsm.forms.asn1 import CLOSED, NUMBER, many
from frost_hsm.forms.cms import attribute
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, words
from frost_hsm.targets.own_copy import DIGESTED, DigestedFile, FileDigest
from frost_hsm.targets.x509 import words as x509_words

MAX_CERTIFICATES: Final = 8

_SHA512 = der.algorithm(oids.SHA512)
_ED25519 = der.algorithm(oids.ED25519)
_IN_TWO_DIGITS: Final = 2050
"""The year from which times are written with four (RFC 5652 §11.3)."""


@dataclass(frozen=True, slots=True)
class CmsFile(DigestedFile):
    """A file, when it is signed, and the signer's certificate, with those of the authorities above it.

    made: seconds since 1970. certificates: DER; the signer's, then the others in the order that DER gives them. Raises
    `NotPossible`.

    SEQUENCE { version INTEGER (2), size INTEGER, digest OCTET STRING, contents [0] OCTET STRING OPTIONAL,
    made INTEGER, certificates SEQUENCE OF Certificate }
    """

    title = "file for CMS"
    asn1 = (*DIGESTED, NUMBER, many(CLOSED, MAX_CERTIFICATES))
    algorithm = "sha512"
    ending = ".p7s"

    is_attached: ClassVar[bool] = False
    """Whether the file is in what `finish` makes."""

    made: int
    certificates: tuple[bytes, ...]

    def __post_init__(self) -> None:
        super(CmsFile, self).__post_init__()
        if not 0 < len(self.certificates) <= MAX_CERTIFICATES or self.certificates != in_order(self.certificates):
            raise NotPossible(f"there are not 1 to {MAX_CERTIFICATES} certificates, in order, each of them once")
        signer, *_ = map(_certificate, self.certificates)
        _require_valid(signer, self.made)
        _require_signing(signer)

    @property
    def _attributes(self) -> list[bytes]:
        certificate = der.sequence(der.octet_string(hashlib.sha256(self.certificates[0]).digest()))
        return sorted(
            (
                attribute(oids.CONTENT_TYPE, der.oid(oids.DATA)),
                attribute(oids.SIGNING_TIME, _time(self.made)),
                attribute(oids.MESSAGE_DIGEST, der.octet_string(self.digest)),
                attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(certificate))),
            )
        )

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the signed attributes. Raises `NotPossible` if the certificate is of another key."""
        if _certificate(self.certificates[0]).public_key() != x509_words.public_key(key):
            raise NotPossible("the signer's certificate is not of the key that is to sign")
        return der.set_of(*self._attributes)

    def lines(self) -> list[str]:
        """Say which file, when, and every certificate."""
        signer, *others = self.certificates
        return [
            *self.file_lines(),
            f"  signed   {words.moment(self.made)}",
            *_said("by", signer),
            *(line for each in others for line in _said("above it", each)),
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the ContentInfo of a SignedData, in DER."""
        inside = der.element(der.context(0), der.octet_string(self.contents or b"")) if self.is_attached else b""
        signer_info = der.sequence(
            der.integer(1),
            _issuer_and_serial(self.certificates[0]),
            _SHA512,
            der.element(der.context(0), *self._attributes),
            _ED25519,
            der.octet_string(signature),
        )
        signed_data = der.sequence(
            der.integer(1),
            der.set_of(_SHA512),
            der.sequence(der.oid(oids.DATA), inside),
            der.element(der.context(0), *sorted(self.certificates)),
            der.set_of(signer_info),
        )
        return der.sequence(der.oid(oids.SIGNED_DATA), der.element(der.context(0), signed_data))

    def use(self, file: str) -> str:
        """Verify with OpenSSL, from 3.5 on."""
        return f"openssl cms -verify -binary -inform DER -in {file} -content FILE -CAfile ROOT.pem -out /dev/null"


@dataclass(frozen=True, slots=True)
class CmsAttachedFile(CmsFile):
    """The same, with the file in what `finish` makes, so that it has to be in the request."""

    title = "file to go into CMS"
    ending = ".p7m"
    is_attached = True

    def __post_init__(self) -> None:
        super(CmsAttachedFile, self).__post_init__()
        if self.contents is None:
            raise NotPossible("the file is too large to travel with its signature", hint="--as cms")

    def use(self, file: str) -> str:
        """Verify with OpenSSL, from 3.5 on, which writes the file."""
        return f"openssl cms -verify -binary -inform DER -in {file} -CAfile ROOT.pem -out FILE"


def in_order(certificates: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Put the certificates after the first in the order that DER gives a set."""
    first, *others = certificates
    return (first, *sorted({*others} - {first}))


def _certificate(data: bytes) -> x509.Certificate:
    try:
        found = x509.load_der_x509_certificate(data)
        found.public_key()
        _said("", data)
    except (*x509_words.UNREADABLE, MalformedMessage) as error:
        raise NotPossible(f"a certificate is not of a kind that is shown: {error}") from None
    return found


def _said(label: str, data: bytes) -> list[str]:
    found = x509.load_der_x509_certificate(data)
    return [
        f"  {label:<8} {x509_words.name(found.subject)}",
        f"           serial {found.serial_number:x}, issued by {x509_words.name(found.issuer)}",
        f"           sha256 {hashlib.sha256(data).hexdigest()}",
    ]


def _require_valid(signer: x509.Certificate, made: int) -> None:
    """Raise `NotPossible` unless a certificate is valid at a time."""
    try:
        begin, end = signer.not_valid_before_utc.timestamp(), signer.not_valid_after_utc.timestamp()
    except x509_words.UNREADABLE as error:  # the year 0
        raise NotPossible(f"the times of the signer's certificate cannot be read: {error}") from None
    if not begin <= made <= end:
        raise NotPossible("the signer's certificate is not valid at the time of the signature")


def _require_signing(signer: x509.Certificate) -> None:
    """Raise `NotPossible` if a certificate says that its key is for something else than signatures on files."""
    try:
        usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    except x509_words.UNREADABLE as error:
        raise NotPossible(f"the extensions of the signer's certificate cannot be read: {error}") from None
    if not (usage.digital_signature or usage.content_commitment):
        raise NotPossible("the signer's certificate says that its key is not for signatures on files")


def _issuer_and_serial(certificate: bytes) -> bytes:
    """Return the IssuerAndSerialNumber of a certificate, in its own bytes."""
    fields = der.Reader(certificate, "a certificate").sequence().sequence()
    if fields.has(der.context(0)):
        fields.skip()  # the version
    serial = fields.whole(der.INTEGER)
    fields.skip()  # the algorithm
    return der.sequence(fields.whole(der.SEQUENCE), serial)


def _time(seconds: int) -> bytes:
    time = datetime.fromtimestamp(seconds, UTC)
    text = f"{time:%Y%m%d%H%M%S}Z".encode()
    is_short = time.year < _IN_TWO_DIGITS
    return der.element(der.UTC_TIME, text[2:]) if is_short else der.element(der.GENERALIZED_TIME, text)


def _read_time(value: der.Reader) -> int:
    is_short = value.has(der.UTC_TIME)
    text = value.contents(der.UTC_TIME if is_short else der.GENERALIZED_TIME).decode(errors="replace")
    try:
        time = datetime.strptime("20" * is_short + text, "%Y%m%d%H%M%SZ")
    except ValueError:
        raise MalformedMessage("a time is not written as CMS has it") from None
    return int(time.replace(tzinfo=UTC).timestamp())


def _signing_time(attributes: der.Reader) -> int:
    """Find the time among the attributes; whether the rest is right, writing it again shows."""
    while attributes.more():
        each = attributes.sequence()
        if each.oid() == oids.SIGNING_TIME:
            return _read_time(each.inside(der.SET))
    raise MalformedMessage("a signature of CMS says no time")


class Cms(Target):
    """A file, with its signature beside it."""

    name = "cms"
    own_copy = "file"
    suites = frozenset({"ed25519"})
    options = (
        Option("certificate", "the group's certificate in PEM; those of authorities above it may follow", is_file=True),
    )
    thing: ClassVar[type[CmsFile]] = CmsFile

    def make(self, given: Given) -> bytes:
        """Take the file: its contents up to 1 MiB, above that its digest."""
        try:
            found = x509.load_pem_x509_certificates(given.files["certificate"])
        except x509_words.UNREADABLE:
            raise NotPossible("the certificate of the signer is not in PEM") from None
        certificates = in_order(tuple(each.public_bytes(Encoding.DER) for each in found))
        return self.thing(*self.thing.take(given.file), given.now, certificates).encode()

    def read(self, data: bytes) -> CmsFile:
        """Read the structure."""
        return self.thing.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[CmsFile, bytes]:
        """Read a SignedData; of the file its digest."""
        outer = der.Reader(finished, "a signature of CMS").sequence()
        outer.skip()  # signedData
        signed_data = outer.inside(der.context(0)).sequence()
        signed_data.skip()  # the version
        signed_data.skip()  # the digest algorithms
        content = signed_data.sequence()
        content.skip()  # data
        of_file = self._file(content, file)
        certificates = signed_data.inside(der.context(0))
        found: list[bytes] = []
        while certificates.more() and len(found) <= MAX_CERTIFICATES:
            found.append(certificates.whole(der.SEQUENCE))
        signer = signed_data.inside(der.SET).sequence()
        signer.skip()  # the version
        who = signer.whole(der.SEQUENCE)
        signer.skip()  # the digest algorithm
        made = _signing_time(signer.inside(der.context(0)))
        signer.skip()  # the signature algorithm
        signature = signer.octet_string()
        found.sort(key=lambda each: _issuer_and_serial(each) != who)  # the signer's before the others
        return self.thing(*of_file, made, tuple(found)), signature

    def _file(self, content: der.Reader, file: BinaryIO) -> tuple[int, bytes, bytes | None]:
        return self.thing.take(file, is_carried=False)


class CmsAttached(Cms):
    """A file, inside what is made of its signature."""

    name = "cms-attached"
    stands_alone = True
    thing = CmsAttachedFile

    def _file(self, content: der.Reader, file: BinaryIO) -> tuple[int, bytes, bytes | None]:
        contents = content.inside(der.context(0)).octet_string()
        digest = FileDigest.of_contents(contents, self.thing.algorithm)
        return digest.size, digest.value, contents
