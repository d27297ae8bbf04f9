"""Participants that run @noble/curves and participants that run frost_hsm, in one group."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from peers import ceremony
from peers.ceremony import Implementation
from peers.noble_curves import Noble
from peers.ours import Ours
from peers.process import PeerError
from peers.zcash_foundation import key, public_bytes
from stage.samples import takes_every

from frost_hsm.errors import InvalidProofOfKnowledge, InvalidSecretShare, InvalidSignatureShare
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dealer
from frost_hsm.frost.packages import KeyPackage, SigningPackage
from frost_hsm.frost.values import Identifier

GROUPS = 40 if takes_every("groups") else 10
NUMBERS = [0, 1, *(pytest.param(number, marks=pytest.mark.slow) for number in range(2, GROUPS))]


@pytest.mark.parametrize("number", NUMBERS)
def test_mixed_groups_make_keys_and_sign(suite: Ciphersuite, noble: Noble, number: int) -> None:
    """Small groups more often than large ones, in which one alone runs noble: on Ed448 that takes it seconds.

    FROST_HSM_EVERY=groups makes 40 of them, as many as with ZcashFoundation's crates.
    """
    choices = random.Random(number)
    ours = Ours()
    max_signers = min(choices.randint(2, 12), choices.randint(2, 12))
    min_signers = choices.randint(2, max_signers)
    others: list[Implementation] = [noble, ours] if max_signers < 5 else [ours]
    sides = [noble, ours, *choices.choices(others, k=max_signers - 2)]
    participants = ceremony.join(suite, choices, sides)

    public = ceremony.generate_key(participants, min_signers)

    signers = choices.sample(participants, choices.randint(min_signers, max_signers))
    ceremony.sign(signers, public, choices.randbytes(choices.randrange(100)), [noble, ours])


def test_both_derive_the_same_identifier(suite: Ciphersuite, noble: Noble) -> None:
    derived = noble.process.ask("identifier", text="alice@example.com")["identifier"]
    assert derived == key(Identifier.derive(suite, b"alice@example.com"))


def test_our_dealer_serves_both(suite: Ciphersuite, noble: Noble) -> None:
    shares, public = dealer.generate_with_dealer(suite, max_signers=3, min_signers=2)
    keys = [KeyPackage.from_secret_share(share) for share in shares.values()]
    participants = [side.join(package.identifier) for side, package in zip((Ours(), noble, noble), keys, strict=True)]
    for one, package in zip(participants, keys, strict=True):
        one.take_key_package(package, public)

    ceremony.check_key_packages(participants, public)
    ceremony.sign(participants[:2], public, b"message", [noble, Ours()])
    held = [
        {
            "identifier": key(package.identifier),
            "signingShare": public_bytes(package.signing_share.serialize()).hex(),
        }
        for package in keys[1:]
    ]
    made = noble.process.ask("reconstruct", shares=held, signers={"min": 2, "max": 3})["secret"]
    assert bytes.fromhex(made) == public_bytes(dealer.reconstruct(keys[:2]).serialize())


# ── cheats; noble names culprits of signatures only ──


def test_our_cheats_are_refused(suite: Ciphersuite, noble: Noble) -> None:
    cheat, judge = Identifier.from_u16(suite, 1), Identifier.from_u16(suite, 2)
    judging = noble.join(judge)
    honest = Ours().join(cheat).part1(2, 2)
    judging.part1(2, 2)

    with pytest.raises(PeerError, match="invalid proof of knowledge"):
        judging.part2({cheat: Ours().join(judge).part1(2, 2)})
    judging.part1(3, 2)
    with pytest.raises(PeerError, match="wrong number of commitments"):
        judging.part2({cheat: Ours().join(cheat).part1(3, 3), Identifier.from_u16(suite, 3): honest})


def test_our_bad_shares_are_refused(suite: Ciphersuite, noble: Noble) -> None:
    participants = [
        Ours().join(Identifier.from_u16(suite, 1)),
        *(noble.join(Identifier.from_u16(suite, k)) for k in (2, 3)),
    ]
    cheat, judge, third = (one.identifier for one in participants)
    first = ceremony.exchange_round1(participants, 2)
    second = ceremony.exchange_round2(participants, first)
    second[judge][cheat] = second[third][cheat]

    with pytest.raises(PeerError, match="invalid secret share"):
        participants[1].part3(ceremony.others(first, judge), second[judge])


def test_their_cheats_are_blamed(suite: Ciphersuite, noble: Noble) -> None:
    participants = [
        noble.join(Identifier.from_u16(suite, 1)),
        *(Ours().join(Identifier.from_u16(suite, k)) for k in (2, 3)),
    ]
    cheat, judge, third = (one.identifier for one in participants)
    first = ceremony.exchange_round1(participants, 2)
    forged = {**ceremony.others(first, judge), cheat: noble.join(Identifier.from_u16(suite, 4)).part1(3, 2)}

    with pytest.raises(InvalidProofOfKnowledge) as proof:
        participants[1].part2(forged)
    second = ceremony.exchange_round2(participants, first)
    second[judge][cheat] = second[third][cheat]
    with pytest.raises(InvalidSecretShare) as share:
        participants[1].part3(ceremony.others(first, judge), second[judge])

    assert proof.value.culprits == share.value.culprits == (cheat,)


@pytest.mark.parametrize("cheating", ["noble", "frost_hsm"])
def test_a_signature_share_on_another_message_is_blamed(suite: Ciphersuite, noble: Noble, cheating: str) -> None:
    cheating_side, judge = (noble, Ours()) if cheating == "noble" else (Ours(), noble)
    participants = [
        cheating_side.join(Identifier.from_u16(suite, 1)),
        judge.join(Identifier.from_u16(suite, 2)),
    ]
    public = ceremony.generate_key(participants, 2)
    commitments = {one.identifier: one.commit() for one in participants}
    package = SigningPackage(suite, commitments, b"the message")
    other = SigningPackage(suite, commitments, b"another message")
    shares = {
        participants[0].identifier: participants[0].sign(other),
        participants[1].identifier: participants[1].sign(package),
    }
    cheat = participants[0].identifier

    assert aggregation_blames(lambda: judge.aggregate(package, shares, public)) == (key(cheat),)
    with pytest.raises(InvalidSignatureShare) as alone:
        judge.verify_share(cheat, shares[cheat], package, public)
    assert alone.value.culprits == (cheat,)


def aggregation_blames(work: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises((PeerError, InvalidSignatureShare)) as caught:
        work()
    return tuple(
        culprit if isinstance(culprit, str) else key(culprit)
        for culprit in caught.value.culprits  # type: ignore[attr-defined]
    )
