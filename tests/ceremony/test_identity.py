from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from asn1crypto.algos import EncryptionAlgorithm
from ceremony.memory_token import CONFINED, IMPORTED, MemoryToken
from ceremony.people import (
    alice,
    bob,
    certificate_pem,
    flips,
    holder,
    openssl,
    private_key_pem,
    rsa_holder,
    rsa_key,
    truncations,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from frost_hsm.backends import KeyKind, Token
from frost_hsm.ceremony.people import identity, names
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity, RecordPlace
from frost_hsm.errors import (
    BadMessageSignature,
    InputProblem,
    KeyExists,
    KeyNotFound,
    KeyPolicy,
    MalformedMessage,
    MechanismUnsupported,
    NotPossible,
    TokenProblem,
)
from frost_hsm.forms import certificate, der, public_key
from frost_hsm.forms.certificate import Certificate
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.forms.public_key import P256_ORDER, PublicKey
from frost_hsm.secret import Secret


def with_rsa() -> Holder:
    return rsa_holder(OaepHash.SHA256)


def with_rsa_sha1() -> Holder:
    return rsa_holder(OaepHash.SHA1)


HOLDERS = [alice, with_rsa, with_rsa_sha1]


def spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def issued(person: Holder, wanted: Certificate) -> bytes:
    """Have a person's token sign a certificate of the test's making."""
    return wanted.issue(lambda tbs: person.sign(tbs))


# ── What others make of our certificates ──


@pytest.mark.parametrize("who", HOLDERS)
def test_openssl_verifies_the_chain_strictly(who: Callable[[], Holder], tmp_path: Path) -> None:
    public = who().public
    ran = openssl(
        tmp_path,
        *("verify", "-x509_strict", "-CAfile", "sign.pem", "sign.pem", "agree.pem"),
        sign=certificate_pem(public.sign_certificate),
        agree=certificate_pem(public.agree_certificate),
    )
    assert (ran.returncode, ran.stdout) == (0, b"sign.pem: OK\nagree.pem: OK\n"), ran.stderr


@pytest.mark.parametrize("who", HOLDERS)
def test_cryptography_reads_what_the_certificates_say(who: Callable[[], Holder]) -> None:
    public = who().public
    sign = x509.load_der_x509_certificate(public.sign_certificate)
    agree = x509.load_der_x509_certificate(public.agree_certificate)
    agree.verify_directly_issued_by(sign)
    sign.verify_directly_issued_by(sign)
    for each in (sign, agree):
        assert each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == public.name
        assert each.not_valid_before_utc.isoformat() == "2000-01-01T00:00:00+00:00"
        assert each.not_valid_after_utc.isoformat() == "9999-12-31T23:59:59+00:00"
        assert each.serial_number.bit_length() == 127

    constraints = sign.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert agree.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = sign.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and usage.value.key_cert_sign
    assert not usage.value.key_agreement
    usage = agree.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.value.key_agreement is not public.agree_key.is_rsa
    assert usage.value.key_encipherment is public.agree_key.is_rsa
    assert not usage.value.digital_signature

    point = sign.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    key_id = hashlib.sha256(point).digest()[:20]  # RFC 7093, method 1
    assert sign.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.key_identifier == key_id
    assert agree.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == key_id
    assert public.sign_key.key_id == key_id


@pytest.mark.parametrize("oaep_hash", OaepHash)
def test_an_rsa_certificate_says_its_oaep_hash_as_smime_clients_do(oaep_hash: OaepHash) -> None:
    public = rsa_holder(oaep_hash).public
    assert public.oaep_hash is oaep_hash
    parsed = asn1_x509.Certificate.load(public.agree_certificate)["tbs_certificate"]
    extension = [each for each in parsed["extensions"] if each["extn_id"].dotted == "1.2.840.113549.1.9.15"]
    (capability,) = der_children(extension[0]["extn_value"].parsed.dump())
    algorithm = EncryptionAlgorithm.load(capability)
    assert algorithm["algorithm"].native == "rsaes_oaep"
    assert algorithm["parameters"]["hash_algorithm"]["algorithm"].native == str(oaep_hash)
    assert algorithm["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native == str(oaep_hash)


def der_children(data: bytes) -> list[bytes]:
    reader = der.Reader(data, "it").sequence()
    children = []
    while reader.more():
        children.append(reader.whole(der.SEQUENCE))
    return children


# ── Reading an identity ──


@pytest.mark.parametrize("who", HOLDERS)
def test_an_identity_file_is_read_back(who: Callable[[], Holder]) -> None:
    public = who().public
    assert PublicIdentity.from_pem(public.to_pem()) == public
    assert public.to_pem().count(b"-----BEGIN CERTIFICATE-----\n") == 2


def test_a_fingerprint_is_eight_groups_of_four_of_the_digest() -> None:
    public = alice().public
    assert public.fingerprint.replace(" ", "") == public.digest.hex()[:32]
    assert [len(group) for group in public.fingerprint.split(" ")] == [4] * 8
    assert public.fingerprint != bob().public.fingerprint


def test_every_changed_byte_of_a_certificate_is_refused() -> None:
    public = alice().public
    for changed in flips(public.sign_certificate):
        with pytest.raises(InputProblem):
            PublicIdentity(changed, public.agree_certificate)
    for changed in flips(public.agree_certificate):
        with pytest.raises(InputProblem):
            PublicIdentity(public.sign_certificate, changed)


def test_every_truncated_certificate_is_refused() -> None:
    public = rsa_holder(OaepHash.SHA256).public
    for changed in truncations(public.agree_certificate):
        with pytest.raises(MalformedMessage):
            PublicIdentity(public.sign_certificate, changed)


def test_the_order_number_and_origin_of_certificates_matter() -> None:
    one, two = alice().public, bob().public
    for pair in (
        (one.agree_certificate, one.sign_certificate),
        (one.sign_certificate, one.sign_certificate),
        (one.sign_certificate, two.agree_certificate),
        (one.sign_certificate, one.agree_certificate + b"\0"),
    ):
        with pytest.raises(InputProblem):
            PublicIdentity(*pair)
    with pytest.raises(MalformedMessage, match="2 PEM blocks"):
        PublicIdentity.from_pem(certificate_pem(one.sign_certificate))
    with pytest.raises(MalformedMessage, match="larger"):
        PublicIdentity.from_pem(one.to_pem() + b"\n" * identity.MAX_PEM_SIZE)


def test_two_certificates_with_different_names_are_refused() -> None:
    public, key = alice().public, holder("names").public.agree_key
    other = issued(alice(), Certificate("mallory", key, bytes(16), public.sign_key))
    with pytest.raises(MalformedMessage, match="do not belong together"):
        PublicIdentity(public.sign_certificate, other)


@pytest.mark.parametrize("name", ["", "Alice", "a b", "../a", "a" * 33, "é", ".a", "a\n", "-a"])
def test_names_that_are_none_are_refused_everywhere(name: str) -> None:
    with pytest.raises(NotPossible):
        names.require_name(name)
    with pytest.raises(NotPossible):
        identity.create(MemoryToken(), name)
    key = alice().public.sign_key
    sign = issued(alice(), Certificate(name, key, bytes(16), key))
    agree = issued(alice(), Certificate(name, alice().public.agree_key, bytes(16), key))
    with pytest.raises(MalformedMessage):
        PublicIdentity(sign, agree)


@pytest.mark.parametrize("name", ["a", "0", "alice", "a.b_c-d", "a" * 32])
def test_names_that_are_possible(name: str) -> None:
    assert names.require_name(name) == name


def test_certificates_of_other_profiles_are_refused() -> None:
    """One by `cryptography`, valid and self-signed, but with dates of its own and without extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    now = x509.load_der_x509_certificate(alice().public.sign_certificate).not_valid_before_utc
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1 << 126, now, now.replace(year=2050))
    other = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    with pytest.raises(MalformedMessage):
        certificate.parse(other)


@pytest.mark.parametrize("length", [1, 15, 17])
def test_a_serial_number_of_another_length_is_refused(length: int) -> None:
    key = alice().public.sign_key
    with pytest.raises(MalformedMessage, match="serial number"):
        certificate.parse(issued(alice(), Certificate("alice", key, bytes(length), key)))


def test_a_high_s_in_a_certificate_is_refused() -> None:
    public = alice().public
    outer = der.Reader(public.sign_certificate, "it").sequence()
    tbs = outer.whole(der.SEQUENCE)
    outer.skip()
    signature = outer.contents(der.BIT_STRING)[1:]
    high = Certificate("alice", public.sign_key, serial(tbs), public.sign_key).issue(lambda _: high_s(signature))
    x509.load_der_x509_certificate(high).verify_directly_issued_by(x509.load_der_x509_certificate(high))
    with pytest.raises(BadMessageSignature):
        certificate.parse(high)


def serial(tbs: bytes) -> bytes:
    inner = der.Reader(tbs, "it").sequence()
    inner.skip()
    return inner.contents(der.INTEGER)


def high_s(signature: bytes) -> bytes:
    values = der.Reader(signature, "it").sequence()
    r, s = values.integer(33), values.integer(33)
    return der.sequence(der.integer(r), der.integer(P256_ORDER - s))


# ── Public keys ──


def ec_spki(bits: bytes) -> bytes:
    template = der.Reader(alice().public.sign_key.spki, "it").sequence()
    return der.sequence(template.whole(der.SEQUENCE), der.bit_string(bits))


def test_points_that_are_none_are_refused() -> None:
    good = alice().public.sign_key.bits
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    assert PublicKey(ec_spki(good)).bits == good
    for bits in (
        b"",
        b"\x00",  # the identity
        b"\x04" + bytes(64),
        b"\x04" + b"\xff" * 64,
        good[:64] + bytes((good[64] ^ 1,)),
        good + b"\0",
        good[:64],
        b"\x06" + good[1:],
        b"\x02" + good[1:33],
        b"\x04" + prime.to_bytes(32, "big") + good[33:],
    ):
        with pytest.raises(MalformedMessage):
            PublicKey(ec_spki(bits))


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        rsa.generate_private_key(65537, 1024).public_key(),
        rsa.RSAPublicNumbers(3, rsa_key().public_key().public_numbers().n).public_key(),
    ],
)
def test_keys_of_other_kinds_are_refused(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> None:
    with pytest.raises(MalformedMessage):
        PublicKey(spki(key))


@pytest.mark.parametrize("who", HOLDERS)
def test_every_changed_key_is_refused_or_another_key(who: Callable[[], Holder]) -> None:
    key = who().public.agree_key
    for changed in flips(key.spki):
        try:
            assert PublicKey(changed) != key
        except MalformedMessage:
            continue
        assert key.is_rsa, "one byte from a point on the curve is none"


# ── Making one ──


def test_create_labels_and_stores() -> None:
    token = MemoryToken()
    made = identity.create(token, "dora")
    labels = {key.id: key.label for key in token.keys()}
    assert labels == {made.sign_key_id: "frost-hsm dora sign", made.agree_key_id: "frost-hsm dora agree"}
    stored = {each.id: (each.label, each.der) for each in token.certificates()}
    assert stored == {
        made.sign_key_id: ("frost-hsm dora sign", made.public.sign_certificate),
        made.agree_key_id: ("frost-hsm dora agree", made.public.agree_certificate),
    }
    assert identity.find(token, made.records) == [made]


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", range(6))
def test_create_completes_what_a_crash_left(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies after the n-th thing that it changed or signed in the token; then it runs again."""
    token, done = MemoryToken(), 0

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal done
            result = method(*arguments)
            done += 1
            if done == step + 1:
                raise Crash
            return result

        return call

    with monkeypatch.context() as patched:
        for name in ("generate", "sign", "store_certificate"):
            patched.setattr(token, name, dying(getattr(token, name)))
        with pytest.raises(Crash):
            identity.create(token, "erin")
    made = identity.create(token, "erin")
    assert len(token.keys()) == len(token.certificates()) == 2
    assert identity.create(token, "erin") == made
    assert identity.find(token, made.records) == [made]


def test_two_identities_live_on_one_token() -> None:
    token = MemoryToken()
    made = [identity.create(token, name) for name in ("ann", "ben")]
    assert identity.find(token, RecordPlace.DIRECTORY) == made


def test_find_ignores_foreign_certificates() -> None:
    token = MemoryToken()
    token.store_certificate(b"foreign", "foreign", b"\x30\x00")
    token.store_certificate(b"bob", "half of bob", bob().public.sign_certificate)
    made = identity.create(token, "ann")
    assert identity.find(token, made.records) == [made]


def issued_by_one_authority(number: int) -> list[bytes]:
    """Certificates of servers, as a company issues them: each names the authority alone as who made it."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority")])
    begin = datetime.datetime(2020, 1, 1)
    made = []
    for place in range(number):
        builder = x509.CertificateBuilder(issuer, public_key=key.public_key(), serial_number=place + 1)
        named = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"server {place}")]))
        dated = named.not_valid_before(begin).not_valid_after(begin + datetime.timedelta(1))
        made.append(dated.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    return made


@pytest.mark.parametrize("number", [5, 50])
def test_finding_an_identity_reads_each_foreign_certificate_once(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many people's certificates, and many that one authority has issued; before an identity is made, and after."""
    token = MemoryToken()
    foreign = issued_by_one_authority(2 * number)
    for place, issued in enumerate(foreign):
        token.store_certificate(b"foreign %d" % place, "foreign", issued)
    for each in range(number):
        stranger = MemoryToken()
        identity.create(stranger, f"stranger-{each}")
        for stored in stranger.certificates():
            token.store_certificate(stored.id, stored.label, stored.der)
    counted: list[bytes] = []
    parse = certificate.parse

    def counting(data: bytes, *arguments: Any, **options: Any) -> Certificate:
        counted.append(data)
        return parse(data, *arguments, **options)

    monkeypatch.setattr(certificate, "parse", counting)
    identity.create(token, "alice")
    assert len(counted) / len(token.certificates()) < 8, "as many for each, however many there are"
    counted.clear()
    found = identity.find(token)
    assert not set(counted) & set(foreign), "an authority's are not of one name"
    assert [each.name for each in found] == sorted(["alice", *(f"stranger-{each}" for each in range(number))])
    assert len(counted) / len(found) < 12, "as many for each, however many there are"


def test_create_refuses_keys_of_another_kind_under_its_labels() -> None:
    token = MemoryToken(rsa_key=rsa_key())
    identity.create(token, "ann")
    with pytest.raises(KeyExists, match="frost-hsm ann agree"):
        identity.create(token, "ann", KeyKind.DECRYPT)
    token.generate(KeyKind.SIGN, bytes(16), "frost-hsm ann sign")
    with pytest.raises(KeyExists, match="frost-hsm ann sign"):
        identity.create(token, "ann")
    with pytest.raises(NotPossible):
        identity.create(token, "ann", KeyKind.SIGN)


def test_create_refuses_a_token_whose_keys_can_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    token = MemoryToken()
    key = ec.generate_private_key(ec.SECP256R1())
    monkeypatch.setattr(token, "generate", lambda kind, key_id, label: token.put(key, kind, key_id, label, IMPORTED))
    with pytest.raises(KeyPolicy, match="frost-hsm ann sign"):
        identity.create(token, "ann")
    assert token.certificates() == []


def test_create_refuses_an_rsa_token_that_knows_no_oaep() -> None:
    with pytest.raises(MechanismUnsupported):
        identity.create(MemoryToken([], rsa_key()), "ann", KeyKind.DECRYPT)


def test_a_token_that_signs_wrongly_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (bytes(64), b"\xff" * 64, b"\x01" * 64, b"", b"\x01" * 65):
        token = MemoryToken()
        monkeypatch.setattr(token, "sign", lambda key_id, digest, wrong=wrong: wrong)
        with pytest.raises(TokenProblem):
            identity.create(token, "ann")


def test_signatures_have_a_low_s_whatever_the_token_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    person = holder("low")
    token, both = person.token, set()
    sign = token.sign
    for high in (False, True):

        def one_half(key_id: bytes, digest: bytes, high: bool = high) -> bytes:
            raw = sign(key_id, digest)
            s = int.from_bytes(raw[32:], "big")
            s = max(s, P256_ORDER - s) if high else min(s, P256_ORDER - s)
            return raw[:32] + s.to_bytes(32, "big")

        monkeypatch.setattr(token, "sign", one_half)
        signature = person.sign(b"data")
        both.add(signature)
        assert public_key.is_low(signature) and not public_key.is_low(high_s(signature))
        person.public.sign_key.verify(signature, b"data")
        with pytest.raises(BadMessageSignature):
            person.public.sign_key.verify(high_s(signature), b"data")
    assert len(both) == 2


# ── Adopting keys ──


def test_adopt_certifies_existing_keys() -> None:
    token = MemoryToken()
    token.generate(KeyKind.SIGN, b"s" * 16, "mine")
    token.generate(KeyKind.AGREE, b"a" * 16, "mine too")
    adopted = identity.adopt(token, "ann", b"s" * 16, b"a" * 16)
    assert (adopted.sign_key_id, adopted.agree_key_id) == (b"s" * 16, b"a" * 16)
    assert identity.adopt(token, "ann", b"s" * 16, b"a" * 16) == adopted
    assert identity.find(token, RecordPlace.DIRECTORY) == [adopted]


def test_adopt_gives_the_same_keys_another_name() -> None:
    token = MemoryToken()
    first = identity.create(token, "ann")
    second = identity.adopt(token, "ben", first.sign_key_id, first.agree_key_id)
    assert (second.name, second.public.sign_key) == ("ben", first.public.sign_key)
    assert identity.find(token, RecordPlace.DIRECTORY) == [first, second]


def test_adopt_refuses_keys_that_were_outside_unless_allowed() -> None:
    token = MemoryToken()
    token.generate(KeyKind.SIGN, b"s" * 16, "mine")
    token.put(ec.generate_private_key(ec.SECP256R1()), KeyKind.AGREE, b"a" * 16, "imported", IMPORTED)
    with pytest.raises(KeyPolicy, match="imported"):
        identity.adopt(token, "ann", b"s" * 16, b"a" * 16)
    assert token.certificates() == []
    assert identity.adopt(token, "ann", b"s" * 16, b"a" * 16, allow_imported=True).name == "ann"


def test_adopt_wants_keys_that_are_there_and_of_the_right_kind() -> None:
    token = MemoryToken()
    token.generate(KeyKind.SIGN, b"s" * 16, "mine")
    for sign, agree in ((b"x" * 16, b"s" * 16), (b"s" * 16, b"x" * 16)):
        with pytest.raises(KeyNotFound):
            identity.adopt(token, "ann", sign, agree)
    with pytest.raises(NotPossible):
        identity.adopt(token, "ann", b"s" * 16, b"s" * 16)


def test_adopt_tries_what_a_key_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token may not say that a key agrees, and be right in what it does; or say so, and be wrong."""
    token = MemoryToken()
    for key_id in (b"s", b"a"):
        token.generate(KeyKind.SIGN, key_id, "mine")
    assert identity.adopt(token, "ann", b"s", b"a").agree_key_id == b"a"
    monkeypatch.setattr(token, "agree", lambda key_id, point: Secret(bytes(32)))
    with pytest.raises(KeyNotFound, match="not what its public key says"):
        identity.adopt(token, "ann", b"s", b"a")


def test_keys_that_the_token_does_not_claim_to_have_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """NSS says so of all keys. What it made here just now is taken if its owner says so; what may leave it never is."""
    for attributes, is_taken in ((replace(CONFINED, local=False), True), (replace(CONFINED, extractable=True), False)):
        token = MemoryToken()
        monkeypatch.setattr(token, "put", partial(token.put, attributes=attributes))
        with pytest.raises(KeyPolicy, match="made outside it") as caught:
            identity.create(token, "ann")
        assert "--allow-imported" in str(caught.value.hint)
        if is_taken:
            assert identity.create(token, "ann", allow_imported=True).name == "ann"
        else:
            with pytest.raises(KeyPolicy):
                identity.create(token, "ann", allow_imported=True)


def test_adopt_leaves_a_foreign_certificate_where_only_one_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    token = MemoryToken()
    token.generate(KeyKind.SIGN, b"s" * 16, "mine")
    token.generate(KeyKind.AGREE, b"a" * 16, "mine too")

    def full(key_id: bytes, label: str, data: bytes) -> None:
        raise KeyExists("another certificate is there")

    monkeypatch.setattr(token, "store_certificate", full)
    adopted = identity.adopt(token, "ann", b"s" * 16, b"a" * 16)
    assert PublicIdentity.from_pem(adopted.public.to_pem()) == adopted.public


# ── On real tokens ──


@pytest.mark.parametrize("backend", ["software_token", "new_token"])
def test_an_identity_on_a_real_token(
    backend: str, request: pytest.FixtureRequest, open_token: Callable[..., Token]
) -> None:
    fixture = request.getfixturevalue(backend)("identity")
    with open_token(fixture) as token:
        made = identity.create(token, "ann")
        again = identity.create(token, "ann")
        assert identity.find(token, made.records) == [made]
        assert replace(again, token=made.token) == made
        signature = Holder(made, token).sign(b"data")
        made.public.sign_key.verify(signature, b"data")
    with open_token(fixture) as token:
        (found,) = identity.find(token, made.records)
        assert found.public == made.public
        assert {key.id for key in token.keys()} == {made.sign_key_id, made.agree_key_id}


def test_openssl_takes_the_private_key_of_the_agree_certificate(tmp_path: Path) -> None:
    """The point of `private_key_pem`: what other tests decrypt with is the key that is certified."""
    ran = openssl(tmp_path, "pkey", "-in", "key.pem", "-pubout", "-outform", "DER", key=private_key_pem(alice()))
    assert ran.stdout == alice().public.agree_key.spki
