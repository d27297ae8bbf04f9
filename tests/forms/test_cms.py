from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from ceremony.people import alice, bob, flips, openssl, truncations
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from frost_hsm.errors import BadMessageSignature, InputProblem, MalformedMessage
from frost_hsm.forms import cms, der, oids, pem
from frost_hsm.forms.public_key import P256_ORDER

CONTENT = b"what is said"
SIGNED = cms.sign(oids.ROUND1, CONTENT, alice())

VERIFY = ("cms", "-verify", "-inform", "PEM", "-binary", "-certfile", "alice.pem", "-CAfile", "alice.pem")


def accepted_by_openssl(data: bytes, directory: Path) -> bytes | None:
    """Return the content that OpenSSL takes from a message of Alice's, or None if it refuses."""
    ran = openssl(
        directory,
        *VERIFY,
        "-in",
        "message.pem",
        message=pem.encode("CMS", data),
        alice=alice().public.to_pem(),
    )
    return ran.stdout if ran.returncode == 0 else None


# ── What others make of it ──


@pytest.mark.parametrize("content", [CONTENT, b"\r\n\0\n", bytes(100_000)])
def test_openssl_verifies(content: bytes, tmp_path: Path) -> None:
    assert accepted_by_openssl(cms.sign(oids.ROUND1, content, alice()), tmp_path) == content


def test_openssl_refuses_after_any_byte_of_the_content_changed(tmp_path: Path) -> None:
    start = SIGNED.index(CONTENT)
    for position in range(start, start + len(CONTENT)):
        changed = bytearray(SIGNED)
        changed[position] ^= 1
        assert accepted_by_openssl(bytes(changed), tmp_path) is None
        with pytest.raises(BadMessageSignature, match="altered"):
            cms.parse(bytes(changed)).verify(alice().public.sign_key)


def test_openssl_refuses_another_signer(tmp_path: Path) -> None:
    assert accepted_by_openssl(cms.sign(oids.ROUND1, CONTENT, bob()), tmp_path) is None


def test_asn1crypto_reads_exactly_the_profile() -> None:
    info = asn1_cms.ContentInfo.load(SIGNED, strict=True)
    assert info["content_type"].native == "signed_data"
    signed = info["content"]
    assert signed["version"].native == "v3"
    assert [each["algorithm"].native for each in signed["digest_algorithms"]] == ["sha256"]
    assert signed["encap_content_info"]["content_type"].dotted == oids.ROUND1
    assert signed["encap_content_info"]["content"].native == CONTENT
    assert signed["certificates"].native is None and signed["crls"].native is None
    (signer,) = signed["signer_infos"]
    assert signer["version"].native == "v3"
    assert signer["sid"].name == "subject_key_identifier"
    assert signer["sid"].native == alice().public.sign_key.key_id
    assert {each["type"].native for each in signer["signed_attrs"]} == {"content_type", "message_digest"}
    assert signer["signature_algorithm"]["algorithm"].native == "sha256_ecdsa"
    assert signer["unsigned_attrs"].native is None
    assert decode_dss_signature(signer["signature"].native)[1] <= P256_ORDER // 2
    assert info.dump(force=True) == SIGNED


# ── What lies beside ──

BESIDE = [der.sequence(der.octet_string(each)) for each in (b"one", b"another", b"the third")]


def test_openssl_verifies_what_something_lies_beside(tmp_path: Path) -> None:
    """It is an unsigned attribute like any other: RFC 5652, section 5.3."""
    data = cms.sign(oids.ROUND1, CONTENT, alice(), BESIDE)
    assert accepted_by_openssl(data, tmp_path) == CONTENT
    (signer,) = asn1_cms.ContentInfo.load(data, strict=True)["content"]["signer_infos"]
    (attribute,) = signer["unsigned_attrs"]
    assert attribute["type"].dotted == oids.ENCLOSURES
    assert cms.parse(data, may_enclose=True).enclosed == tuple(sorted(BESIDE))


def test_it_is_left_out_and_put_back() -> None:
    whole = cms.parse(cms.sign(oids.ROUND1, CONTENT, alice(), BESIDE), may_enclose=True)
    part = cms.parse(whole.enclosing(BESIDE[:1]), may_enclose=True)
    part.verify(alice().public.sign_key)
    assert part.enclosed == (BESIDE[0],)
    assert part.enclosing(reversed(BESIDE)) == whole.der
    assert cms.parse(part.enclosing(())).signature == whole.signature


def test_where_nothing_may_lie_beside_it_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        cms.parse(cms.sign(oids.SEALED_RECORD, CONTENT, alice(), BESIDE))


def test_what_lies_beside_has_one_form() -> None:
    """Nothing twice, in ascending order, each a SEQUENCE, in one attribute of our type, and no empty one."""
    one, two = (der.sequence(der.octet_string(each)) for each in (b"one", b"two"))
    data = cms.sign(oids.ROUND1, CONTENT, alice(), [one, two])
    empty = asn1_cms.ContentInfo.load(SIGNED)
    empty["content"]["signer_infos"][0]["unsigned_attrs"] = [{"type": oids.ENCLOSURES, "values": []}]
    for wrong in (
        data.replace(one + two, two + one),
        data.replace(two, one),
        data.replace(two, der.element(der.SET, two[2:])),
        data.replace(der.oid(oids.ENCLOSURES), der.oid(oids.PREPARED)),
        empty.dump(force=True),
    ):
        assert wrong not in (data, SIGNED)
        with pytest.raises(MalformedMessage):
            cms.parse(wrong, may_enclose=True)


# ── Reading ──


def test_reads_what_it_wrote() -> None:
    message = cms.parse(SIGNED)
    message.verify(alice().public.sign_key)
    assert (message.content_type, message.content, message.der) == (oids.ROUND1, CONTENT, SIGNED)
    assert message.signer_key_id == alice().public.sign_key.key_id


def test_another_key_does_not_verify() -> None:
    with pytest.raises(BadMessageSignature):
        cms.parse(SIGNED).verify(bob().public.sign_key)


def test_every_truncation_is_malformed() -> None:
    for cut in truncations(SIGNED):
        with pytest.raises(MalformedMessage):
            cms.parse(cut)


def test_every_changed_byte_is_refused_but_in_the_key_identifier() -> None:
    """The key identifier is not signed; whoever changes it makes a message of nobody's: see test_messages."""
    key_id = SIGNED.index(alice().public.sign_key.key_id)
    for number, changed in enumerate(flips(SIGNED)):
        try:
            message = cms.parse(changed)
            message.verify(alice().public.sign_key)
        except InputProblem:
            continue
        assert key_id <= number // 3 < key_id + 20
        assert message.signer_key_id != alice().public.sign_key.key_id


def test_too_large_is_said_before_anything_is_read() -> None:
    with pytest.raises(MalformedMessage, match="larger"):
        cms.parse(bytes(cms.MAX_SIZE + 1))


# ── The same message in forms that CMS would allow ──


def rebuilt(change: Callable[[asn1_cms.SignedData], None]) -> bytes:
    """Take the message apart with asn1crypto, change something, and encode it again."""
    info = asn1_cms.ContentInfo.load(SIGNED)
    change(info["content"])
    return bytes(info.dump(force=True))


def two_signers(signed: asn1_cms.SignedData) -> None:
    signed["signer_infos"].append(signed["signer_infos"][0].copy())


def no_signer(signed: asn1_cms.SignedData) -> None:
    signed["signer_infos"] = []


def unsigned_attribute(signed: asn1_cms.SignedData) -> None:
    attribute = asn1_cms.CMSAttribute({"type": "content_type", "values": ["data"]})
    signed["signer_infos"][0]["unsigned_attrs"] = [attribute]


def signing_time(signed: asn1_cms.SignedData) -> None:
    signed["signer_infos"][0]["signed_attrs"].append(
        asn1_cms.CMSAttribute.load(cms.attribute("1.2.840.113549.1.9.5", der.element(der.UTC_TIME, b"260101000000Z")))
    )


def certificate(signed: asn1_cms.SignedData) -> None:
    signed["certificates"] = [
        asn1_cms.CertificateChoices.load(alice().public.sign_certificate),
    ]


def version_1(signed: asn1_cms.SignedData) -> None:
    signed["version"] = "v1"


def digest_with_null(signed: asn1_cms.SignedData) -> None:
    signed["digest_algorithms"] = [asn1_cms.DigestAlgorithm.load(der.algorithm(oids.SHA256, b"\x05\x00"))]


def other_digest(signed: asn1_cms.SignedData) -> None:
    signed["signer_infos"][0]["digest_algorithm"] = {"algorithm": "sha384"}


def other_type(signed: asn1_cms.SignedData) -> None:
    signed["encap_content_info"]["content_type"] = oids.ROUND2


def no_content(signed: asn1_cms.SignedData) -> None:
    signed["encap_content_info"] = {"content_type": oids.ROUND1}


def high_s(signed: asn1_cms.SignedData) -> None:
    values = der.Reader(signed["signer_infos"][0]["signature"].native, "it").sequence()
    r, s = values.integer(33), values.integer(33)
    signed["signer_infos"][0]["signature"] = der.sequence(der.integer(r), der.integer(P256_ORDER - s))


@pytest.mark.parametrize(
    "change",
    [
        two_signers,
        no_signer,
        unsigned_attribute,
        signing_time,
        certificate,
        version_1,
        digest_with_null,
        other_digest,
        no_content,
    ],
)
def test_other_forms_are_malformed(change: Callable[[asn1_cms.SignedData], None]) -> None:
    with pytest.raises(MalformedMessage):
        cms.parse(rebuilt(change))


def test_a_swapped_content_type_is_malformed() -> None:
    """The signed attribute says another type than the contents have."""
    with pytest.raises(MalformedMessage):
        cms.parse(rebuilt(other_type))
    both = SIGNED.replace(der.oid(oids.ROUND1), der.oid(oids.ROUND2))
    with pytest.raises(BadMessageSignature):
        cms.parse(both).verify(alice().public.sign_key)


def test_a_high_s_is_refused_though_openssl_takes_it(tmp_path: Path) -> None:
    changed = rebuilt(high_s)
    assert accepted_by_openssl(changed, tmp_path) == CONTENT
    with pytest.raises(BadMessageSignature):
        cms.parse(changed).verify(alice().public.sign_key)


@pytest.mark.parametrize(("key_id", "digest"), [(19, 32), (21, 32), (20, 31), (20, 33), (0, 32), (20, 0)])
def test_a_key_identifier_or_digest_of_another_length_is_malformed(key_id: int, digest: int) -> None:
    with pytest.raises(MalformedMessage, match="another length"):
        cms.parse(cms._encode(oids.ROUND1, CONTENT, bytes(key_id), bytes(digest), b"signature", ()))


def relength(data: bytes, header: bytes) -> bytes:
    """Give the outermost element another length."""
    start = 2 + (data[1] - 0x80)
    return data[:1] + header + data[start:]


@pytest.mark.parametrize(
    "changed",
    [
        SIGNED + b"\0",
        b"\0" + SIGNED,
        relength(SIGNED, b"\x84" + (len(SIGNED) - 4).to_bytes(4, "big")),
        relength(SIGNED, b"\x80") + b"\0\0",
        SIGNED.replace(der.octet_string(CONTENT), b"\x04\x81" + der.octet_string(CONTENT)[1:]),
        SIGNED.replace(der.octet_string(CONTENT), b"\x24\x80" + der.octet_string(CONTENT) + b"\0\0"),
    ],
)
def test_ber_is_malformed(changed: bytes) -> None:
    with pytest.raises(MalformedMessage):
        cms.parse(changed)


# ── Detached ──

DETACHED = cms.sign_detached(CONTENT, alice(), alice().public.certificates)


def detached_accepted_by_openssl(content: bytes, signature: bytes, directory: Path) -> bool:
    words = "cms -verify -binary -inform DER -in s.pem -content content.pem -CAfile alice.pem -out out"
    return (
        openssl(directory, *words.split(), s=signature, content=content, alice=alice().public.to_pem()).returncode == 0
    )


@pytest.mark.parametrize("content", [b"", CONTENT, b"line\n", b"\r\n\0\n"])
def test_openssl_verifies_a_detached_signature(content: bytes, tmp_path: Path) -> None:
    made = cms.sign_detached(content, alice(), alice().public.certificates)
    assert detached_accepted_by_openssl(content, made, tmp_path)
    assert not detached_accepted_by_openssl(content + b"x", made, tmp_path)
    cms.parse_detached(made).verify(alice().public.sign_key, content)
    with pytest.raises(BadMessageSignature, match="not the one that was signed"):
        cms.parse_detached(made).verify(alice().public.sign_key, content + b"x")
    with pytest.raises(BadMessageSignature):
        cms.parse_detached(made).verify(bob().public.sign_key, content)


def test_every_truncated_or_changed_detached_signature_is_refused() -> None:
    """What is not signed are the certificates and the key identifier, whose owner sees to them: `plans.signature`."""
    for cut in truncations(DETACHED):
        with pytest.raises(MalformedMessage):
            cms.parse_detached(cut)
    read = cms.parse_detached(DETACHED)
    for changed in flips(DETACHED):
        try:
            found = cms.parse_detached(changed)
            found.verify(alice().public.sign_key, CONTENT)
        except InputProblem:
            continue
        assert (found.certificates, found.signer_key_id) != (read.certificates, read.signer_key_id)


def test_a_signed_message_is_no_detached_signature() -> None:
    with pytest.raises(MalformedMessage):
        cms.parse_detached(SIGNED)
    with pytest.raises(MalformedMessage):
        cms.parse(DETACHED)
    with pytest.raises(MalformedMessage, match="larger"):
        cms.parse_detached(bytes(cms.MAX_DETACHED_SIZE + 1))
