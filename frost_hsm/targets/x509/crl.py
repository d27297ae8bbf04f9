"""The list of certificates that the group has revoked; taken by ``openssl crl`` and ``openssl verify -crl_check``.

The thing is the part that is signed, the TBSCertList, read and made again as a certificate is. Source: RFC 5280 §5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, asked, words
from frost_hsm.targets.programs.group_private_key import PrivateKey, record, replay
from frost_hsm.targets.x509 import words as x509_words
from frost_hsm.targets.x509.profiles import ISSUER, authority_key_id, read_issuer, when
from frost_hsm.targets.x509.unsigned import Unsigned

MAX_SIZE: Final = 1 << 20
_REASONS: Final = {
    reason.value: reason
    for reason in x509.ReasonFlags
    if reason not in (x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl)
}

Extensions = list[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True)
class X509List(Unsigned):
    """A revocation list that is not signed yet. found: it, with a signature of zeros."""

    found: x509.CertificateRevocationList
    ending = ".crl"

    what = "a revocation list to sign"
    largest = MAX_SIZE
    before = 1  # the version

    @staticmethod
    def load(data: bytes) -> x509.CertificateRevocationList:
        """Have the library read it."""
        return x509.load_der_x509_crl(data)

    @staticmethod
    def signed_part(found: x509.CertificateRevocationList) -> bytes:
        """Return the TBSCertList."""
        return found.tbs_certlist_bytes

    def made_again(self, key: PrivateKey) -> x509.CertificateRevocationList:
        """Have the library make it again."""
        found = self.found
        if found.next_update_utc is None:
            raise MalformedMessage(f"{self.what} does not say when the next comes")
        extensions = [(extension.value, extension.critical) for extension in found.extensions]
        return build(found.issuer, found.last_update_utc, found.next_update_utc, extensions, map(_again, found), key)

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the TBSCertList."""
        x509_words.require_algorithm(self.found.signature_algorithm_oid, key)
        x509_words.require_issuer(self.found.extensions, key)
        return self.found.tbs_certlist_bytes

    def lines(self) -> list[str]:
        """Say every field and every certificate."""
        found = self.found
        until = found.next_update_utc or found.last_update_utc
        return [
            f"  issuer   {x509_words.name(found.issuer)}",
            f"  valid    from {x509_words.moment(found.last_update_utc)}",
            f"           until {x509_words.moment(until)}",
            *map(x509_words.extension_line, found.extensions),
            f"  revokes  {len(found)} certificates",
            *(line for each in found for line in _said(each)),
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the list in PEM."""
        return replay(key, self.made_again, {self.found.tbs_certlist_bytes: signature}).public_bytes(Encoding.PEM)

    def use(self, file: str) -> str:
        """Verify with OpenSSL."""
        return f"openssl crl -noout -CAfile ISSUER.pem -in {file}"


def _again(revoked: x509.RevokedCertificate) -> x509.RevokedCertificate:
    """Have the library make an entry again; of one that it has read it keeps the bytes, whatever is in them."""
    builder = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number)
    builder = builder.revocation_date(revoked.revocation_date_utc)
    for extension in revoked.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.build()


def _said(revoked: x509.RevokedCertificate) -> list[str]:
    first = f"  serial   {revoked.serial_number:x}, {x509_words.moment(revoked.revocation_date_utc)}"
    return [first, *(f"  {x509_words.extension_line(extension)}" for extension in revoked.extensions)]


def build(
    issuer: x509.Name,
    start: datetime,
    end: datetime,
    extensions: Extensions,
    revoked: Iterable[x509.RevokedCertificate],
    key: PrivateKey,
) -> x509.CertificateRevocationList:
    """Have the library build a list. extensions: each with whether it is critical.

    Raises `ValueError` for times that are not in order or that the library cannot write, before 1950.
    """
    # all at once: to add one, the library copies those before it
    empty = x509.CertificateRevocationListBuilder(issuer, revoked_certificates=list(revoked))
    builder = empty.last_update(start).next_update(end)
    for value, is_critical in extensions:
        builder = builder.add_extension(value, critical=is_critical)
    return builder.sign(key, None)


class X509Crl(Target):
    """A revocation list, of a text with a line for each certificate: serial number, day, reason."""

    name = "x509-crl"
    stands_alone = True
    suites = x509_words.SUITES
    options = (
        ISSUER,
        Option("days", "when the next list comes, from now on", "30"),
        Option("number", "its number, larger than the last one's; else the time in seconds", ""),
    )

    def make(self, given: Given) -> bytes:
        """Make the part that is signed."""
        issuer, texts = read_issuer(given), given.texts
        revoked = list(map(_revoked, _lines(given.all(MAX_SIZE))))
        number = asked.number(texts["number"]) if texts["number"] else given.now
        start, end = when(given.now), when(asked.until(given.now, texts["days"]))
        extensions: Extensions = [authority_key_id(issuer), (x509.CRLNumber(number), False)]
        (tbs,) = record(given.key, lambda key: build(issuer.subject, start, end, extensions, revoked, key))
        try:
            self.read(tbs)
        except MalformedMessage as error:
            raise NotPossible(f"such a list is not signed here: {error}") from error
        return tbs

    def read(self, data: bytes) -> X509List:
        """Read the part that is signed."""
        return X509List.read(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[X509List, bytes]:
        """Read a list; the file is not needed."""
        try:
            found = x509.load_pem_x509_crl(finished)
        except x509_words.UNREADABLE:
            raise MalformedMessage("this is not a revocation list in PEM") from None
        return self.read(found.tbs_certlist_bytes), found.signature


def _lines(text: bytes) -> list[str]:
    lines = [line.split("#")[0].strip() for line in text.decode(errors="replace").splitlines()]
    return [line for line in lines if line]


def _revoked(line: str) -> x509.RevokedCertificate:
    """Read a line: serial number in hexadecimal digits, the day as 2026-01-31, and a reason, which may be missing."""
    try:
        serial, day, *reasons = line.split()
        date = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        builder = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(date)
        if reasons:
            (reason,) = reasons
            builder = builder.add_extension(x509.CRLReason(_REASONS[reason]), critical=False)
        return builder.build()
    except (ValueError, KeyError):
        raise NotPossible(
            f"{words.quoted(line)} is not a serial number, a day and perhaps a reason",
            hint=f"5a0b 2026-01-31 keyCompromise; reasons: {', '.join(_REASONS)}",
        ) from None
