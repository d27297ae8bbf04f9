"""Participants that run ZcashFoundation's crates and participants that run frost_hsm, in one group."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from peers import ceremony
from peers.ceremony import Implementation, blamed
from peers.ours import OurParticipant, Ours
from peers.zcash_foundation import Form, Rust, RustParticipant, key

from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dkg, round1, round2
from frost_hsm.frost.packages import SigningPackage
from frost_hsm.frost.values import Identifier

NUMBERS = [*range(8), *(pytest.param(number, marks=pytest.mark.slow) for number in range(8, 40))]


@pytest.mark.parametrize("number", NUMBERS)
def test_mixed_groups_make_keys_and_sign(suite: Ciphersuite, rust: Rust, number: int) -> None:
    """Some run the crates and speak JSON, some run them and speak postcard, and some run frost_hsm."""
    choices = random.Random(number)
    ours, in_json, in_postcard = Ours(), replace(rust, form=Form.JSON), replace(rust, form=Form.POSTCARD)
    max_signers = choices.randint(2, 12)
    min_signers = choices.randint(2, max_signers)
    all_sides: list[Implementation] = [ours, in_json, in_postcard]
    sides = [ours, *choices.sample([in_json, in_postcard], 2), *choices.choices(all_sides, k=10)][:max_signers]
    participants = ceremony.join(suite, choices, sides)

    public = ceremony.generate_key(participants, min_signers)

    signers = choices.sample(participants, choices.randint(min_signers, max_signers))
    ceremony.sign(signers, public, choices.randbytes(choices.randrange(100)), all_sides)


@pytest.mark.parametrize("data", [b"", b"alice@example.com", bytes(range(256))])
def test_both_derive_the_same_identifier(suite: Ciphersuite, rust: Rust, data: bytes) -> None:
    assert rust.ask("identifier", bytes=data.hex())["identifier"] == key(Identifier.derive(suite, data))


@pytest.mark.parametrize("number", [1, 255, 256, 65535])
def test_both_number_alike(suite: Ciphersuite, rust: Rust, number: int) -> None:
    assert rust.ask("identifier", number=number)["identifier"] == key(Identifier.from_u16(suite, number))


@pytest.mark.parametrize(
    ("max_signers", "min_signers"), [(3, 0), (3, 1), (0, 2), (1, 1), (1, 2), (1, 3), (2, 3), (9, 10)]
)
def test_both_refuse_the_same_numbers(suite: Ciphersuite, rust: Rust, max_signers: int, min_signers: int) -> None:
    """In the generic part1 that every suite runs, and with the same errors."""
    own = Identifier.from_u16(suite, 1)

    there = blamed(lambda: rust.join(own).part1(max_signers, min_signers))

    assert blamed(lambda: Ours().join(own).part1(max_signers, min_signers)) == there


@pytest.mark.parametrize("form", Form)
def test_a_participant_can_go_on_with_the_other_implementation(suite: Ciphersuite, rust: Rust, form: Form) -> None:
    """Each secret package, made by one, taken up by the other: part1 there, part2 here; part2 there, part3 here."""
    rust = replace(rust, form=form)
    one, two, three = (Identifier.from_u16(suite, number) for number in (1, 2, 3))
    here, there, mover = OurParticipant(one), RustParticipant(rust, two), RustParticipant(rust, three)
    first = {each.identifier: each.part1(3, 2) for each in (here, there, mover)}
    second = {each.identifier: each.part2(ceremony.others(first, each.identifier)) for each in (here, there)}
    secret = mover.export("round1_secret_package", round1.SecretPackage, mover.round1)
    _, second[three] = dkg.part2(secret, ceremony.others(first, three))  # with the polynomial made there
    assert_same_shares(second[three], mover.part2(ceremony.others(first, three)))
    kept = mover.export("round2_secret_package", round2.SecretPackage, mover.round2)

    _, public = dkg.part3(kept, ceremony.others(first, three), {one: second[one][three], two: second[two][three]})

    for each in (here, there):
        received = {sender: sent[each.identifier] for sender, sent in second.items() if sender != each.identifier}
        assert each.part3(ceremony.others(first, each.identifier), received) == public


def assert_same_shares(ours: dict[Identifier, round2.Package], theirs: dict[Identifier, round2.Package]) -> None:
    assert ours.keys() == theirs.keys()
    for recipient, package in ours.items():
        assert package.serialize().equals(theirs[recipient].serialize())


# ── cheats ──


@dataclass(frozen=True)
class Sides:
    cheat: Implementation
    judge: Implementation


@pytest.fixture(params=["cheating crates", "cheating frost_hsm"])
def sides(request: pytest.FixtureRequest, rust: Rust) -> Sides:
    return Sides(rust, Ours()) if request.param == "cheating crates" else Sides(Ours(), rust)


def test_a_proof_made_under_another_identifier_is_blamed(suite: Ciphersuite, sides: Sides) -> None:
    cheat, judge, third = (Identifier.from_u16(suite, number) for number in (1, 2, 3))
    judging = sides.judge.join(judge)
    judging.part1(3, 2)
    packages = {
        cheat: sides.cheat.join(Identifier.from_u16(suite, 4)).part1(3, 2),
        third: Ours().join(third).part1(3, 2),
    }

    assert blamed(lambda: judging.part2(packages)) == ("InvalidProofOfKnowledge", (key(cheat),))


def test_a_commitment_to_a_higher_threshold_is_refused(suite: Ciphersuite, sides: Sides) -> None:
    cheat, judge, third = (Identifier.from_u16(suite, number) for number in (1, 2, 3))
    judging = sides.judge.join(judge)
    judging.part1(3, 2)
    packages = {cheat: sides.cheat.join(cheat).part1(3, 3), third: Ours().join(third).part1(3, 2)}

    name, culprits = blamed(lambda: judging.part2(packages))

    assert name == "IncorrectNumberOfCommitments"
    assert culprits == ((key(cheat),) if isinstance(sides.judge, Ours) else ())  # the crates name nobody here


def test_a_share_meant_for_somebody_else_is_blamed(suite: Ciphersuite, sides: Sides) -> None:
    cheat, judge, third = (Identifier.from_u16(suite, number) for number in (1, 2, 3))
    participants = [sides.cheat.join(cheat), sides.judge.join(judge), Ours().join(third)]
    first = ceremony.exchange_round1(participants, 2)
    second = ceremony.exchange_round2(participants, first)
    second[judge][cheat] = second[third][cheat]

    outcome = blamed(lambda: participants[1].part3(ceremony.others(first, judge), second[judge]))

    assert outcome == ("InvalidSecretShare", (key(cheat),))


def test_a_signature_share_on_another_message_is_blamed(suite: Ciphersuite, sides: Sides) -> None:
    identifiers = [Identifier.from_u16(suite, number) for number in (1, 2, 3)]
    cheat, honest = identifiers[0], identifiers[1:]
    participants = [sides.cheat.join(cheat), *(sides.judge.join(identifier) for identifier in honest)]
    public = ceremony.generate_key(participants, 2)
    commitments = {one.identifier: one.commit() for one in participants}
    package = SigningPackage(suite, commitments, b"the message")
    shares = {one.identifier: one.sign(package) for one in participants[1:]}
    shares[cheat] = participants[0].sign(SigningPackage(suite, commitments, b"another message"))

    outcome = blamed(lambda: sides.judge.aggregate(package, shares, public))
    alone = blamed(lambda: sides.judge.verify_share(cheat, shares[cheat], package, public))

    assert outcome == alone == ("InvalidSignatureShare", (key(cheat),))
    for identifier in honest:
        sides.judge.verify_share(identifier, shares[identifier], package, public)


def test_a_signature_on_another_message_is_refused(suite: Ciphersuite, rust: Rust) -> None:
    participants = [Ours().join(Identifier.from_u16(suite, 1)), rust.join(Identifier.from_u16(suite, 2))]
    public = ceremony.generate_key(participants, 2)
    signature = ceremony.sign(participants, public, b"the message", [rust, Ours()])

    for side in (rust, Ours()):
        assert blamed(lambda side=side: side.verify(b"another message", signature, public.verifying_key)) == (  # type: ignore[misc]
            "InvalidSignature",
            (),
        )
