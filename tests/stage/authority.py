"""A group in memory as an authority: its root, and keys of others that it certifies."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from stage.memory_group import MemoryGroup
from stage.signing_things import make, sign

from frost_hsm.targets.x509 import words as x509_words

NOW = 1_750_000_000  # in June 2025: not in the future of the machine that runs this

EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


def root(by: MemoryGroup | None = None, subject: str = "CN=Team Root,O=Team,C=DE") -> bytes:
    return sign("x509-root", make("x509-root", by=by, subject=subject, now=NOW), by=by).finished


def request(
    names: tuple[str, ...] = ("www.example.org",),
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = EC_KEY,
    subject: str = "CN=www.example.org",
) -> bytes:
    """A certificate signing request in PEM."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name.from_rfc4514_string(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def issue(target: str, data: bytes, issuer: bytes, by: MemoryGroup | None = None, **texts: str) -> bytes:
    """Have a group issue a certificate, a list or an answer under its own certificate."""
    return sign(target, make(target, data, by=by, files={"issuer": issuer}, now=NOW, **texts), by=by).finished


def public_pem(by: MemoryGroup) -> bytes:
    return x509_words.public_key(by.key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


TOP = root()
REQUEST = request()
END = issue("x509-end", REQUEST, TOP)
"""A root, a request and the certificate made of it."""
