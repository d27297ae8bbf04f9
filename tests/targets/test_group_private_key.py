"""Libraries that sign are handed a key that is none, and what they build verifies."""

from __future__ import annotations

import copy
import datetime
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dns.dnssec
import dns.name
import dns.rrset
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from cryptography.x509.oid import NameOID
from securesystemslib.signer import CryptoSigner
from stage.memory_group import group
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root

from frost_hsm import GroupPrivateKey
from frost_hsm.errors import InvalidSignature, NotPossible, NotYet
from frost_hsm.targets.group_private_key import PrivateKey, record, replay

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
    signature = dns.dnssec.sign(keys, key, zone, ksk, lifetime=3600)
    dns.dnssec.validate(keys, dns.rrset.from_rdata(zone, 3600, signature), {zone: dns.rrset.from_rdata(zone, 300, ksk)})


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

each = pytest.mark.parametrize(
    ("suite", "use"),
    [*(("ed25519", use) for use in LIBRARIES), *(("ed448", use) for use in OF_ED448)],
    ids=lambda value: getattr(value, "__name__", value),
)


@each
def test_libraries_take_it(suite: str, use: Callable[[Any], None]) -> None:
    asked = []

    def sign_by(message: bytes) -> bytes:
        asked.append(message)
        return group(suite).sign(message)

    use(GroupPrivateKey.of(group(suite).key, sign_by))
    assert asked


@each
def test_a_session_without_a_signature_raises_in_the_caller(suite: str, use: Callable[[Any], None]) -> None:
    def sign_by(message: bytes) -> bytes:
        raise NotYet("bob has not answered")

    with pytest.raises((NotYet, UnsignedMetadataError), match="bob has not answered") as raised:
        use(GroupPrivateKey.of(group(suite).key, sign_by))
    assert isinstance(raised.value, NotYet) or isinstance(raised.value.__cause__, NotYet)  # tuf puts its own around it


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_two_passes(suite: str) -> None:
    """First what is to be signed, then, whenever the group has signed it, the thing."""

    def build(key: PrivateKey) -> list[x509.Certificate]:
        return [certificate(key), certificate(key)]

    one, again = record(group(suite).key, build)
    assert one == again
    signatures = {one: group(suite).sign(one)}
    for made in replay(group(suite).key, build, signatures):
        assert made.tbs_certificate_bytes == one
        made.verify_directly_issued_by(made)


def test_the_second_pass_asks_for_what_the_first_asked_for() -> None:
    serials = iter(range(1, 9))

    def build(key: PrivateKey) -> bytes:
        return key.sign(b"certificate %d" % next(serials))

    (message,) = record(group().key, build)
    with pytest.raises(NotPossible, match="was not signed"):
        replay(group().key, build, {message: group().sign(message)})


def test_signatures_that_do_not_verify_are_not_passed_on() -> None:
    for wrong in (group().sign(b"another message"), group("ed25519", 1).sign(b"message"), b"", bytes(64), bytes(65)):
        with pytest.raises(InvalidSignature):
            GroupPrivateKey.of(group().key, lambda _, wrong=wrong: wrong).sign(b"message")
        with pytest.raises(InvalidSignature):
            replay(group().key, lambda key: key.sign(b"message"), {b"message": wrong})


def test_threads_sign_at_once() -> None:
    key = GroupPrivateKey.of(group().key, group().sign)
    messages = [b"message %d" % number for number in range(16)]
    with ThreadPoolExecutor(4) as threads:
        for message, signature in zip(messages, threads.map(key.sign, messages), strict=True):
            key.public_key().verify(signature, message)


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_it_cannot_be_serialised(suite: str) -> None:
    key = GroupPrivateKey.of(group(suite).key, group(suite).sign)
    ways: list[Callable[[], object]] = [
        key.private_bytes_raw,
        lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        lambda: pickle.dumps(key),
        lambda: json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key)),
    ]
    for write in ways:
        with pytest.raises(NotPossible, match="exists nowhere"):
            write()
    assert copy.copy(key) is copy.deepcopy(key) is key


@pytest.mark.parametrize("suite", ["p256", "ristretto255", "secp256k1", "secp256k1-tr"])
def test_suites_that_no_type_stands_for(suite: str) -> None:
    with pytest.raises(NotPossible, match=suite):
        GroupPrivateKey.of(group(suite).key, bytes)
    with pytest.raises(NotPossible, match=suite):
        record(group(suite).key, lambda key: key.sign(b"message"))
