"""Raw bytes that another program would take a signature on are called what they are."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import cbor2
import dns.dnssec
import dns.name
import dns.rrset
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import SignatureAlgorithmOID
from hypothesis import given
from hypothesis import strategies as st
from stage.authority import END, REQUEST, TOP
from stage.memory_group import group, run
from stage.signing_things import make, sign
from tuf.api.metadata import Metadata, Root

from frost_hsm.forms import der, pem
from frost_hsm.targets.programs.group_private_key import PrivateKey, record
from frost_hsm.targets.recognising import recognise
from frost_hsm.targets.x509 import words as x509_words

OTHER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
SSH_KEY = OTHER.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
NOW = 1_750_000_000
TAG = f"object {'ab' * 20}\ntype commit\ntag v1.0\ntagger A <a@b> 1 +0000\n\nmessage\n".encode()


def asked(build: Callable[[PrivateKey], object]) -> bytes:
    return record(group().key, build)[0]


def to_sign(target: str, data: bytes = b"", **texts: str) -> bytes:
    files = {"issuer": TOP} if target in ("x509-end", "x509-crl", "x509-ocsp") else {}
    return sign(target, make(target, data, files=files, now=NOW, **texts)).message


def dnssec(key: PrivateKey) -> object:
    zone = dns.name.from_text("example.")
    dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ED25519)
    return dns.dnssec.sign(dns.rrset.from_rdata(zone, 3600, dnskey), key, zone, dnskey, lifetime=3600)


OTHERS = {
    'SSH signature for "file"': to_sign("ssh", b"release"),
    'SSH signature for "git"': to_sign("git", TAG),
    "certificate of OpenSSH": to_sign("ssh-cert", SSH_KEY, principals="root"),
    "certificate of X.509": to_sign("x509-end", REQUEST),
    "revocation list": to_sign("x509-crl"),
    "answer of OCSP": to_sign("x509-ocsp", END),
    "message of OpenPGP": to_sign("openpgp", b"release"),
    "as long as a digest": to_sign("minisign", b"release"),
    "web token": asked(lambda key: jwt.encode({"iss": "group"}, key, algorithm="EdDSA")),  # type: ignore[arg-type]
    "records of the DNS": asked(dnssec),
    "metadata of TUF": Metadata(Root()).signed_bytes,
    "tag or commit of git": TAG,
    "handshake of TLS": b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32),
    "login to an SSH server": (32).to_bytes(4, "big") + bytes(32) + b"\x32" + b"\0\0\0\4root",
    "signed attributes of a CMS message": sign("cms", make("cms", b"", files={"certificate": TOP}, now=NOW)).message,
    "message of COSE": cbor2.dumps(["Signature1", b"", b"", b"payload"]),
    "other JWS": base64.urlsafe_b64encode(b'{"alg":"EdDSA","x":' + b"[" * 9999 + b"]" * 9999 + b"}").rstrip(b"=")
    + b".YQ",
    "DSSE": b"DSSEv1 28 application/vnd.in-toto+json 2 {}",
    "minisign": hashlib.sha512(b"x").digest() + b"timestamp:1",
}


@pytest.mark.parametrize("target", ["raw", "signify"])
@pytest.mark.parametrize("name", OTHERS)
def test_what_another_program_signs_is_called_by_its_name(name: str, target: str) -> None:
    said = sign(target, make(target, OTHERS[name])).words
    assert name in said
    assert "CAREFUL" in said


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"release 1.0\n",
        b"An agreement.\n" * 99,
        Path(__file__).read_bytes(),
        TOP,
        bytes(range(256)) * 2,
        b"\x7fELF" + bytes(999),
        b"PK\3\4" + bytes(999),
        b"a.b",
        b"1234567890" * 6 + b"1234",  # as long as a digest, and a text
    ],
)
def test_what_nobody_else_signs_is_not_warned_of(data: bytes) -> None:
    assert recognise(data) is None
    assert "CAREFUL" not in sign("raw", data).words


ALGORITHM = der.algorithm(SignatureAlgorithmOID.ED25519.dotted_string)
SUBJECT = x509.load_pem_x509_certificate(TOP).subject.public_bytes()
FROM, UNTIL = (der.element(der.UTC_TIME, text) for text in (b"250101000000Z", b"450101000000Z"))


def assembled(label: str, part: bytes) -> bytes:
    """What anybody makes of bytes and a signature on them."""
    signature = sign("raw", part).signature
    return pem.encode(label, der.sequence(part, ALGORITHM, der.bit_string(signature)))


def test_a_list_of_version_1(tmp_path: Path) -> None:
    part = der.sequence(ALGORITHM, SUBJECT, FROM, UNTIL)
    (tmp_path / "root.pem").write_bytes(TOP)
    taken = run("openssl", "crl", "-noout", "-CAfile", "root.pem", cwd=tmp_path, stdin=assembled("X509 CRL", part))
    assert b"verify OK" in taken.stderr
    assert "revocation list" in sign("raw", part).words


def test_a_certificate_of_version_1(tmp_path: Path) -> None:
    key = OTHER.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    whose = x509.Name.from_rfc4514_string("CN=www.example.org").public_bytes()
    part = der.sequence(der.integer(5), ALGORITHM, SUBJECT, der.sequence(FROM, UNTIL), whose, key)
    (tmp_path / "root.pem").write_bytes(TOP)
    (tmp_path / "end.pem").write_bytes(assembled("CERTIFICATE", part))
    taken = run("openssl", "verify", "-attime", str(NOW + 9), "-CAfile", "root.pem", "end.pem", cwd=tmp_path)
    assert b"end.pem: OK" in taken.stdout, taken
    assert "a certificate of X.509" in sign("raw", part).words


def test_a_web_token_whose_payload_is_not_in_base64() -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"EdDSA","b64":false,"crit":["b64"]}').rstrip(b"=")
    made = sign("raw", header + b'.{"sub": "mallory"}')
    token = (header + b".." + base64.urlsafe_b64encode(made.signature).rstrip(b"=")).decode()
    key = x509_words.public_key(group().key)
    assert jwt.PyJWS().decode(token, key, ["EdDSA"], detached_payload=b'{"sub": "mallory"}')
    assert "other JWS" in made.words


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange_to_look_at(data: bytes) -> None:
    said = recognise(data)
    assert said is None or said.isprintable()
