"""Signing: RFC 9591's vector, every set of signers, and every way of not being honest."""

from __future__ import annotations

import copy
import pickle
import threading
from dataclasses import replace

import pytest
from stage.group_run import Run, Signing
from stage.p256 import ScriptedEntropy, identifiers, number, public_bytes, scalar
from stage.suites import sample, vectors

from frost_hsm.errors import (
    FrostHsmError,
    IdentityCommitment,
    IncorrectCommitment,
    IncorrectNumberOfSigners,
    IncorrectPackage,
    InvalidSignature,
    InvalidSignatureShare,
    MalformedScalar,
    MissingCommitment,
    SecretConsumed,
    UnknownIdentifier,
)
from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import (
    KeyPackage,
    Nonce,
    PublicKeyPackage,
    Signature,
    SignatureResponse,
    SignatureShare,
    SigningCommitments,
    SigningNonces,
    SigningPackage,
    SigningShare,
    VerifyingKey,
    VerifyingShare,
    commit_nonces,
)
from frost_hsm.frost.signing import CheaterDetection
from frost_hsm.groups import Element
from frost_hsm.secret import Secret

MESSAGE = b"message"


@pytest.fixture
def group_of_five(suite: Ciphersuite) -> tuple[list[KeyPackage], PublicKeyPackage]:
    key_packages, public = Run(suite, (1, 2, 3, 4, 5), 3).finish(strict=False)
    return list(key_packages.values()), public


@pytest.fixture
def three(group_of_five: tuple[list[KeyPackage], PublicKeyPackage]) -> Signing:
    signers, _ = group_of_five
    return Signing([signers[1], signers[3], signers[4]], MESSAGE)


@pytest.fixture
def public(group_of_five: tuple[list[KeyPackage], PublicKeyPackage]) -> PublicKeyPackage:
    return group_of_five[1]


# ── RFC 9591 ──


def test_signing_of_rfc_9591(suite: Ciphersuite) -> None:
    document = vectors(suite, "vectors.json")
    inputs = document["inputs"]
    group = suite.group
    key = VerifyingKey.deserialize(suite, bytes.fromhex(inputs["verifying_key_key"]))
    assert group.equal(
        key.element, group.multiply_base(group.decode_scalar(Secret(bytes.fromhex(inputs["group_secret_key"]))))
    )
    shares = {
        p["identifier"]: SigningShare.deserialize(suite, Secret(bytes.fromhex(p["participant_share"])))
        for p in inputs["participant_shares"]
    }
    ids = dict(zip(shares, identifiers(suite, *shares), strict=True))
    public = PublicKeyPackage(
        suite,
        {ids[k]: VerifyingShare.from_element(suite, group.multiply_base(share.scalar)) for k, share in shares.items()},
        key,
        2,
    )
    nonces, commitments = {}, {}
    for output in document["round_one_outputs"]["outputs"]:
        k = output["identifier"]
        draws = ScriptedEntropy(*(bytes.fromhex(output[f"{kind}_nonce_randomness"]) for kind in ("hiding", "binding")))
        nonces[k], commitments[ids[k]] = signing.commit(shares[k], draws)
        for kind, nonce, commitment in (
            ("hiding", nonces[k].hiding, commitments[ids[k]].hiding),
            ("binding", nonces[k].binding, commitments[ids[k]].binding),
        ):
            assert public_bytes(nonce.serialize()).hex() == output[f"{kind}_nonce"]
            assert commitment.serialize().hex() == output[f"{kind}_nonce_commitment"]
    package = SigningPackage(suite, commitments, bytes.fromhex(inputs["message"]))
    signature_shares = {}
    for output in document["round_two_outputs"]["outputs"]:
        k = output["identifier"]
        key_package = KeyPackage(suite, ids[k], shares[k], public.verifying_shares[ids[k]], key, 2)
        signature_shares[ids[k]] = signing.sign(package, nonces[k], key_package)
        assert signature_shares[ids[k]].serialize().hex() == output["sig_share"]
    signature = signing.aggregate(package, signature_shares, public)
    assert signature.serialize().hex() == document["final_output"]["sig"]
    signing.verify(package.message, signature, key)


# ── honest runs ──


@pytest.mark.parametrize("chosen", [(0, 1, 2), (4, 2, 0), (1, 2, 3, 4), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("message", [b"", b"m", bytes(5000)])
def test_any_large_enough_set_signs(
    group_of_five: tuple[list[KeyPackage], PublicKeyPackage], chosen: tuple[int, ...], message: bytes
) -> None:
    key_packages, public = group_of_five
    session = Signing([key_packages[k] for k in chosen], message)
    shares = session.shares()
    for own, share in shares.items():
        arguments = (own, public.verifying_shares[own], share, session.package, public.verifying_key)
        signing.verify_signature_share(*arguments)
    signature = signing.aggregate(session.package, shares, public)
    assert Signature.deserialize(public.ciphersuite, signature.serialize()) == signature
    signing.verify(message, signature, public.verifying_key)


def test_packages_may_be_stored_between_the_steps(three: Signing, public: PublicKeyPackage) -> None:
    suite = public.ciphersuite
    three.nonces = {own: SigningNonces.deserialize(suite, nonces.serialize()) for own, nonces in three.nonces.items()}
    three.package = SigningPackage.deserialize(suite, three.package.serialize())
    shares = {own: SignatureShare.deserialize(suite, share.serialize()) for own, share in three.shares().items()}
    signing.aggregate(three.package, shares, PublicKeyPackage.from_json(suite, public.to_json()))


def test_the_order_of_the_signers_does_not_matter(three: Signing, public: PublicKeyPackage) -> None:
    package = three.package
    backwards = replace(package, signing_commitments=dict(reversed(package.signing_commitments.items())))
    assert backwards.serialize() == package.serialize()
    shares = three.shares()
    forward = signing.aggregate(package, shares, public)
    assert signing.aggregate(backwards, dict(reversed(shares.items())), public) == forward


# ── nonces ──


def test_nonces_differ_between_commitments(group_of_five: tuple[list[KeyPackage], PublicKeyPackage]) -> None:
    pairs = [signing.commit(group_of_five[0][0])[1] for _ in range(20)]
    assert len({value.encoded for pair in pairs for value in (pair.hiding, pair.binding)}) == 40


def test_nonces_depend_on_the_share_too(
    group_of_five: tuple[list[KeyPackage], PublicKeyPackage],
) -> None:
    weak = ScriptedEntropy(*([bytes(32)] * 4))
    first, second = (signing.commit(package.signing_share, weak)[1] for package in group_of_five[0][:2])
    assert first.hiding != second.hiding


def test_nonces_serve_once(three: Signing) -> None:
    signer = three.signers[0]
    nonces = three.nonces[signer.identifier]
    hiding = nonces.hiding
    signing.sign(three.package, nonces, signer)
    for package in (three.package, replace(three.package, message=b"another")):
        with pytest.raises(SecretConsumed):
            signing.sign(package, nonces, signer)
    with pytest.raises(SecretConsumed):
        nonces.serialize()
    assert number(signer.ciphersuite.group, hiding.scalar) == 0


def test_nonces_are_taken_before_anything_is_computed(three: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = three.signers[0]
    nonces = three.nonces[signer.identifier]

    def fail(*arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(signing._Session, "open", fail)
    with pytest.raises(RuntimeError):
        signing.sign(three.package, nonces, signer)
    monkeypatch.undo()
    with pytest.raises(SecretConsumed):
        signing.sign(three.package, nonces, signer)


def test_of_many_threads_one_gets_the_nonces(three: Signing) -> None:
    signer = three.signers[0]
    nonces = three.nonces[signer.identifier]
    outcomes: list[object] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        try:
            outcomes.append(signing.sign(three.package, nonces, signer))
        except SecretConsumed as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["SecretConsumed"] * 7 + ["SignatureShare"]


def test_secrets_give_nothing_away(three: Signing) -> None:
    signer = three.signers[0]
    for secret in (signer, three.nonces[signer.identifier], signer.signing_share):
        assert public_bytes(signer.signing_share.serialize()).hex() not in f"{secret!r} {secret}"
        for attempt in (
            lambda secret=secret: secret == secret,
            lambda secret=secret: hash(secret),
            lambda secret=secret: copy.copy(secret),
            lambda secret=secret: copy.deepcopy(secret),
            lambda secret=secret: pickle.dumps(secret),
        ):
            with pytest.raises(TypeError):
                attempt()


def test_wiping(three: Signing) -> None:
    signer = three.signers[0]
    nonces = three.nonces[signer.identifier]
    for secret in (signer, nonces):
        secret.wipe()
        secret.wipe()
    assert number(signer.ciphersuite.group, signer.signing_share.scalar) == 0
    with pytest.raises(SecretConsumed):
        signing.sign(three.package, nonces, signer)


# ── what a signer refuses ──


def test_what_a_signer_refuses(three: Signing) -> None:
    signer, other, third = three.signers
    own = signer.identifier
    commitments = dict(three.package.signing_commitments)
    suite = signer.ciphersuite
    fresh = signing.commit(signer)[1]
    mixed = SigningCommitments(suite, commitments[own].hiding, fresh.binding)
    swapped = SigningCommitments(suite, commitments[own].binding, commitments[own].hiding)
    (stranger,) = identifiers(suite, 9)
    cases = [
        (IncorrectNumberOfSigners, {i: c for i, c in commitments.items() if i != other.identifier}),
        (IncorrectNumberOfSigners, {}),
        (MissingCommitment, {**{i: c for i, c in commitments.items() if i != own}, stranger: commitments[own]}),
        (IncorrectCommitment, {**commitments, own: fresh}),
        (IncorrectCommitment, {**commitments, own: mixed}),
        (IncorrectCommitment, {**commitments, own: swapped}),
        (IncorrectCommitment, {**commitments, own: commitments[third.identifier]}),
    ]
    for error, changed in cases:
        package = SigningPackage(suite, changed, MESSAGE)
        with pytest.raises(error):
            signing.sign(package, three.nonces[own], signer)
    signing.sign(three.package, three.nonces[own], signer)  # a refusal has not consumed the nonces


def test_parts_of_two_suites_do_not_mix(three: Signing) -> None:
    signer = three.signers[0]
    suite = signer.ciphersuite
    other = suite.with_group(suite.group)
    foreign = SigningPackage.deserialize(other, three.package.serialize())
    with pytest.raises(IncorrectPackage):
        signing.sign(foreign, three.nonces[signer.identifier], signer)


def test_commitments_that_add_up_to_the_identity(suite: Ciphersuite) -> None:
    # no honest hash gives D + ρ·E = 0, so this one is made to say ρ = -1, with D = E
    key_packages, public = Run(suite, (1, 2), 2).finish()
    bent = suite.with_group(suite.group)
    bent.h1 = lambda data: suite.group.order - 1  # type: ignore[method-assign]
    one, two = (Nonce(bent, scalar(suite.group, k)) for k in (5, 6))
    commitments = {
        i: commit_nonces(bent, pair)[0]
        for i, pair in zip(identifiers(bent, 1, 2), ((one, one), (two, two)), strict=True)
    }
    package = SigningPackage(bent, commitments, MESSAGE)
    key = VerifyingKey.deserialize(bent, public.verifying_key.encoded)
    signer = KeyPackage.deserialize(bent, next(iter(key_packages.values())).serialize())
    own = signer.identifier
    nonces = SigningNonces(bent, one, one, commitments[own])
    with pytest.raises(IdentityCommitment):
        signing.sign(package, nonces, signer)
    share = SignatureShare(bent, SignatureResponse(bent, 1))
    with pytest.raises(IdentityCommitment):
        signing.verify_signature_share(
            own, VerifyingShare.deserialize(bent, signer.verifying_share.encoded), share, package, key
        )


# ── the binding factor ──


def test_binding_factors_cover_key_message_and_the_whole_list(three: Signing, public: PublicKeyPackage) -> None:
    suite = public.ciphersuite
    package, key = three.package, public.verifying_key
    own, other, _ = package.signing_commitments
    fresh = signing.commit(three.signers[1])[1]
    commitments = package.signing_commitments
    variants = [
        (package, key),
        (replace(package, message=MESSAGE + b"!"), key),
        (replace(package, message=b""), key),
        (package, VerifyingKey.deserialize(suite, public.verifying_shares[own].encoded)),
        (replace(package, signing_commitments={**commitments, other: fresh}), key),
        (replace(package, signing_commitments={own: commitments[own], other: commitments[other]}), key),
    ]
    factors = [signing._Session.open(*variant).binding_factors[own] for variant in variants]
    assert len(set(factors)) == len(variants)
    assert len(set(signing._Session.open(package, key).binding_factors.values())) == 3


def test_a_message_cannot_pretend_to_be_commitments(three: Signing, public: PublicKeyPackage) -> None:
    # moving bytes between the message and the list must change the factor
    package = three.package
    *some, last = package.signing_commitments.items()
    encoded = last[0].serialize() + last[1].hiding.encoded + last[1].binding.encoded
    shorter = SigningPackage(public.ciphersuite, dict(some), encoded + MESSAGE)
    longer = signing._Session.open(package, public.verifying_key)
    other = signing._Session.open(shorter, public.verifying_key)
    assert longer.binding_factors[some[0][0]] != other.binding_factors[some[0][0]]


def test_shares_of_parallel_sessions_do_not_mix(
    group_of_five: tuple[list[KeyPackage], PublicKeyPackage],
) -> None:
    key_packages, public = group_of_five
    first, second = (Signing(key_packages[:3], message) for message in (b"one", b"two"))
    shares = first.shares()
    stray = second.shares()
    own = key_packages[1].identifier
    with pytest.raises(InvalidSignatureShare) as caught:
        signing.aggregate(first.package, {**shares, own: stray[own]}, public)
    assert caught.value.culprits == (own,)
    with pytest.raises(InvalidSignatureShare):
        signing.aggregate(first.package, stray, public)


# ── aggregation ──


def altered(share: SignatureShare) -> SignatureShare:
    value = (share.share.value + 1) % share.ciphersuite.group.order
    return SignatureShare(share.ciphersuite, SignatureResponse(share.ciphersuite, value))


@pytest.mark.parametrize("wrong", [(0,), (2,), (0, 2), (1, 2), (0, 1, 2)])
def test_exactly_the_cheaters_are_named(three: Signing, public: PublicKeyPackage, wrong: tuple[int, ...]) -> None:
    shares = three.shares()
    ids = sorted(shares)
    for k in wrong:
        shares[ids[k]] = altered(shares[ids[k]])
    expected = tuple(ids[k] for k in wrong)
    with pytest.raises(InvalidSignatureShare) as caught:
        signing.aggregate(three.package, shares, public, cheater_detection=CheaterDetection.ALL)
    assert caught.value.culprits == expected
    with pytest.raises(InvalidSignatureShare) as caught:
        signing.aggregate(three.package, shares, public)
    assert caught.value.culprits == expected[:1]
    with pytest.raises(InvalidSignature) as hidden:
        signing.aggregate(three.package, shares, public, cheater_detection=CheaterDetection.DISABLED)
    assert hidden.value.culprits == ()
    assert signing.find_cheaters(three.package, shares, public) == list(expected)
    for k, own in enumerate(ids):
        assert signing.find_cheaters(three.package, {own: shares[own]}, public) == [own] * (k in wrong)
        arguments = (own, public.verifying_shares[own], shares[own], three.package, public.verifying_key)
        if k in wrong:
            with pytest.raises(InvalidSignatureShare) as single:
                signing.verify_signature_share(*arguments)
            assert single.value.culprits == (own,)
        else:
            signing.verify_signature_share(*arguments)


def test_swapped_shares_add_up_all_the_same(three: Signing, public: PublicKeyPackage) -> None:
    shares = three.shares()
    first, second, _ = sorted(shares)
    shares[first], shares[second] = shares[second], shares[first]
    signature = signing.aggregate(three.package, shares, public)
    public.verifying_key.verify(MESSAGE, signature)
    with pytest.raises(InvalidSignatureShare):
        signing.verify_signature_share(
            first, public.verifying_shares[first], shares[first], three.package, public.verifying_key
        )


def test_shares_of_others_are_not_looked_at_for_cheaters(three: Signing, public: PublicKeyPackage) -> None:
    share = next(iter(three.shares().values()))
    (stranger,) = identifiers(public.ciphersuite, 9)
    assert signing.find_cheaters(three.package, {}, public) == []
    with pytest.raises(UnknownIdentifier):
        signing.find_cheaters(three.package, {stranger: share}, public)


def test_what_aggregation_refuses(three: Signing, public: PublicKeyPackage) -> None:
    shares = three.shares()
    suite = public.ciphersuite
    first, second, third = sorted(shares)
    (stranger,) = identifiers(suite, 9)
    commitments = three.package.signing_commitments
    foreign = replace(three.package, signing_commitments={**commitments, stranger: commitments[first]})
    fewer = replace(three.package, signing_commitments={i: commitments[i] for i in (first, second)})
    cases: list[tuple[type[FrostHsmError], SigningPackage, dict[object, SignatureShare]]] = [
        (UnknownIdentifier, three.package, {i: shares[i] for i in (first, second)}),
        (UnknownIdentifier, three.package, {**shares, stranger: shares[first]}),
        (UnknownIdentifier, three.package, {first: shares[first], second: shares[second], stranger: shares[third]}),
        (UnknownIdentifier, three.package, {}),
        (UnknownIdentifier, foreign, {**shares, stranger: shares[first]}),
        (IncorrectNumberOfSigners, fewer, {i: shares[i] for i in (first, second)}),
        (IncorrectNumberOfSigners, replace(three.package, signing_commitments={}), {}),
    ]
    for error, package, given in cases:
        with pytest.raises(error):
            signing.aggregate(package, given, public)


def test_an_old_public_key_package_knows_no_threshold_but_lets_nothing_wrong_out(
    three: Signing, public: PublicKeyPackage
) -> None:
    shares = three.shares()
    signing.aggregate(three.package, shares, public.as_v2())
    first, second, _ = sorted(shares)
    fewer = {i: three.package.signing_commitments[i] for i in (first, second)}
    with pytest.raises(InvalidSignatureShare):
        signing.aggregate(
            replace(three.package, signing_commitments=fewer), {i: shares[i] for i in fewer}, public.as_v2()
        )


def test_verifying_shares_that_are_not_those_of_the_key(three: Signing, public: PublicKeyPackage) -> None:
    foreign = VerifyingKey.deserialize(public.ciphersuite, next(iter(public.verifying_shares.values())).encoded)
    with pytest.raises((InvalidSignatureShare, InvalidSignature)):
        signing.aggregate(three.package, three.shares(), replace(public, verifying_key=foreign))


def test_shares_right_for_their_signers_but_not_for_the_key(suite: Ciphersuite) -> None:
    key_packages, public = Run(suite, (1, 2, 3), 3).finish()
    lowered = [replace(package, min_signers=2) for package in list(key_packages.values())[:2]]
    session = Signing(lowered, MESSAGE)
    with pytest.raises(InvalidSignature, match="not for this group key"):
        signing.aggregate(session.package, session.shares(), public.as_v2())


# ── verification ──


def test_a_signature_holds_for_its_message_and_key_alone(three: Signing, public: PublicKeyPackage) -> None:
    suite = public.ciphersuite
    signature = signing.aggregate(three.package, three.shares(), public)
    key = public.verifying_key
    data = signature.serialize()
    other_key = VerifyingKey.deserialize(suite, sample(suite, "element1"))
    length = len(data) - suite.group.scalar_length
    for message, claimed, by in (
        (MESSAGE + b"!", signature, key),
        (b"", signature, key),
        (MESSAGE, signature, other_key),
        (MESSAGE, replace(signature, response=0), key),
        (MESSAGE, replace(signature, response=(-signature.response) % suite.group.order), key),
        (MESSAGE, Signature.deserialize(suite, bytes((data[0] ^ 1,)) + data[1:]), key),
        (MESSAGE, Signature.deserialize(suite, bytes(length) + data[length:]), key),
        (MESSAGE, Signature.deserialize(suite, b"\2" + b"\xff" * (length - 1) + data[length:]), key),
    ):
        with pytest.raises(InvalidSignature):
            signing.verify(message, claimed, by)


def test_every_flipped_bit_of_a_signature(three: Signing, public: PublicKeyPackage) -> None:
    data = signing.aggregate(three.package, three.shares(), public).serialize()
    for k in range(len(data)):
        changed = bytearray(data)
        changed[k] ^= 1 << k % 8
        with pytest.raises((InvalidSignature, MalformedScalar)):
            public.verifying_key.verify(MESSAGE, Signature.deserialize(public.ciphersuite, bytes(changed)))


def test_commitments_that_are_known_are_not_read_again(three: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, data = three.package.ciphersuite, three.package.serialize()
    group, read = suite.group, []

    def decode_all(encoded: bytes, y: bytes | None = None, *, prove: bool = True) -> list[Element]:
        read.append(encoded)
        return list(type(group).decode_all(group, encoded, y, prove=prove))

    monkeypatch.setattr(group, "decode_all", decode_all)
    own, *others = three.package.signing_commitments.values()
    assert SigningPackage.deserialize(suite, data, [own]) == three.package
    assert SigningPackage.deserialize(suite, data) == three.package
    expected = [each.hiding.encoded + each.binding.encoded for each in others]
    assert read == [b"".join(expected), own.hiding.encoded + own.binding.encoded + b"".join(expected)]
    with pytest.raises(IncorrectPackage):
        SigningPackage.deserialize(suite.with_group(group), data, [own])
