"""Key generation: ZcashFoundation's vectors, honest runs, and every way of not being honest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage.group_run import Run, Signing, others
from stage.memory_run import KnownEntropy
from stage.p256 import SUITES, identifiers, number, public_bytes, scalar
from stage.suites import draws, vectors

from frost_hsm.errors import (
    FrostHsmError,
    IncorrectNumberOfCommitments,
    IncorrectNumberOfPackages,
    IncorrectPackage,
    InvalidIdentityElement,
    InvalidMaxSigners,
    InvalidMinSigners,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    InvalidSignature,
    SecretConsumed,
    UnknownIdentifier,
)
from frost_hsm.frost import polynomial, signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dealer, dkg, round1, round2
from frost_hsm.frost.packages import (
    Coefficient,
    Identifier,
    Signature,
    SigningShare,
    VerifiableSecretSharingCommitment,
)
from frost_hsm.secret import Secret

FAST = SUITES["libcrypto"]


# ── ZcashFoundation's vectors ──


class Vectors:
    """`vectors_dkg.json` as packages. It has no proof nonce, so part1 cannot be replayed; all else can."""

    def __init__(self, suite: Ciphersuite) -> None:
        self.suite = suite
        self.inputs = vectors(suite, "vectors_dkg.json")["inputs"]
        self.ids = identifiers(suite, 1, 2, 3)
        self.packages1 = {own: self._package1(own) for own in self.ids}

    def of(self, own: Identifier) -> dict[str, object]:
        return self.inputs[str(own)]

    def _commitment(self, own: Identifier) -> VerifiableSecretSharingCommitment:
        data = bytes.fromhex("".join(self.of(own)["vss_commitments"]))
        return VerifiableSecretSharingCommitment.deserialize_whole(self.suite, data)

    def _package1(self, own: Identifier) -> round1.Package:
        proof = Signature.deserialize(self.suite, bytes.fromhex(self.of(own)["proof_of_knowledge"]))
        return round1.Package(self.suite, self._commitment(own), proof)

    def secret1(self, own: Identifier) -> round1.SecretPackage:
        coefficients = [
            Coefficient.deserialize(self.suite, Secret(bytes.fromhex(self.of(own)[name])))
            for name in ("signing_key", "coefficient")
        ]
        return round1.SecretPackage(self.suite, own, coefficients, self._commitment(own), 2, 3)


@pytest.mark.parametrize("strict", [True, False])
def test_key_generation_of_zcashfoundation(suite: Ciphersuite, strict: bool) -> None:
    given_ = Vectors(suite)
    kept, sent = {}, {}
    for own in given_.ids:
        secret = given_.secret1(own)
        elements, _ = suite.group.commit([c.scalar for c in secret.coefficients])
        assert VerifiableSecretSharingCommitment.from_elements(suite, elements) == secret.commitment
        kept[own], sent[own] = dkg.part2(secret, others(given_.packages1, own))
    for own in given_.ids:
        received = {sender: sent[sender][own] for sender in given_.ids if sender != own}
        for sender, package in received.items():
            expected = given_.of(own)["signing_shares"][str(sender)]
            assert public_bytes(package.signing_share.serialize()).hex() == expected
        key_package, public = dkg.part3(kept[own], others(given_.packages1, own), received, strict=strict)
        assert public_bytes(key_package.signing_share.serialize()).hex() == given_.of(own)["signing_share"]
        assert key_package.verifying_share.serialize().hex() == given_.of(own)["verifying_share"]
        assert key_package.verifying_key.serialize().hex() == given_.inputs["verifying_key"]
        assert public.verifying_key == key_package.verifying_key
        assert (public.min_signers, key_package.min_signers, key_package.identifier) == (2, 2, own)
        for other in given_.ids:
            assert public.verifying_shares[other].serialize().hex() == given_.of(other)["verifying_share"]


def test_part1_draws_coefficients_then_the_proofs_nonce(suite: Ciphersuite) -> None:
    order = suite.group.order
    entropy = draws(suite, 11, order - 12, 13, 99)
    (own,) = identifiers(suite, 7)
    secret, package = dkg.part1(suite, own, max_signers=5, min_signers=3, entropy=entropy)
    assert not entropy.left
    assert [number(suite.group, c.scalar) for c in secret.coefficients] == [11, order - 12, 13]
    assert (secret.identifier, secret.min_signers, secret.max_signers) == (own, 3, 5)
    assert secret.commitment == package.commitment
    nonce_point = suite.group.encode(suite.group.multiply_base(scalar(suite.group, 99)))
    assert package.proof_of_knowledge.commitment == nonce_point
    challenge = suite.hdkg(own.serialize() + package.commitment.constant_term + nonce_point)
    assert package.proof_of_knowledge.response == (99 + 11 * challenge) % order


# ── honest runs ──


@pytest.mark.parametrize(
    ("numbers", "min_signers"),
    [
        ((1, 2), 2),
        ((1, 2, 3), 2),
        ((3, 9, 2), 3),
        ((65535, 1, 2**40), 2),
        ((1, 2, 3, 4, 5), 3),
        ((70000, 5, 4, 80000), 4),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_honest_runs_give_a_key_that_signs(
    suite: Ciphersuite, numbers: tuple[int, ...], min_signers: int, strict: bool
) -> None:
    key_packages, public = Run(suite, numbers, min_signers).finish(strict=strict)
    assert list(public.verifying_shares) == sorted(key_packages)
    for own, package in key_packages.items():
        assert package.verifying_share == public.verifying_shares[own]
        group = suite.group
        assert group.encode(group.multiply_base(package.signing_share.scalar)) == package.verifying_share.encoded
    session = Signing(list(key_packages.values())[-min_signers:], b"message")
    signature = signing.aggregate(session.package, session.shares(), public)
    public.verifying_key.verify(b"message", signature)


def test_derived_identifiers(suite: Ciphersuite) -> None:
    ids = [Identifier.derive(suite, name) for name in (b"alice", b"bob", b"carol")]
    key_packages, public = Run(suite, [i.value for i in ids], 2).finish()
    session = Signing([key_packages[ids[0]], key_packages[ids[2]]], b"x")
    public.verifying_key.verify(b"x", signing.aggregate(session.package, session.shares(), public))


@pytest.mark.parametrize(("max_signers", "min_signers"), [(12, 5), (24, 20), (40, 25)])
def test_larger_groups(max_signers: int, min_signers: int) -> None:
    run = Run(FAST, range(1, max_signers + 1), min_signers).until_part3()
    (_, by_sum), (_, again) = run.part3(run.ids[3]), run.part3(run.ids[-1], strict=True)
    assert by_sum == again
    total = polynomial.add_commitments(FAST.group, [p.commitment.elements for p in run.packages1.values()])
    for own, share in by_sum.verifying_shares.items():
        expected = FAST.group.sum_products([own.value**k for k in range(min_signers)], total)
        assert FAST.group.equal(expected, share.element)


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_min_signers_sign_and_reconstruct_and_no_fewer(suite: Ciphersuite, data: st.DataObject) -> None:
    max_signers = data.draw(st.integers(2, 6))
    min_signers = data.draw(st.integers(2, max_signers))
    numbers = data.draw(
        st.lists(st.integers(1, suite.group.order - 1), min_size=max_signers, max_size=max_signers, unique=True)
    )
    key_packages, public = Run(suite, numbers, min_signers).finish()
    chosen = data.draw(st.permutations(list(key_packages.values())))
    enough = chosen[: data.draw(st.integers(min_signers, max_signers))]
    session = Signing(enough, b"m")
    public.verifying_key.verify(b"m", signing.aggregate(session.package, session.shares(), public))
    assert dealer.reconstruct(enough).verifying_key() == public.verifying_key

    too_few = [replace(package, min_signers=1) for package in chosen[: min_signers - 1]]
    with pytest.raises(IncorrectPackage):
        dealer.reconstruct(too_few)
    session = Signing(too_few, b"m")
    with pytest.raises(InvalidSignature):
        signing.aggregate(
            session.package, session.shares(), public.as_v2(), cheater_detection=signing.CheaterDetection.DISABLED
        )


def test_packages_may_be_stored_between_the_parts(suite: Ciphersuite) -> None:
    run = Run(suite, (1, 2, 3), 2)
    for own in run.ids:
        run.packages1[own] = round1.Package.deserialize(suite, run.packages1[own].serialize())
        run.secrets1[own] = round1.SecretPackage.from_json(suite, run.secrets1[own].to_json())
    run.until_part3()
    for own in run.ids:
        stored = run.secrets2[own]
        run.secrets2[own] = round2.SecretPackage.deserialize(suite, stored.serialize(), stored.round1_digest)
    assert len({public for _, public in (run.part3(own) for own in run.ids) for public in [public.to_json()]}) == 1


# ── parameters ──


@pytest.mark.parametrize(
    ("max_signers", "min_signers", "error"),
    [
        (3, 1, InvalidMinSigners),
        (3, 0, InvalidMinSigners),
        (3, -2, InvalidMinSigners),
        (1, 2, InvalidMaxSigners),
        (1, 3, InvalidMaxSigners),
        (0, 2, InvalidMaxSigners),
        (65536, 2, InvalidMaxSigners),
        (2, 3, InvalidMinSigners),
    ],
)
def test_numbers_that_cannot_work(
    suite: Ciphersuite, max_signers: int, min_signers: int, error: type[FrostHsmError]
) -> None:
    with pytest.raises(error):
        dkg.part1(suite, Identifier(suite, 1), max_signers=max_signers, min_signers=min_signers)


def test_suites_do_not_mix() -> None:
    one, other = SUITES["libcrypto"], SUITES["pycryptodome"]
    with pytest.raises(IncorrectPackage):
        dkg.part1(one, Identifier(other, 1), max_signers=3, min_signers=2)
    run, foreign = Run(one, (1, 2), 2), Run(other, (1, 2), 2)
    with pytest.raises(IncorrectPackage):
        dkg.part2(run.secrets1[run.ids[0]], {run.ids[1]: foreign.packages1[foreign.ids[1]]})
    with pytest.raises(IncorrectPackage):
        dkg.part2(run.secrets1[run.ids[0]], {foreign.ids[1]: run.packages1[run.ids[1]]})


# ── round 1 ──


@pytest.fixture
def run(suite: Ciphersuite) -> Run:
    return Run(suite, (1, 2, 3, 4), 3)


def with_length(package: round1.Package, length: int) -> round1.Package:
    suite = package.ciphersuite
    elements = (package.commitment.elements * 2)[:length]
    return replace(package, commitment=VerifiableSecretSharingCommitment.from_elements(suite, elements))


def with_other_proof(package: round1.Package) -> round1.Package:
    proof = package.proof_of_knowledge
    return replace(package, proof_of_knowledge=replace(proof, response=proof.response ^ 1))


@pytest.mark.parametrize("length", [0, 1, 2, 4])
def test_a_commitment_of_another_length_names_its_senders(run: Run, length: int) -> None:
    own, second, third, fourth = run.ids
    run.until_part3()
    for wrong in ((second,), (fourth,), (third, second)):
        packages = run.round1_for(own)
        for sender in wrong:
            packages[sender] = with_length(packages[sender], length)
        packages[fourth] = with_other_proof(packages[fourth]) if fourth not in wrong else packages[fourth]
        fresh = Run(run.suite, (1, 2, 3, 4), 3)
        with pytest.raises(IncorrectNumberOfCommitments, match=f"{length} entries instead of 3") as caught:
            dkg.part2(fresh.secrets1[own], packages)
        assert caught.value.culprits == tuple(sorted(wrong))
        with pytest.raises(IncorrectNumberOfCommitments) as caught:
            dkg.part3(run.secrets2[own], packages, run.round2_for(own))
        assert caught.value.culprits == tuple(sorted(wrong))


def test_bad_proofs_name_their_senders(run: Run) -> None:
    own, second, third, fourth = run.ids
    for wrong in ((second,), (fourth, third), (second, third, fourth)):
        packages = run.round1_for(own)
        for sender in wrong:
            packages[sender] = with_other_proof(packages[sender])
        with pytest.raises(InvalidProofOfKnowledge) as caught:
            dkg.part2(run.secrets1[own], packages)
        assert caught.value.culprits == tuple(sorted(wrong))
    run.part2(own)  # what failed has consumed nothing


def test_a_proof_holds_for_its_sender_commitment_and_nonce_alone(run: Run) -> None:
    own, second, third, _ = run.ids
    packages = run.round1_for(own)
    swapped = {**packages, second: packages[third], third: packages[second]}
    with pytest.raises(InvalidProofOfKnowledge) as caught:
        dkg.part2(run.secrets1[own], swapped)
    assert caught.value.culprits == (second, third)

    proof = packages[second].proof_of_knowledge
    for changed in (
        replace(proof, commitment=bytes((proof.commitment[0] ^ 1,)) + proof.commitment[1:]),
        replace(proof, commitment=packages[third].proof_of_knowledge.commitment),
        replace(proof, commitment=b"\2" + b"\xff" * 32),  # no element at all
        replace(proof, response=0),
        replace(proof, response=packages[third].proof_of_knowledge.response),
    ):
        with pytest.raises(InvalidProofOfKnowledge) as caught:
            dkg.part2(run.secrets1[own], {**packages, second: replace(packages[second], proof_of_knowledge=changed)})
        assert caught.value.culprits == (second,)
    borrowed = replace(packages[second], commitment=packages[third].commitment)
    with pytest.raises(InvalidProofOfKnowledge):
        dkg.part2(run.secrets1[own], {**packages, second: borrowed})


def test_a_signature_is_no_proof_of_knowledge_and_a_proof_no_signature(suite: Ciphersuite) -> None:
    run = Run(suite, (1, 2), 2)
    own, other = run.ids
    package, key = run.packages1[other], run.packages1[other].commitment
    group = suite.group
    nonce = scalar(group, 5)
    commitment = group.encode(group.multiply_base(nonce))
    message = other.serialize()
    (secret,) = run.secrets1[other].coefficients[:1]
    verifying_key = signing.VerifyingKey.from_element(suite, key.elements[0])
    challenge = verifying_key.challenge(commitment, message)
    response = number(group, group.multiply_add(nonce, secret.scalar, challenge))
    signature = Signature(suite, commitment, response)
    verifying_key.verify(message, signature)
    with pytest.raises(InvalidProofOfKnowledge):
        dkg.part2(run.secrets1[own], {other: replace(package, proof_of_knowledge=signature)})
    for claimed in (message, b"", message + key.constant_term):
        with pytest.raises(InvalidSignature):
            verifying_key.verify(claimed, package.proof_of_knowledge)


def test_a_rogue_key_needs_a_proof_it_cannot_have(run: Run) -> None:
    # X - (sum of the others): the group key would be X, whose logarithm the last sender knows
    *honest, rogue = run.ids
    group = run.suite.group
    target = group.multiply_base(scalar(group, 42))
    for sender in honest:
        negative = group.combine_base(0, -1, run.packages1[sender].commitment.elements[0])
        group.accumulate(target, negative)
    package = run.packages1[rogue]
    elements = (target, *package.commitment.elements[1:])
    commitment = VerifiableSecretSharingCommitment.from_elements(run.suite, elements)
    run.packages1[rogue] = replace(package, commitment=commitment)
    with pytest.raises(InvalidProofOfKnowledge) as caught:
        run.part2(run.ids[0])
    assert caught.value.culprits == (rogue,)


def test_packages_too_many_too_few_or_the_own(run: Run) -> None:
    own, second, third, fourth = run.ids
    packages = run.round1_for(own)
    (stranger,) = identifiers(run.suite, 5)
    for wrong in ({}, {second: packages[second]}, {**packages, stranger: packages[second]}):
        with pytest.raises(IncorrectNumberOfPackages):
            dkg.part2(run.secrets1[own], wrong)
    with pytest.raises(UnknownIdentifier):
        dkg.part2(run.secrets1[own], {own: packages[second], third: packages[third], fourth: packages[fourth]})


def test_the_order_of_the_packages_does_not_matter(run: Run) -> None:
    own = run.ids[0]
    run.until_part3()
    backwards = dict(reversed(run.round1_for(own).items()))
    assert dkg.digest_round1(backwards) == run.secrets2[own].round1_digest
    dkg.part3(run.secrets2[own], backwards, dict(reversed(run.round2_for(own).items())))


# ── secrets serve once ──


def test_a_polynomial_is_evaluated_once(run: Run) -> None:
    own = run.ids[0]
    secret, coefficients = run.secrets1[own], run.secrets1[own].coefficients
    run.part2(own)
    assert all(number(run.suite.group, c.scalar) == 0 for c in coefficients)
    changed = {Identifier(run.suite, i.value + 10): p for i, p in run.round1_for(own).items()}
    for packages in (run.round1_for(own), changed):
        with pytest.raises(SecretConsumed):
            dkg.part2(secret, packages)
    for write in (secret.serialize, secret.to_json, lambda: secret.coefficients):
        with pytest.raises(SecretConsumed):
            write()


def test_a_round_2_secret_serves_once(run: Run) -> None:
    run.until_part3()
    own = run.ids[0]
    run.part3(own)
    with pytest.raises(SecretConsumed):
        run.part3(own)
    with pytest.raises(SecretConsumed):
        run.secrets2[own].serialize()


def test_wiping_ends_a_secret_package(run: Run) -> None:
    secret = run.secrets1[run.ids[0]]
    coefficients = secret.coefficients
    for _ in range(2):
        secret.wipe()
    assert all(number(run.suite.group, c.scalar) == 0 for c in coefficients)
    with pytest.raises(SecretConsumed):
        run.part2(run.ids[0])


def test_a_secret_package_that_contradicts_itself(suite: Ciphersuite) -> None:
    run = Run(suite, (1, 2, 3), 2)
    own = run.ids[0]
    secret = run.secrets1[own]
    fewer = round1.SecretPackage(suite, own, secret.coefficients[:1], secret.commitment, 2, 3)
    with pytest.raises(IncorrectPackage, match="contradicts"):
        dkg.part2(fewer, run.round1_for(own))
    run.until_part3()
    wrong = SigningShare(suite, scalar(suite.group, 5))
    kept = run.secrets2[own]
    tampered = round2.SecretPackage(suite, own, kept.commitment, wrong, 2, 3, kept.round1_digest)
    for strict in (True, False):
        with pytest.raises(IncorrectPackage, match="contradicts"):
            dkg.part3(tampered, run.round1_for(own), run.round2_for(own), strict=strict)


# ── round 2 ──


def add_one(package: round2.Package) -> round2.Package:
    suite = package.ciphersuite
    value = number(suite.group, package.signing_share.scalar) + 1
    return round2.Package(suite, SigningShare(suite, scalar(suite.group, value)))


@pytest.mark.parametrize("strict", [True, False, None])
def test_bad_shares_name_their_senders(run: Run, strict: bool | None) -> None:
    run.until_part3()
    own, second, third, fourth = run.ids
    good = run.round2_for(own)
    cases = {
        (second,): {**good, second: add_one(good[second])},
        (third, fourth): {**good, third: add_one(good[third]), fourth: add_one(good[fourth])},
        (fourth,): {**good, fourth: run.packages2[fourth][second]},  # meant for somebody else
        (second, third): {**good, second: good[third], third: good[second]},
    }
    for culprits, packages in cases.items():
        with pytest.raises(InvalidSecretShare) as caught:
            # two shares that are swapped leave the sum as it was
            effective = True if culprits == (second, third) else strict
            dkg.part3(run.secrets2[own], run.round1_for(own), packages, strict=effective)
        assert caught.value.culprits == culprits
    run.part3(own, strict=strict)  # what failed has consumed nothing


def test_errors_that_cancel_out_leave_the_honest_share(run: Run) -> None:
    run.until_part3()
    own, second, third, _ = run.ids
    packages = run.round2_for(own)
    packages[second], packages[third] = packages[third], packages[second]
    with pytest.raises(InvalidSecretShare):
        dkg.part3(run.secrets2[own], run.round1_for(own), packages)
    stored = public_bytes(run.secrets2[own].serialize())
    again = round2.SecretPackage.deserialize(run.suite, Secret(stored), run.secrets2[own].round1_digest)
    lenient, _ = dkg.part3(run.secrets2[own], run.round1_for(own), packages, strict=False)
    honest, _ = dkg.part3(again, run.round1_for(own), run.round2_for(own), strict=True)
    assert lenient.signing_share.serialize().equals(honest.signing_share.serialize())


def test_the_default_is_strict_for_small_groups_only() -> None:
    for max_signers, is_strict in ((10, True), (11, False)):
        run = Run(FAST, range(1, max_signers + 1), 2)
        run.until_part3()
        own, second, third = run.ids[:3]
        packages = run.round2_for(own)
        packages[second], packages[third] = packages[third], packages[second]
        if is_strict:
            with pytest.raises(InvalidSecretShare):
                dkg.part3(run.secrets2[own], run.round1_for(own), packages)
        else:
            dkg.part3(run.secrets2[own], run.round1_for(own), packages)


def test_round_2_packages_must_match_round_1(run: Run) -> None:
    run.until_part3()
    own, second, third, _ = run.ids
    round1_packages, good = run.round1_for(own), run.round2_for(own)
    (stranger,) = identifiers(run.suite, 5)
    cases = [
        (UnknownIdentifier, {**good, own: good[second]}),
        (IncorrectNumberOfPackages, {i: p for i, p in good.items() if i != third}),
        (IncorrectNumberOfPackages, {**good, stranger: good[second]}),
        (IncorrectPackage, {**{i: p for i, p in good.items() if i != third}, stranger: good[third]}),
    ]
    for error, packages in cases:
        with pytest.raises(error):
            dkg.part3(run.secrets2[own], round1_packages, packages)
    run.part3(own)


def test_part3_takes_only_the_round_1_packages_of_part2(run: Run) -> None:
    run.until_part3()
    own, second, third, _ = run.ids
    other = Run(run.suite, run.numbers, run.min_signers)
    packages = run.round1_for(own)
    cases = (
        {**packages, second: other.packages1[second]},
        {**packages, second: packages[third], third: packages[second]},
        {**packages, second: with_other_proof(packages[second])},
    )
    for changed in cases:
        with pytest.raises(IncorrectPackage, match="not those of part 2"):
            dkg.part3(run.secrets2[own], changed, run.round2_for(own))
    # read back without the digest, part3 checks the proofs again, and then the shares
    kept = round2.SecretPackage.deserialize(run.suite, run.secrets2[own].serialize())
    for changed, error in zip(
        cases, (InvalidSecretShare, InvalidProofOfKnowledge, InvalidProofOfKnowledge), strict=True
    ):
        with pytest.raises(error):
            dkg.part3(kept, changed, run.round2_for(own))
    dkg.part3(kept, packages, run.round2_for(own))


# ── commitments that cancel out ──


def cancelling_run(suite: Ciphersuite, which: int) -> Run:
    """Let two participants choose opposite coefficients, so that one entry of the sum is the identity.

    Each proves knowledge honestly: no single participant can be blamed.
    """
    run = Run(suite, (1, 2), 2)
    order = suite.group.order
    values = ([5, 6], [7, 8])
    values[1][which] = order - values[0][which]
    for own, (constant, linear) in zip(run.ids, values, strict=True):
        entropy = draws(suite, constant, linear, 77)
        run.secrets1[own], run.packages1[own] = dkg.part1(suite, own, max_signers=2, min_signers=2, entropy=entropy)
    return run.until_part3()


@pytest.mark.parametrize("which", [0, 1])
def test_a_key_or_threshold_that_cancels_out_is_refused(suite: Ciphersuite, which: int) -> None:
    run = cancelling_run(suite, which)
    for own in run.ids:
        with pytest.raises(InvalidIdentityElement) as caught:
            run.part3(own)
        assert caught.value.culprits == ()
        run.secrets2[own].serialize()  # still there


def test_a_failed_check_leaves_the_maps_and_secrets_alone(run: Run) -> None:
    run.until_part3()
    own, second = run.ids[:2]
    before = public_bytes(run.secrets2[own].serialize())
    round1_packages, round2_packages = run.round1_for(own), run.round2_for(own)
    round2_packages[second] = add_one(round2_packages[second])
    snapshot = (dict(round1_packages), dict(round2_packages))
    with pytest.raises(InvalidSecretShare):
        dkg.part3(run.secrets2[own], round1_packages, round2_packages)
    assert public_bytes(run.secrets2[own].serialize()) == before
    assert list(round1_packages.items()) == list(snapshot[0].items())
    assert all(a is b for a, b in zip(round2_packages.values(), snapshot[1].values(), strict=True))


@pytest.mark.parametrize(("max_signers", "min_signers"), [(3, 2), (15, 13)])
def test_all_implementations_agree(max_signers: int, min_signers: int) -> None:
    outcomes = []
    for suite in SUITES.values():
        ids = identifiers(suite, *range(1, max_signers + 1))
        secrets, packages = {}, {}
        for own in ids:
            secrets[own], packages[own] = dkg.part1(
                suite,
                own,
                max_signers=max_signers,
                min_signers=min_signers,
                entropy=KnownEntropy(b"%d" % own.value),
            )
        own = ids[0]
        kept, sent = dkg.part2(secrets[own], others(packages, own))
        received = {i: dkg.part2(secrets[i], others(packages, i))[1][own] for i in ids[1:]}
        key_package, public = dkg.part3(kept, others(packages, own), received)
        nonces, commitments = signing.commit(key_package, KnownEntropy(b"nonces"))
        outcome = [package.serialize() for package in (*packages.values(), *sent.values(), key_package, public)]
        outcomes.append([public_bytes(data) for data in (*outcome, nonces.serialize(), commitments.y_coordinates())])
    assert outcomes[0] == outcomes[1] == outcomes[2]
