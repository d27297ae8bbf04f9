from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import pytest
from ceremony.people import (
    alice,
    bob,
    certificate_pem,
    flips,
    holder,
    memory_token,
    openssl,
    private_key_pem,
    rsa_holder,
    rsa_key,
    truncations,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from frost_hsm.backends import KeyKind, Token
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing import envelope, recipients
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.envelope import Envelope, decrypt, encrypt, reopen, seal, unseal
from frost_hsm.ceremony.sealing.recipients import KeyAgreement, KeyTransport
from frost_hsm.errors import FrostHsmError, MalformedMessage, NotPossible, SealBroken, TokenLost
from frost_hsm.forms import cms, der, oids, pem
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

PLAINTEXT = bytes(range(32))
BEFORE = 64  # bytes of hash and seed before it
SEED = Secret(b"s" * 32)


def with_rsa() -> Holder:
    return rsa_holder(OaepHash.SHA256)


def with_rsa_sha1() -> Holder:
    return rsa_holder(OaepHash.SHA1)


RECIPIENTS = [bob, with_rsa, with_rsa_sha1]


def context(recipient: Holder, sender: Holder | None = None, **others: Any) -> Context:
    return Context(
        ceremony=others.pop("ceremony", bytes(32)),
        kind=others.pop("kind", Kind.ROUND2_SHARE),
        suite="FROST-P256-SHA256-v1",
        sender=(sender or alice()).public.sign_key.digest,
        recipient=recipient.public.agree_key.digest,
        **others,
    )


def encrypted(recipient: Holder, plaintext: bytes = PLAINTEXT) -> bytes:
    return encrypt(context(recipient), Secret(plaintext), [recipient.public])


def revealed(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


def agreement(data: bytes) -> KeyAgreement:
    """Return the one recipient of an envelope."""
    (recipient,) = Envelope.decode(data).recipients
    assert isinstance(recipient, KeyAgreement)
    return recipient


TO_BOB = encrypted(bob())
DECRYPT = (
    "cms",
    "-decrypt",
    "-inform",
    "PEM",
    "-in",
    "envelope.pem",
    "-inkey",
    "key.pem",
    "-recip",
    "agree.pem",
)


# ── What others make of it ──


@pytest.mark.parametrize("who", RECIPIENTS)
def test_openssl_opens_an_envelope_with_the_private_key(who: Callable[[], Holder], tmp_path: Path) -> None:
    ran = openssl(
        tmp_path,
        *DECRYPT,
        envelope=pem.encode("CMS", encrypted(who())),
        key=private_key_pem(who()),
        agree=certificate_pem(who().public.agree_certificate),
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout[:32] == hashlib.sha256(context(who()).encode()).digest()
    assert ran.stdout[BEFORE:] == PLAINTEXT


def test_openssl_opens_an_envelope_to_a_key_of_the_software_backend(
    software_token: Callable[..., Any], open_token: Callable[..., Token], tmp_path: Path
) -> None:
    with open_token(software_token("envelope")) as token:
        person = Holder(identity.create(token, "ann"), token)
        data = encrypted(person)
        assert revealed(decrypt(data, context(person), person)) == PLAINTEXT
        # A software token has its keys in memory while it works with them; no other token would do this.
        private = token._private_key(person.identity.agree_key_id, KeyKind.AGREE)  # type: ignore[attr-defined]
        key = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    ran = openssl(
        tmp_path,
        *DECRYPT,
        envelope=pem.encode("CMS", data),
        key=key,
        agree=certificate_pem(person.public.agree_certificate),
    )
    assert ran.stdout[BEFORE:] == PLAINTEXT, ran.stderr


def test_openssl_refuses_a_changed_envelope(tmp_path: Path) -> None:
    changed = TO_BOB[:-1] + bytes((TO_BOB[-1] ^ 1,))
    ran = openssl(
        tmp_path,
        *DECRYPT,
        envelope=pem.encode("CMS", changed),
        key=private_key_pem(bob()),
        agree=certificate_pem(bob().public.agree_certificate),
    )
    assert ran.returncode != 0


@pytest.mark.parametrize("who", RECIPIENTS)
def test_we_open_the_key_that_openssl_wraps(who: Callable[[], Holder], tmp_path: Path) -> None:
    """OpenSSL chooses no context, so only the recipient part is its own; the rest is ours around its key."""
    person = who()
    options = ("-keyopt", "ecdh_kdf_md:sha256", "-aes256-wrap")
    if person.public.agree_key.is_rsa:
        digest = str(person.public.oaep_hash)
        options = ("-keyopt", "rsa_padding_mode:oaep", "-keyopt", f"rsa_oaep_md:{digest}")
    ran = openssl(
        tmp_path,
        *("cms", "-encrypt", "-aes-256-gcm", "-binary", "-keyid", "-outform", "DER", "-in", "plain.pem"),
        *("-recip", "agree.pem", *options),
        plain=PLAINTEXT,
        agree=certificate_pem(person.public.agree_certificate),
    )
    assert ran.returncode == 0, ran.stderr
    theirs = der.Reader(ran.stdout, "OpenSSL's").sequence()
    theirs.skip()
    enveloped = theirs.inside(der.context(0)).sequence()
    enveloped.skip()
    infos = enveloped.inside(der.SET)
    content = enveloped.sequence()
    content.skip()
    parameters = content.sequence()
    parameters.skip()
    nonce = parameters.sequence().octet_string()
    sealed = content.contents(der.context(0, constructed=False)) + enveloped.octet_string()

    key = unwrapped(infos, person)
    assert AESGCM(key).decrypt(nonce, sealed, None) == PLAINTEXT


def unwrapped(infos: der.Reader, person: Holder) -> bytes:
    """Unwrap OpenSSL's key, whose form is not ours: it has no ukm, and other OAEP parameters."""
    if infos.has(der.SEQUENCE):
        info = infos.sequence()
        for _ in ("version", "identifier", "algorithm"):
            info.skip()
        transport = KeyTransport(b"", cast(OaepHash, person.public.oaep_hash), info.octet_string())
        return revealed(transport.unwrap(person))
    info = infos.inside(der.context(1))
    info.skip()
    originator = info.inside(der.context(0)).inside(der.context(1))
    originator.skip()
    point = originator.contents(der.BIT_STRING)[1:]
    info.skip()
    wrapped_key = info.sequence().sequence()
    wrapped_key.skip()
    shared = revealed(person.token.agree(person.identity.agree_key_id, point))
    without_ukm = der.sequence(der.algorithm(oids.AES256_WRAP), recipients._KEY_BITS)
    return aes_key_unwrap(X963KDF(SHA256(), 32, without_ukm).derive(shared), wrapped_key.octet_string())


# ── Opening ──


@pytest.mark.parametrize("who", RECIPIENTS)
@pytest.mark.parametrize("length", [0, 1, 32, 70_000])
def test_the_recipient_opens_it_with_one_token_operation(who: Callable[[], Holder], length: int) -> None:
    data, person = encrypted(who(), bytes(length)), who()
    before = memory_token(person).calls
    assert revealed(decrypt(data, context(person), person)) == bytes(length)
    assert memory_token(person).calls == before + 1


@pytest.mark.parametrize("who", RECIPIENTS)
def test_every_changed_byte_is_refused_with_one_sentence(who: Callable[[], Holder]) -> None:
    data, person, sentences = encrypted(who()), who(), set()
    for changed in flips(data):
        with pytest.raises(SealBroken) as caught:
            decrypt(changed, context(person), person)
        sentences.add(str(caught.value))
    named = {f"the envelope of this round2-share is bound to another {field.name}" for field in fields(Context)}
    assert sentences - named == {"the envelope does not open"}


@pytest.mark.parametrize("who", [bob, with_rsa])
def test_every_truncation_is_refused(who: Callable[[], Holder]) -> None:
    data, person = encrypted(who()), who()
    for cut in truncations(data):
        with pytest.raises(SealBroken):
            decrypt(cut, context(person), person)
    with pytest.raises(SealBroken):
        decrypt(data + b"\0", context(person), person)


OTHERS = {
    "ceremony": b"\1" * 32,
    "kind": Kind.SIGNING_SHARE,
    "suite": "FROST-ED25519-SHA512-v1",
    "sender": bytes(32),
    "recipient": bytes(32),
    "key": b"\2" * 33,
    "epoch": 1,
    "binding": b"x",
}


def test_every_field_of_the_context_is_tried() -> None:
    assert set(OTHERS) == {field.name for field in fields(Context)}


@pytest.mark.parametrize("field", OTHERS)
def test_an_envelope_opens_under_its_own_context_only(field: str) -> None:
    other = replace(context(bob()), **{field: OTHERS[field]})
    before = memory_token(bob()).calls
    with pytest.raises(SealBroken, match=f"bound to another {field}$"):
        decrypt(TO_BOB, other, bob())
    assert memory_token(bob()).calls == before, "the token is not asked for what is foreign anyway"
    with pytest.raises(SealBroken, match="does not open"):
        decrypt(encrypted(with_rsa()), replace(context(with_rsa()), **{field: OTHERS[field]}), with_rsa())


def test_a_rewritten_ukm_does_not_unwrap() -> None:
    """Who changes the context in an envelope changes the key that it is wrapped under."""
    changed = replace(context(bob()), epoch=7)
    forged = replace(Envelope.decode(TO_BOB), recipients=(replace(agreement(TO_BOB), ukm=changed.encode()),))
    with pytest.raises(SealBroken, match="does not open"):
        decrypt(forged.encode(), changed, bob())


@pytest.mark.parametrize("who", [bob, with_rsa])
def test_the_contents_are_bound_to_the_context_on_their_own(who: Callable[[], Holder]) -> None:
    """Even a sender who wraps the key for one context and encrypts under another is refused."""
    one, two = context(who()), replace(context(who()), epoch=7)
    key = Secret(bytes(32))
    sealed = AESGCM(bytes(32)).encrypt(bytes(12), hashlib.sha256(one.encode()).digest() + bytes(32) + PLAINTEXT, None)
    for wrapped_for in (one, two):
        wrapped = recipients.wrap(key, wrapped_for.encode(), who().public, SEED)
        data = Envelope((wrapped,), bytes(12), sealed).encode()
        if wrapped_for == one:
            assert revealed(decrypt(data, one, who())) == PLAINTEXT
        with pytest.raises(SealBroken):
            decrypt(data, two, who())


def test_another_recipient_cannot_open_it() -> None:
    with pytest.raises(SealBroken, match="does not open"):
        decrypt(TO_BOB, context(bob()), holder("carol"))
    # … nor by writing their own key identifier into it
    changed = TO_BOB.replace(bob().public.agree_key.key_id, holder("carol").public.agree_key.key_id)
    with pytest.raises(SealBroken, match="does not open"):
        decrypt(changed, context(bob()), holder("carol"))


def test_swapped_envelopes_are_refused() -> None:
    first, second = (encrypted(person) for person in (bob(), holder("carol")))
    with pytest.raises(SealBroken):
        decrypt(second, context(bob()), bob())
    with pytest.raises(SealBroken):
        decrypt(first, context(holder("carol")), holder("carol"))


def test_the_ephemeral_key_of_another_sender_is_refused() -> None:
    """Somebody copies the recipient part of a victim's envelope into their own."""
    victim = agreement(TO_BOB)
    copied = replace(Envelope.decode(encrypted(bob())), recipients=(victim,))
    mallory = context(bob(), sender=holder("mallory"))
    for expected in (context(bob()), mallory):
        with pytest.raises(SealBroken):
            decrypt(copied.encode(), expected, bob())
    own = replace(copied, recipients=(replace(victim, ukm=mallory.encode()),))
    with pytest.raises(SealBroken, match="does not open"):
        decrypt(own.encode(), mallory, bob())


@pytest.mark.parametrize(
    "point",
    [
        b"",
        b"\0",
        b"\x04" + bytes(64),
        b"\x04" + b"\1" * 64,
        b"\x04" + b"\xff" * 64,
        bytes.fromhex("036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
    ],
)
def test_a_token_never_sees_a_point_that_is_none(point: bytes) -> None:
    forged = replace(Envelope.decode(TO_BOB), recipients=(replace(agreement(TO_BOB), ephemeral=point),))
    before = memory_token(bob()).calls
    with pytest.raises(SealBroken, match="does not open"):
        decrypt(forged.encode(), context(bob()), bob())
    assert memory_token(bob()).calls == before


def test_a_point_of_another_curve_is_none() -> None:
    other = ec.generate_private_key(ec.SECP256K1()).public_key()
    encoded = other.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    with pytest.raises(MalformedMessage):
        recipients.point(encoded)


@pytest.mark.parametrize("length", [16, 24, 31, 33, 0])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    """AES-128 would decrypt as well."""
    contents = hashlib.sha256(context(with_rsa()).encode()).digest() + bytes(32) + PLAINTEXT
    sealed = AESGCM(bytes(length if length in (16, 24) else 32)).encrypt(bytes(12), contents, None)
    wrapped = recipients.wrap(Secret(bytes(length)), b"", with_rsa().public, SEED)
    with pytest.raises(SealBroken, match="does not open"):
        decrypt(Envelope((wrapped,), bytes(12), sealed).encode(), context(with_rsa()), with_rsa())


def test_a_token_is_asked_only_for_what_its_certificate_says() -> None:
    """A recipient part of the other form, or with the other hash, under the holder's own key identifier."""
    for person, part in (
        (bob(), KeyTransport(bob().public.agree_key.key_id, OaepHash.SHA256, bytes(384))),
        (with_rsa(), replace(agreement(TO_BOB), key_id=with_rsa().public.agree_key.key_id)),
        (with_rsa_sha1(), KeyTransport(with_rsa_sha1().public.agree_key.key_id, OaepHash.SHA256, bytes(384))),
    ):
        if isinstance(part, KeyAgreement):
            part = replace(part, ukm=context(person).encode())
        before = memory_token(person).calls
        with pytest.raises(SealBroken, match="does not open"):
            decrypt(Envelope((part,), bytes(12), bytes(112)).encode(), context(person), person)
        assert memory_token(person).calls == before


def test_a_lost_token_is_not_a_broken_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(key_id: bytes, point: bytes) -> Secret:
        raise TokenLost("gone")

    monkeypatch.setattr(bob().token, "agree", lost)
    with pytest.raises(TokenLost):
        decrypt(TO_BOB, context(bob()), bob())


# ── Making ──


def test_nothing_is_used_twice() -> None:
    one, two = encrypted(bob()), encrypted(bob())
    assert Envelope.decode(one).nonce != Envelope.decode(two).nonce
    assert Envelope.decode(one).sealed[:32] != Envelope.decode(two).sealed[:32]
    assert agreement(one).ephemeral != agreement(two).ephemeral
    assert agreement(one).wrapped != agreement(two).wrapped


def test_worn_out_entropy_repeats_nothing_between_recipients() -> None:
    def worn_out(buffer: memoryview) -> None:
        buffer[:] = bytes(len(buffer))

    one, two = (
        agreement(encrypt(context(person), Secret(PLAINTEXT), [person.public], entropy=worn_out))
        for person in (bob(), holder("carol"))
    )
    assert one.ephemeral != two.ephemeral


def expanded(seed: bytes, label: bytes, length: int = 32) -> bytes:
    """HKDF-Expand for one block (RFC 5869, section 2.3), by the standard library."""
    return hmac.digest(seed, label + b"\1", "sha256")[:length]


def test_all_that_is_random_is_derived_from_the_seed() -> None:
    data = Envelope.decode(encrypt(context(bob()), Secret(PLAINTEXT), [bob().public], seed=SEED))
    seed = b"s" * 32
    assert data.nonce == expanded(seed, b"nonce", 12)
    opened = AESGCM(expanded(seed, b"key")).decrypt(data.nonce, data.sealed, None)
    assert opened[32:] == seed + PLAINTEXT
    own = expanded(seed, b"recipient " + bob().public.agree_key.key_id)
    private = ec.derive_private_key(int.from_bytes(expanded(own, b"ephemeral 0"), "big"), ec.SECP256R1())
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    (recipient,) = data.recipients
    assert isinstance(recipient, KeyAgreement)
    assert recipient.ephemeral == point


@pytest.mark.parametrize("who", [with_rsa, with_rsa_sha1])
def test_the_seed_of_oaep_is_derived_as_well(who: Callable[[], Holder]) -> None:
    """Taken apart by hand (RFC 8017, section 7.1.1): it must not depend on a library's ways, for others judge by it."""
    (transport,) = Envelope.decode(encrypt(context(who()), Secret(PLAINTEXT), [who().public], seed=SEED)).recipients
    assert isinstance(transport, KeyTransport)
    name = "sha256" if transport.oaep_hash is OaepHash.SHA256 else "sha1"
    length = hashlib.new(name).digest_size

    def unmask(masked: bytes, by: bytes) -> bytes:
        blocks = (hashlib.new(name, by + number.to_bytes(4, "big")).digest() for number in range(20))
        return bytes(one ^ other for one, other in zip(masked, b"".join(blocks), strict=False))

    numbers = rsa_key().private_numbers()
    message = pow(int.from_bytes(transport.encrypted, "big"), numbers.d, numbers.public_numbers.n)
    encoded = message.to_bytes(len(transport.encrypted), "big")
    seed = unmask(encoded[1 : length + 1], encoded[length + 1 :])
    assert seed == expanded(expanded(b"s" * 32, b"recipient " + who().public.agree_key.key_id), b"oaep", length)
    assert unmask(encoded[length + 1 :], seed).endswith(b"\1" + expanded(b"s" * 32, b"key"))


def test_a_candidate_that_is_no_scalar_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed in 2^32 derives a number above the group order first."""
    expand = recipients.seeds.expand

    def unlucky(seed: Secret, label: bytes, length: int = 32) -> Secret:
        return Secret(b"\xff" * 32) if label == b"ephemeral 0" else expand(seed, label, length)

    monkeypatch.setattr(recipients.seeds, "expand", unlucky)
    data = encrypt(context(bob()), Secret(PLAINTEXT), [bob().public], seed=SEED)
    assert revealed(decrypt(data, context(bob()), bob())) == PLAINTEXT
    own = expanded(b"s" * 32, b"recipient " + bob().public.agree_key.key_id)
    private = ec.derive_private_key(int.from_bytes(expanded(own, b"ephemeral 1"), "big"), ec.SECP256R1())
    assert agreement(data).ephemeral[1:33] == private.public_key().public_numbers().x.to_bytes(32, "big")


@pytest.mark.parametrize("who", RECIPIENTS)
def test_the_seed_makes_the_same_envelope_again_and_opens_it(who: Callable[[], Holder]) -> None:
    to = [who().public, alice().public]
    one, two = (encrypt(context(who()), Secret(PLAINTEXT), to, seed=SEED) for _ in range(2))
    assert one == two
    assert revealed(decrypt(one, context(who()), who())) == PLAINTEXT
    assert revealed(reopen(one, context(who()), to, SEED)) == PLAINTEXT


@pytest.mark.parametrize("who", RECIPIENTS)
def test_a_seed_opens_its_own_envelope_alone(who: Callable[[], Holder]) -> None:
    """What is opened is what the recipients find: else the seed is not the envelope's."""
    to, made = [who().public], encrypt(context(who()), Secret(PLAINTEXT), [who().public], seed=SEED)
    other_seed = Secret(b"t" * 32)
    with pytest.raises(SealBroken, match="the seed does not open"):
        reopen(made, context(who()), to, other_seed)
    with pytest.raises(SealBroken, match="the seed does not open"):
        reopen(made, replace(context(who()), epoch=7), to, SEED)
    with pytest.raises(SealBroken, match="the seed does not open"):
        reopen(made[:-1], context(who()), to, SEED)
    # The contents are the seed's, and what reaches the recipient is not.
    other = Envelope.decode(encrypt(context(who()), Secret(PLAINTEXT), to, seed=other_seed))
    crossed = replace(Envelope.decode(made), recipients=other.recipients).encode()
    with pytest.raises(SealBroken, match="its recipients cannot"):
        reopen(crossed, context(who()), to, SEED)
    with pytest.raises(SealBroken, match="its recipients cannot"):
        reopen(made, context(who()), [*to, alice().public], SEED)


def test_several_recipients_open_the_same_envelope() -> None:
    people = [alice(), bob(), with_rsa(), holder("carol")]
    data = encrypt(context(alice()), Secret(PLAINTEXT), [person.public for person in people])
    for person in people:
        assert revealed(decrypt(data, context(alice()), person)) == PLAINTEXT


def test_recipients_are_one_to_four_and_the_context_names_the_first() -> None:
    for to in ([], [bob().public, alice().public], [alice().public] * 5):
        with pytest.raises(NotPossible):
            encrypt(context(alice()), Secret(PLAINTEXT), to)
    one = Envelope.decode(TO_BOB)
    for number in (0, 5):
        with pytest.raises(MalformedMessage, match="recipients"):
            Envelope.decode(replace(one, recipients=one.recipients * number).encode())


def test_too_large_is_said_before_anything_is_read() -> None:
    with pytest.raises(MalformedMessage, match="larger"):
        Envelope.decode(bytes(envelope.MAX_SIZE + 1))


def test_no_secret_shows() -> None:
    one = Envelope.decode(TO_BOB)
    assert repr(one.sealed) not in repr(one)
    assert repr(decrypt(TO_BOB, context(bob()), bob())) == "<Secret>"


# ── Sealed records ──


def sealed_by(person: Holder) -> tuple[bytes, Context]:
    own = context(person, sender=person, kind=Kind.SIGNING_SHARE)
    return seal(own, Secret(PLAINTEXT), person), own


@pytest.mark.parametrize("who", RECIPIENTS)
def test_a_sealed_record_opens_again(who: Callable[[], Holder]) -> None:
    record, own = sealed_by(who())
    assert revealed(unseal(record, own, who())) == PLAINTEXT


def test_every_changed_byte_of_a_sealed_record_is_refused() -> None:
    record, own = sealed_by(alice())
    for changed in flips(record):
        with pytest.raises(SealBroken):
            unseal(changed, own, alice())
    for cut in truncations(record):
        with pytest.raises(SealBroken):
            unseal(cut, own, alice())


def test_a_record_sealed_by_another_is_refused() -> None:
    record, own = sealed_by(bob())
    with pytest.raises(SealBroken, match="not sealed by this identity"):
        unseal(record, own, alice())


def test_a_good_envelope_in_a_message_is_no_sealed_record() -> None:
    own = context(alice(), sender=alice())
    inner = encrypt(own, Secret(PLAINTEXT), [alice().public])
    with pytest.raises(SealBroken, match="something else"):
        unseal(cms.sign(oids.ROUND2, inner, alice()), own, alice())
    with pytest.raises(SealBroken):
        unseal(inner, own, alice())


@pytest.mark.parametrize("field", OTHERS)
def test_a_sealed_record_opens_under_its_own_context_only(field: str) -> None:
    record, own = sealed_by(alice())
    other = replace(own, **{field: Kind.ROUND1_STATE if field == "kind" else OTHERS[field]})
    with pytest.raises(SealBroken, match=f"another {field}$"):
        unseal(record, other, alice())


def test_only_the_sender_seals() -> None:
    with pytest.raises(NotPossible):
        seal(context(alice(), sender=bob()), Secret(PLAINTEXT), alice())


def test_a_recovery_recipient_opens_the_envelope_inside() -> None:
    own = context(alice(), sender=alice())
    record = cms.parse(seal(own, Secret(PLAINTEXT), alice(), [bob().public]))
    record.verify(alice().public.sign_key)
    assert revealed(decrypt(record.content, own, bob())) == PLAINTEXT


@pytest.mark.parametrize("backend", ["software_token", "new_token"])
def test_sealing_on_a_real_token(
    backend: str, request: pytest.FixtureRequest, open_token: Callable[..., Token]
) -> None:
    fixture = request.getfixturevalue(backend)("sealing")
    with open_token(fixture) as token:
        person = Holder(identity.create(token, "ann"), token)
        record, own = sealed_by(person)
        assert revealed(unseal(record, own, person)) == PLAINTEXT
        with pytest.raises(FrostHsmError):
            unseal(record[:-1], own, person)
        token.write_record("share", record)
    with open_token(fixture) as token:
        again = Holder(identity.find(token)[0], token)
        assert revealed(unseal(token.read_record("share"), own, again)) == PLAINTEXT
