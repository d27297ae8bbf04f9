"""Files signed as CMS: taken by certtool, pyHanko and the OpenSSL that knows Ed25519 there; refused once changed."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from asn1crypto import cms as crypto_cms
from asn1crypto import x509 as crypto_x509
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.sign.validation.generic_cms import async_validate_cms_signature, async_validate_detached_cms
from pyhanko_certvalidator import ValidationContext
from stage.authority import NOW, TOP, issue, root
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import Signed, make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.forms import der
from frost_hsm.targets import CARRIED
from frost_hsm.targets.cms import CmsAttachedFile, CmsFile
from frost_hsm.targets.programs.group_private_key import GroupPrivateKey
from frost_hsm.targets.x509.profiles import key_usage

CONTRACT = b"We agree.\r\nAlice, Bob, Carol\n"


def of(target: str, data: bytes = CONTRACT, certificate: bytes = TOP, now: int = NOW + 99) -> Signed:
    return sign(target, make(target, data, files={"certificate": certificate}, now=now))


def certtool(directory: Path, finished: bytes, data: bytes | None, top: bytes = TOP) -> bool:
    """GnuTLS, as it comes with Debian 12; of what is attached, whether it is the data too."""
    for name, each in (("signed", finished), ("file", data or b""), ("root.pem", top)):
        (directory / name).write_bytes(each)
    detached = () if data is None else ("--load-data", "file")
    words = ("--p7-verify", "--inder", "--load-ca-certificate", "root.pem", "--infile", "signed", *detached)
    return run("certtool", *words, cwd=directory).returncode == 0


def pyhanko(finished: bytes, data: bytes | None, top: bytes = TOP) -> bool:
    """Whether it takes the signature, and the certificate as one under the root."""
    roots = [crypto_x509.Certificate.load(x509.load_pem_x509_certificate(top).public_bytes(Encoding.DER))]
    moment = datetime.datetime.fromtimestamp(NOW + 9999, datetime.UTC)
    trust = ValidationContext(trust_roots=roots, allow_fetching=False, moment=moment)
    found = crypto_cms.ContentInfo.load(finished)["content"]
    if data is None:
        said = asyncio.run(async_validate_cms_signature(found, validation_context=trust))
        return said.intact and said.valid and said.trusted
    return asyncio.run(async_validate_detached_cms(data, found, signer_validation_context=trust)).bottom_line


def openssl(directory: Path, finished: bytes, data: bytes | None) -> bool:
    for name, each in (("signed", finished), ("file", data or b""), ("root.pem", TOP)):
        (directory / name).write_bytes(each)
    detached = () if data is None else ("-content", "file")
    words = ("-binary", "-inform", "DER", "-in", "signed", "-CAfile", "root.pem", "-attime", str(NOW + 9999), *detached)
    return run("openssl", "cms", "-verify", *words, cwd=directory).returncode == 0


CASES = [
    pytest.param("cms", CONTRACT, id="beside a text"),
    pytest.param("cms", bytes(CARRIED + 1), id="beside a large file"),
    pytest.param("cms-attached", CONTRACT, id="around a text"),
]


@pytest.mark.parametrize(("target", "data"), CASES)
def test_tools_take_it_under_the_root_alone(target: str, data: bytes, tmp_path: Path) -> None:
    made, beside = of(target, data), data if target == "cms" else None
    assert certtool(tmp_path, made.finished, beside)
    assert pyhanko(made.finished, beside)
    assert verify(target, made.finished, data).to_sign(group().key) == made.message
    other = root(subject="CN=Another")
    assert not certtool(tmp_path, made.finished, beside, other)
    assert not pyhanko(made.finished, beside, other)


def test_an_empty_file() -> None:
    """certtool takes no data for none given."""
    made = of("cms", b"")
    assert pyhanko(made.finished, b"")
    verify("cms", made.finished)


def test_openssl_takes_it_once_it_knows_ed25519_in_cms(tmp_path: Path) -> None:
    """As the page of the manual says: not 3.0, which refuses every Ed25519 there."""
    said = run("openssl", "version", cwd=tmp_path).stdout.decode().split()[1]
    version = tuple(map(int, said.split(".")[:2]))
    takes = [
        openssl(tmp_path, of("cms").finished, CONTRACT),
        openssl(tmp_path, of("cms-attached").finished, None),
        not openssl(tmp_path, of("cms").finished, CONTRACT + b"!"),
    ]
    if version >= (3, 5):
        assert all(takes)
    elif version < (3, 2):
        assert takes == [False, False, True]


@pytest.mark.parametrize("target", ["cms", "cms-attached"])
def test_any_other_byte_is_refused(target: str, tmp_path: Path) -> None:
    made = of(target)
    for other in altered(CONTRACT, 4) if target == "cms" else ():
        assert not certtool(tmp_path, made.finished, other)
        with pytest.raises(InvalidSignature):
            verify(target, made.finished, other)
    for other in altered(made.finished, 24):
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify(target, other, CONTRACT)
    for part in (made.signature, *({CONTRACT} if target == "cms-attached" else {made.message[4:]})):
        place = made.finished.index(part)
        for other in altered(part, 4):
            wrong = made.finished[:place] + other + made.finished[place + len(part) :]
            assert not certtool(tmp_path, wrong, CONTRACT if target == "cms" else None)


def test_everything_is_shown() -> None:
    made = of("cms", now=NOW + 99)
    for wanted in ("29 bytes", "signed   2025-06-15 15:08:19 UTC", 'by       C="DE", O="Team", CN="Team Root"'):
        assert wanted in made.words
    assert x509.load_pem_x509_certificate(TOP).fingerprint(SHA256()).hex() in made.words


def below() -> bytes:
    """The certificate of another group, issued by the first to a request of its own; then the root above it."""
    other = GroupPrivateKey.of(group("ed25519", 1).key, group("ed25519", 1).sign)
    builder = x509.CertificateSigningRequestBuilder(x509.Name.from_rfc4514_string("CN=Contracts,O=Team"))
    request = builder.sign(other, None).public_bytes(Encoding.PEM)
    return issue("x509-end", request, TOP, use="documents", days="3000") + TOP


def test_a_certificate_by_an_authority_above(tmp_path: Path) -> None:
    other = group("ed25519", 1)
    thing = make("cms", CONTRACT, by=other, files={"certificate": below()}, now=NOW + 99)
    made = sign("cms", thing, by=other)
    assert 'by       O="Team", CN="Contracts"' in made.words
    assert 'above it C="DE", O="Team", CN="Team Root"' in made.words
    assert certtool(tmp_path, made.finished, CONTRACT)
    assert pyhanko(made.finished, CONTRACT)
    verify("cms", made.finished, CONTRACT, by=other)


def certificate(*uses: str, days: int = 9) -> bytes:
    """One of the group's own making, whose key is for these uses."""
    key, subject = GroupPrivateKey.of(group().key, group().sign), x509.Name.from_rfc4514_string("CN=Odd")
    start = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), 7, start, start + datetime.timedelta(days=days)
    )
    usage = key_usage(*uses)
    return builder.add_extension(usage, critical=True).sign(key, None).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("pem", "now", "says"),
    [
        (b"", NOW, "not in PEM"),
        (root(group("ed25519", 1)), NOW, "not of the key"),
        (TOP, NOW - 9, "not valid at the time"),
        (certificate("digital_signature", days=1), NOW + 9 * 86400, "not valid at the time"),
        (certificate("key_cert_sign"), NOW, "not for signatures"),
        (TOP * 9, NOW, None),  # the same one counts once
    ],
)
def test_certificates(pem: bytes, now: int, says: str | None) -> None:
    if says is None:
        assert of("cms", certificate=pem, now=now).words.count("Team Root") == 2
        return
    with pytest.raises(NotPossible, match=says):
        of("cms", certificate=pem, now=now)


def test_a_certificate_of_times_that_no_clock_has() -> None:
    """The library reads the year 0, and breaks once it is asked what it has read."""
    tbs = der.Reader(x509.load_pem_x509_certificate(TOP).tbs_certificate_bytes, "a certificate").sequence()
    version, number = tbs.whole(der.context(0)), tbs.whole(der.INTEGER)
    algorithm, issuer, _, subject, key = (tbs.whole(der.SEQUENCE) for _ in range(5))
    times = (der.element(der.GENERALIZED_TIME, text) for text in (b"00000101000000Z", b"99991231235959Z"))
    fields = (version, number, algorithm, issuer, der.sequence(*times), subject, key, tbs.whole(der.context(3)))
    certificate = der.sequence(der.sequence(*fields), algorithm, der.bit_string(bytes(64)))
    made = of("cms").thing
    assert isinstance(made, CmsFile)
    with pytest.raises(NotPossible, match="times"):
        replace(made, certificates=(certificate,))


def test_what_is_too_large_does_not_go_inside() -> None:
    with pytest.raises(NotPossible, match="too large"):
        of("cms-attached", bytes(CARRIED + 1))


def test_a_request_whose_words_and_bytes_differ_is_refused() -> None:
    good = CmsFile.decode(make("cms", CONTRACT, files={"certificate": TOP}, now=NOW))
    (top,) = good.certificates
    other = x509.load_pem_x509_certificate(root(subject="CN=Another")).public_bytes(Encoding.DER)
    assert targets.load("cms").read(replace(good, contents=None).encode()).needs_own_copy
    for wrong in (
        good.encode().replace(b"We agree", b"We agre3"),
        good.encode() + b"\0",
        good.encode()[:-1],
        CmsAttachedFile.decode(good.encode()).encode().replace(top, top[:-1] + b"\0\0"),
        b"",
    ):
        with pytest.raises(MalformedMessage):
            targets.load("cms").read(wrong)
    with pytest.raises(MalformedMessage, match="too large"):
        targets.load("cms-attached").read(replace(good, contents=None).encode())
    for certificates in ((), (top, top), (top, *sorted((other, other))), (b"0\0",), (top,) * 9):
        with pytest.raises(NotPossible):
            replace(good, certificates=certificates)


TIMES = st.integers(NOW, NOW + 300 * 86400)


@few
@given(st.binary(max_size=200), TIMES, st.booleans())
def test_what_is_shown_is_what_others_parse(data: bytes, now: int, is_attached: bool) -> None:
    made = of("cms-attached" if is_attached else "cms", data, now=now)
    found = crypto_cms.ContentInfo.load(made.finished, strict=True)["content"]
    (signer,) = found["signer_infos"]
    said = {each["type"].native: each["values"][0].native for each in signer["signed_attrs"]}
    assert said["content_type"] == "data"
    assert said["message_digest"] == hashlib.sha512(data).digest()
    assert f"signed   {said['signing_time']:%Y-%m-%d %H:%M:%S} UTC" in made.words
    assert said["signing_certificate_v2"]["certs"][0]["cert_hash"].hex() in made.words
    assert f"  size     {len(data)} bytes" in made.words
    assert found["encap_content_info"]["content"].native == (data if is_attached else None)
    assert f"serial {signer['sid'].chosen['serial_number'].native:x}, issued by" in made.words
    assert len(said) == len(signer["signed_attrs"]) == 4


def test_a_time_after_2049_is_written_in_four_digits(tmp_path: Path) -> None:
    late = 2_600_000_000
    builder_of = make("x509-root", subject="CN=Late", days="36500", now=NOW)
    made = of("cms", certificate=sign("x509-root", builder_of).finished, now=late)
    assert b"\x18\x0f2052" in made.message
    verify("cms", made.finished, CONTRACT)
