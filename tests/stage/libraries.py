"""Libraries that sign, each with what it builds: handed a key that stands for a group, and verified."""

from __future__ import annotations

import datetime
from typing import Any

import dns.dnssec
import dns.name
import dns.rrset
import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType
from cryptography.x509.oid import NameOID
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

START = datetime.datetime(2026, 1, 1)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "group CA")])
HOLDER = ed25519.Ed25519PrivateKey.generate()  # of a key that the group certifies


def certificate(key: CertificateIssuerPrivateKeyTypes) -> x509.Certificate:
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 7, START, START + datetime.timedelta(days=9))
    return builder.add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, None)


def by_x509(key: Any) -> None:
    made = certificate(key)
    made.verify_directly_issued_by(made)


def by_crl(key: Any) -> None:
    builder = x509.CertificateRevocationListBuilder(NAME, START, START + datetime.timedelta(days=9))
    assert builder.sign(key, None).is_signature_valid(key.public_key())


def by_csr(key: Any) -> None:
    assert x509.CertificateSigningRequestBuilder(NAME).sign(key, None).is_signature_valid


def by_ssh_certificates(key: Any) -> None:
    builder = SSHCertificateBuilder().public_key(HOLDER.public_key()).type(SSHCertificateType.USER).serial(1)
    builder = builder.key_id(b"alice").valid_principals([b"alice"]).valid_after(0).valid_before(2**63)
    builder.sign(key).verify_cert_signature()


def by_pyjwt(key: Any) -> None:
    made = jwt.encode({"iss": "group"}, key, algorithm="EdDSA")
    assert jwt.decode(made, key.public_key(), algorithms=["EdDSA"]) == {"iss": "group"}


def by_dnspython(key: Any) -> None:
    """A key-signing key signs the DNSKEY records of its zone."""
    zone = dns.name.from_text("example.")
    is_ed25519 = isinstance(key, ed25519.Ed25519PrivateKey)
    algorithm = dns.dnssec.Algorithm.ED25519 if is_ed25519 else dns.dnssec.Algorithm.ED448
    ksk = dns.dnssec.make_dnskey(key.public_key(), algorithm, dns.dnssec.Flag.ZONE | dns.dnssec.Flag.SEP)
    zsk = dns.dnssec.make_dnskey(HOLDER.public_key(), dns.dnssec.Algorithm.ED25519, dns.dnssec.Flag.ZONE)
    keys = dns.rrset.from_rdata(zone, 3600, ksk, zsk)
    begins = int(START.replace(tzinfo=datetime.UTC).timestamp())
    signature = dns.dnssec.sign(keys, key, zone, ksk, inception=begins, expiration=begins + 3600)
    anchor = {zone: dns.rrset.from_rdata(zone, 300, ksk)}
    dns.dnssec.validate(keys, dns.rrset.from_rdata(zone, 3600, signature), anchor, now=begins + 60)


def by_securesystemslib(key: Any) -> None:
    """The root of a TUF repository."""
    signer = CryptoSigner(key)
    root = Root()
    root.add_key(signer.public_key, "root")
    metadata = Metadata(root)
    metadata.sign(signer)
    read = Metadata[Root].from_bytes(metadata.to_bytes())
    read.signed.verify_delegate("root", read.signed_bytes, read.signatures)


LIBRARIES = [by_x509, by_crl, by_csr, by_ssh_certificates, by_pyjwt, by_dnspython, by_securesystemslib]
OF_ED448 = [by_x509, by_crl, by_csr, by_pyjwt, by_dnspython]
