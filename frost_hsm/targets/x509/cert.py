"""A certificate of X.509 that is not signed yet, read and shown in full.

The thing is the part that is signed, the TBSCertificate. Every signer's program takes it apart, has `cryptography` make
it again from its parts, and says each of them; so nothing can be in it that was not said. Source: RFC 5280, RFC 8410.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from frost_hsm.errors import NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.programs.group_private_key import PrivateKey, replay
from frost_hsm.targets.x509 import words as x509_words
from frost_hsm.targets.x509.unsigned import Unsigned

MAX_SIZE: Final = 1 << 15


@dataclass(frozen=True, slots=True)
class X509Certificate(Unsigned):
    """A certificate that is not signed yet. found: it, with a signature of zeros."""

    found: x509.Certificate
    ending = ".pem"

    what = "a certificate to sign"
    largest = MAX_SIZE
    before = 2  # version and serial number

    @staticmethod
    def load(data: bytes) -> x509.Certificate:
        """Have the library read it."""
        return x509.load_der_x509_certificate(data)

    @staticmethod
    def signed_part(found: x509.Certificate) -> bytes:
        """Return the TBSCertificate."""
        return found.tbs_certificate_bytes

    def made_again(self, key: PrivateKey) -> x509.Certificate:
        """Have the library make it again."""
        found = self.found
        return build(
            found.issuer,
            found.subject,
            found.public_key(),
            found.serial_number,
            found.not_valid_before_utc,
            found.not_valid_after_utc,
            [(extension.value, extension.critical) for extension in found.extensions],
            key,
        )

    @property
    def is_self_signed(self) -> bool:
        """Whether issuer and subject are one."""
        return self.found.issuer == self.found.subject

    @property
    def is_authority(self) -> bool:
        """Whether its key may issue certificates."""
        return self.found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the TBSCertificate."""
        x509_words.require_algorithm(self.found.signature_algorithm_oid, key)
        if not self.is_self_signed:
            x509_words.require_issuer(self.found.extensions, key)
        elif self.found.public_key() != x509_words.public_key(key):
            raise NotPossible("a certificate of the group itself, with another key")
        return self.found.tbs_certificate_bytes

    def lines(self) -> list[str]:
        """Say every field and every extension."""
        found = self.found
        return [
            f"  subject  {x509_words.name(found.subject)}",
            f"  issuer   {x509_words.name(found.issuer)}",
            f"  key      {x509_words.key_line(found.public_key())}",
            f"  valid    from {x509_words.moment(found.not_valid_before_utc)}",
            f"           until {x509_words.moment(found.not_valid_after_utc)}",
            f"  serial   {found.serial_number:x}",
            *map(x509_words.extension_line, found.extensions),
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the certificate in PEM."""
        signatures = {self.found.tbs_certificate_bytes: signature}
        return replay(key, self.made_again, signatures).public_bytes(Encoding.PEM)

    def use(self, file: str) -> str:
        """Verify with OpenSSL."""
        return f"openssl verify -CAfile {file if self.is_self_signed else 'ROOT.pem'} {file}"


def build(
    issuer: x509.Name,
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    serial: int,
    start: datetime,
    end: datetime,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
    key: PrivateKey,
) -> x509.Certificate:
    """Have the library build a certificate. extensions: each with whether it is critical.

    Raises `ValueError` for times that are not in order or that the library cannot write, before 1950.
    """
    builder = x509.CertificateBuilder(issuer, subject, public_key, serial).not_valid_before(start).not_valid_after(end)
    for value, is_critical in extensions:
        builder = builder.add_extension(value, critical=is_critical)
    return builder.sign(key, None)
