"""Signing in one round, with nonces that were made ahead; and under a key that is not linked to the group's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from stage import parties, staging, upkeep
from stage.parties import Party, inbox
from stage.staging import Stage

from frost_hsm.ceremony.history import evidence
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Response, SigningRequest
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.errors import (
    InvalidContents,
    InvalidSignature,
    InvalidSignatureShare,
    NonceUsed,
    NotPossible,
    TokenProblem,
    UsageProblem,
)
from frost_hsm.frost.packages import Signature, SigningCommitments, SigningPackage
from frost_hsm.frost.rerandomized import RandomizedParams
from frost_hsm.frost.signing import CheaterDetection
from frost_hsm.secret import Secret

MESSAGE = b"pay 5 to dave"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("prepared"), getattr(request, "param", "p256"))


two_suites = pytest.mark.parametrize("stage", ["p256", "ed25519"], indirect=True)


def prepare(party: Party, count: int) -> list[SigningCommitments]:
    with party.holder() as holder:
        return SealedSigner(party.key(), holder, party.home).preprocess(count)


def waiting(party: Party) -> int:
    with party.holder() as holder:
        return len(SealedSigner(party.key(), holder, party.home).prepared())


def ask(
    signers: Sequence[Party],
    message: bytes = MESSAGE,
    commitments: Mapping[str, SigningCommitments] | None = None,
    is_rerandomized: bool = False,
) -> bytes:
    with signers[0].holder() as holder:
        names = [party.name for party in signers]
        return signing.request(
            holder,
            signers[0].key(),
            message,
            names,
            commitments=None if commitments is None else {name: [each] for name, each in commitments.items()},
            is_rerandomized=is_rerandomized,
        )


def signature(party: Party, data: bytes) -> Signature:
    return Signature.deserialize(party.key().suite, data)


# ── Nonces made ahead ──


@two_suites
def test_one_round_signs_with_nonces_made_ahead(trio: list[Party]) -> None:
    alice, bob, carol = trio
    ahead = {party.name: prepare(party, 3) for party in (alice, carol)}
    for number in range(3):
        wanted = ask([carol, alice], commitments={name: made[number] for name, made in ahead.items()})
        assert alice.session(wanted).status().step == "respond"
        responses = parties.respond([alice, carol], wanted, {})
        assert parties.respond([alice, carol], wanted, {}) == responses, "the stored answer"
        encoded = bob.session(wanted).aggregate(inbox(responses.values()))[0]
        bob.key().public_key_package.verifying_key.verify(MESSAGE, signature(bob, encoded))
        assert [waiting(party) for party in (alice, carol)] == [2 - number] * 2
    assert not any("nonces" in name for name in alice.records())


def test_a_pair_made_ahead_serves_one_request(trio: list[Party]) -> None:
    alice, bob, _ = trio
    ahead = {party.name: prepare(party, 1)[0] for party in (alice, bob)}
    first, second = (ask([alice, bob], message, ahead) for message in (MESSAGE, b"pay 5000 to mallory"))
    parties.respond([alice], first, {})
    with pytest.raises(NonceUsed):
        parties.respond([alice], second, {})


def test_a_request_with_somebody_elses_nonces_signs_nothing(trio: list[Party]) -> None:
    alice, bob, _ = trio
    hers, his = prepare(alice, 1)[0], prepare(bob, 1)[0]
    swapped = ask([alice, bob], commitments={"alice": his, "bob": hers})
    for party in (alice, bob):
        with pytest.raises(NonceUsed, match="not in this token"):
            parties.respond([party], swapped, {})
        assert waiting(party) == 1


def test_a_request_that_holds_commitments_takes_no_others(trio: list[Party]) -> None:
    alice, bob, _ = trio
    wanted = ask(trio[:2], commitments={party.name: prepare(party, 1)[0] for party in (alice, bob)})
    with pytest.raises(NotPossible, match="made ahead"):
        parties.commit([alice], wanted)
    with pytest.raises(NotPossible, match="not those of the signers"):
        ask(trio[:2], commitments={"alice": prepare(alice, 1)[0]})


def test_garbage_in_place_of_commitments_names_who_asked(trio: list[Party]) -> None:
    alice, bob, _ = trio
    good = signed.read(ask(trio[:2]), alice.key().roster).expect(SigningRequest).message
    with bob.holder() as holder:
        wanted = signed.write(replace(good, author=2, commitments=(b"one", b"other")), holder)
    with pytest.raises(InvalidContents) as caught:
        parties.respond([alice], wanted, {})
    assert caught.value.culprits == ("bob",)


def test_a_full_token_keeps_none_of_them(trio: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = trio[0]
    put, room = SealedRecords.put, iter(range(3))

    def put_while_there_is_room(self: SealedRecords, *arguments: object) -> None:
        if next(room, None) is None:
            raise TokenProblem("the token is full")
        put(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SealedRecords, "put", put_while_there_is_room)
    with pytest.raises(TokenProblem, match="full"):
        prepare(alice, 5)
    assert not any("nonces" in name for name in alice.records())


@pytest.mark.parametrize("count", [0, -1])
def test_no_pairs_are_none(trio: list[Party], count: int) -> None:
    with pytest.raises(UsageProblem):
        prepare(trio[0], count)


def test_a_refresh_takes_what_was_made_ahead_of_the_old_shares(trio: list[Party]) -> None:
    alice, bob, _ = trio
    ahead = {party.name: prepare(party, 1)[0] for party in (alice, bob)}
    upkeep.refresh(trio)
    parties.sign([alice, bob], b"as many as sign are in the new epoch")
    assert waiting(alice) == 0
    assert not any("nonces" in name for name in alice.records())
    with pytest.raises(NonceUsed, match="not in this token"):
        parties.respond([alice], ask([alice, bob], commitments=ahead), {})


def test_discarding_leaves_the_nonces_of_requests(trio: list[Party]) -> None:
    alice, bob, _ = trio
    wanted = parties.request([alice, bob], MESSAGE)
    commitments = parties.commit([alice, bob], wanted)
    prepare(alice, 2)
    assert waiting(alice) == 2
    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        assert signer.discard_prepared() == 2
        assert signer.discard_prepared() == 0
    assert len(parties.respond([alice], wanted, commitments)["alice"]) > 0


# ── Under a key of its own ──


@two_suites
@pytest.mark.parametrize("is_prepared", [False, True], ids=["two rounds", "one round"])
def test_a_rerandomized_signature_verifies_under_its_own_key_alone(trio: list[Party], is_prepared: bool) -> None:
    alice, bob, carol = trio
    ahead = {party.name: prepare(party, 1)[0] for party in (alice, carol)} if is_prepared else None
    wanted = ask([alice, carol], commitments=ahead, is_rerandomized=True)
    commitments = {} if is_prepared else parties.commit([alice, carol], wanted)
    responses = parties.respond([alice, carol], wanted, commitments)
    session = bob.session(wanted)
    assert session.check(inbox(commitments.values(), responses["carol"])).have == ("carol",)
    made = signature(bob, session.aggregate(inbox(commitments.values(), responses.values()))[0])
    session.verifying_keys[0].verify(MESSAGE, made)
    with pytest.raises(InvalidSignature):
        bob.key().public_key_package.verifying_key.verify(MESSAGE, made)
    assert alice.session(wanted).is_rerandomized


def test_each_request_has_a_key_of_its_own(trio: list[Party]) -> None:
    alice, bob, _ = trio
    keys = set()
    for _ in range(2):
        wanted = ask([alice, bob], is_rerandomized=True)
        commitments = parties.commit([alice, bob], wanted)
        responses = parties.respond([alice, bob], wanted, commitments)
        session = alice.session(wanted)
        session.aggregate(inbox(commitments.values(), responses.values()))
        keys.add(session.verifying_keys[0].encoded)
    assert len(keys) == 2
    assert alice.key().verifying_key not in keys


@two_suites
def test_nonces_serve_under_one_randomizer(trio: list[Party]) -> None:
    """The same package under another key is another challenge: one pair of nonces must not answer both."""
    alice, bob, _ = trio
    key = alice.key()
    commitments = {key.identifier(party.name): prepare(party, 1)[0] for party in (alice, bob)}
    package = SigningPackage(key.suite, commitments, MESSAGE)
    seeds = [Secret(bytes([number]) * key.suite.group.scalar_length) for number in (1, 2)]

    with alice.holder() as holder:
        signer = SealedSigner(key, holder, alice.home)
        share = signer.sign(package, randomizer_seed=seeds[0])
        for other in (None, *seeds):
            with pytest.raises(NonceUsed):
                signer.sign(package, randomizer_seed=other)
    with bob.holder() as holder:
        his = SealedSigner(bob.key(), holder, bob.home).sign(package, randomizer_seed=seeds[0])
    params = RandomizedParams.regenerate_from_seed_and_commitments(
        key.public_key_package.verifying_key, seeds[0], commitments
    )
    from frost_hsm.frost import rerandomized

    shares = dict(zip(commitments, (share, his), strict=True))
    made = rerandomized.aggregate(package, shares, key.public_key_package, params)
    params.randomized_verifying_key.verify(MESSAGE, made)


def test_a_seed_of_another_length_names_who_asked(trio: list[Party]) -> None:
    alice, bob, _ = trio
    good = signed.read(ask(trio[:2]), alice.key().roster).expect(SigningRequest).message
    with bob.holder() as holder:
        wanted = signed.write(replace(good, author=2, randomizer_seed=bytes(31)), holder)
    with pytest.raises(InvalidContents) as caught:
        alice.session(wanted)
    assert caught.value.culprits == ("bob",)


# ── One share, and how hard cheaters are looked for ──


def spoil(liar: Party, response: bytes, error: int = 1) -> bytes:
    said = signed.read(response, liar.key().roster).expect(Response).message
    share = bytearray(said.shares[0])
    share[1] ^= error
    with liar.holder() as holder:
        return signed.write(replace(said, shares=(bytes(share),)), holder)


@two_suites
def test_each_share_is_checked_before_all_are_here(trio: list[Party]) -> None:
    alice, bob, carol = trio
    wanted = parties.request(trio, MESSAGE)
    commitments = parties.commit(trio, wanted)
    responses = parties.respond(trio, wanted, commitments)
    found = carol.session(wanted).check(inbox(commitments.values(), responses["bob"]))
    assert (found.have, found.missing) == (("bob", "carol"), ("alice",)), "her own share is here already"
    bad = spoil(alice, responses["alice"])
    with pytest.raises(InvalidSignatureShare) as caught:
        bob.session(wanted).check(inbox(commitments.values(), bad))
    assert caught.value.culprits == ("alice",)
    assert bob.session(wanted).transcript.evidence() is not None


@pytest.mark.parametrize("numbering", list(Numbering))
def test_anybody_can_judge_a_bad_share_made_in_one_round(tmp_path: Path, numbering: Numbering) -> None:
    """The evidence alone convicts: commitments made ahead, the randomizer and the identifiers are in it."""
    alice, bob, carol = people = parties.gather(tmp_path)
    parties.generate(people, numbering=numbering)
    ahead = {party.name: prepare(party, 1)[0] for party in (alice, bob)}
    wanted = ask([alice, bob], commitments=ahead, is_rerandomized=True)
    responses = parties.respond([alice, bob], wanted, {})
    session = carol.session(wanted)
    assert session.check(inbox(responses.values())).have == ("alice", "bob")
    with pytest.raises(InvalidSignatureShare):
        session.check(inbox(spoil(alice, responses["alice"]), responses["bob"]))
    assert evidence.judge(session.transcript.evidence() or b"").culprits == (alice.public,)


@two_suites
@pytest.mark.parametrize(
    ("mode", "culprits"),
    [(CheaterDetection.FIRST, ("alice",)), (CheaterDetection.ALL, ("alice", "carol"))],
)
def test_cheaters_are_looked_for_as_told(trio: list[Party], mode: CheaterDetection, culprits: tuple[str, ...]) -> None:
    wanted = parties.request(trio, MESSAGE)
    commitments = parties.commit(trio, wanted)
    responses = parties.respond(trio, wanted, commitments)
    for liar, error in ((trio[0], 1), (trio[2], 2)):  # not such that they cancel out
        responses[liar.name] = spoil(liar, responses[liar.name], error)
    taken, bob = (commitments.values(), responses.values()), trio[1]
    with pytest.raises(InvalidSignature, match="do not add up"):
        bob.session(wanted).aggregate(inbox(*taken), cheater_detection=CheaterDetection.DISABLED)
    with pytest.raises(InvalidSignatureShare) as caught:
        bob.session(wanted).aggregate(inbox(*taken), cheater_detection=mode)
    assert caught.value.culprits == culprits
