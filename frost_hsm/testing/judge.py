"""Another implementation to judge by: pyca/cryptography on P-256 and X.509."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature


def curve_key(encoded: bytes) -> ec.EllipticCurvePublicKey:
    """Decode a P-256 SubjectPublicKeyInfo."""
    key = serialization.load_der_public_key(encoded)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    return key


def point_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    """Encode a key's public point, uncompressed."""
    return private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def verify(public: ec.EllipticCurvePublicKey, signature: bytes, digest: bytes) -> None:
    """Verify r ‖ s on a digest."""
    assert len(signature) == 64
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def new_certificate() -> bytes:
    """Make a self-signed certificate of a new key, DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Zoë")])
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
