"""Refreshing between people: the key stays, the shares do not, and never do two epochs meet."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from stage import mallory, parties, staging, upkeep
from stage.mallory import Saboteur
from stage.parties import Party
from stage.staging import Stage

from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import RefreshProposal
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.errors import (
    CeremonyStopped,
    ForeignMessage,
    FrostHsmError,
    IncorrectPackage,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    NotKnown,
    NotPossible,
    NotYet,
    StateRolledBack,
    StepConflict,
    UnknownSender,
)
from frost_hsm.frost.keys import round1
from frost_hsm.frost.keys.dealer import reconstruct
from frost_hsm.frost.packages import KeyPackage, Signature


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Alice, Bob and Mallory with an active key, of which two sign."""
    return staging.with_key(tmp_path_factory.mktemp("refresh"), names=("alice", "bob", "mallory"))


def share(party: Party, key: GroupKey) -> KeyPackage:
    with party.holder() as holder:
        return key.unseal(SealedRecords(holder, party.home))


def refused(party: Party, error: type[FrostHsmError], step: Callable[[], object]) -> FrostHsmError:
    """The step is refused, and every file and record is what it was."""
    before = (party.files(), party.records())
    with pytest.raises(error) as caught:
        step()
    assert (party.files(), party.records()) == before
    return caught.value


def test_the_key_stays_and_every_share_is_replaced(trio: list[Party]) -> None:
    before = [party.key() for party in trio]
    old = before[0].public_key_package
    upkeep.refresh(trio)
    keys = [party.key() for party in trio]
    assert [(key.epoch, key.status, key.ceremony) for key in keys] == [(1, KeyStatus.ACTIVE, before[0].ceremony)] * 3
    assert {key.transcript for key in keys} == {keys[0].transcript} != {before[0].transcript}
    package = keys[0].public_key_package
    assert keys[2].public_key_package == package
    assert (package.verifying_key, package.min_signers) == (old.verifying_key, old.min_signers)
    for identifier, verifying_share in package.verifying_shares.items():
        assert verifying_share != old.verifying_shares[identifier]
    for signers in (trio[:2], trio[1:], trio):
        assert len(parties.sign(signers, b"message")) == 65


def test_the_old_share_goes_once_as_many_as_sign_have_the_new_one(trio: list[Party]) -> None:
    """Until then something might bring people back to it; it signs nothing meanwhile."""
    parties.sign(trio, b"from here on nobody disputes the making of the key")
    before = [set(party.records()) for party in trio]
    upkeep.refresh(trio)
    for party, old in zip(trio, before, strict=True):
        assert sorted(name.split(".")[0] for name in party.records()) == ["signing-share"] * 2
        assert old < set(party.records())
    parties.sign(trio[:2], b"message")
    for party, old in zip(trio[:2], before, strict=False):
        assert [name.split(".")[0] for name in party.records()] == ["signing-share"]
        assert not old & set(party.records())
    assert before[2] < set(trio[2].records()), "who has not seen them keeps it"


def test_again_and_again(trio: list[Party]) -> None:
    key = trio[0].key().verifying_key
    for epoch in (1, 2, 3):
        upkeep.refresh(trio)
        assert trio[1].key().epoch == epoch
    assert trio[0].key().verifying_key == key
    assert [each.status for each in trio[0].key().earlier(trio[0].home)] == [KeyStatus.SUPERSEDED] * 3
    assert len(parties.sign(trio[1:], b"message")) == 65


def test_any_subset_signs_after_a_refresh(tmp_path: Path) -> None:
    """Identifiers are those of the participants, not their places in a list of signers."""
    people = parties.gather(tmp_path, ["ann", "ben", "cid", "dot", "eve"])
    parties.generate(people, min_signers=3)
    upkeep.refresh(people)
    for chosen in ((1, 3, 4), (0, 2, 4), (0, 1, 2, 4)):
        assert len(parties.sign([people[place] for place in chosen], b"message")) == 65


def test_every_step_repeats_itself(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = upkeep.propose(alice)
    first = upkeep.round1(trio, proposal)
    second = upkeep.round2(trio, first)
    third = upkeep.finish(trio, first, second)
    before = (alice.files(), alice.records())
    assert upkeep.round1([alice], proposal) == {"alice": first["alice"]}
    assert upkeep.round2([alice], first) == {"alice": second["alice"]}
    assert upkeep.finish([alice], first, second) == {"alice": third["alice"]}
    assert (alice.files(), alice.records()) == before
    upkeep.confirm(trio, third)
    before = (alice.files(), alice.records())
    upkeep.confirm([alice], third)
    assert (alice.files(), alice.records()) == before


def test_a_missing_participant_leaves_the_old_epoch_signing(trio: list[Party]) -> None:
    alice, bob, _ = trio
    proposal = upkeep.propose(alice)
    first = upkeep.round1([alice, bob], proposal)
    error = refused(alice, NotYet, lambda: upkeep.round2([alice], first))
    assert "mallory" in str(error)
    assert "treasury.refresh1.mallory.round1.pem" in str(error.hint)
    assert alice.key().epoch == 0
    assert len(parties.sign([alice, bob], b"message")) == 65
    first |= upkeep.round1(trio[2:], proposal)
    third = upkeep.finish(trio, first, upkeep.round2(trio, first))
    del third["mallory"]
    refused(alice, NotYet, lambda: upkeep.confirm([alice], third))
    assert len(parties.sign([alice, bob], b"message")) == 65


# ── Epochs do not meet ──


def test_requests_of_another_epoch_are_refused_both_ways(trio: list[Party]) -> None:
    alice, bob, _ = trio
    old = parties.request([bob, alice], b"old")
    upkeep.confirm([alice], upkeep.to_confirmations(trio))
    new = parties.request([alice, bob], b"new")
    error = refused(bob, ForeignMessage, lambda: bob.session(new))
    assert "a state of treasury that is not known here" in str(error)
    assert "frost-hsm keys import" in str(error.hint)
    error = refused(alice, ForeignMessage, lambda: alice.session(old).commit(alice.holder))
    assert "it was followed by refresh 1 of treasury" in str(error)


def test_nonces_of_the_old_epoch_are_gone(trio: list[Party]) -> None:
    alice, bob, _ = trio
    wanted = parties.request([alice, bob], b"message")
    commitments = parties.commit([alice, bob], wanted)
    with alice.holder() as holder:
        waiting = SealedSigner(alice.key(), holder, alice.home)
    assert any(name.startswith("signing-nonces") for name in alice.records())
    upkeep.refresh(trio)
    refused(alice, ForeignMessage, lambda: parties.respond([alice], wanted, commitments))
    parties.sign([alice, bob], b"as many as sign are in the new epoch")
    assert not any(name.startswith("signing-nonces") for name in alice.records())
    with alice.holder() as holder:
        old_key = replace(alice.key(), state=waiting.key.state)
        program = SealedSigner(old_key, holder, alice.home)
        refused(alice, StateRolledBack, program.commit)


def test_old_and_new_shares_do_not_make_the_key(trio: list[Party]) -> None:
    alice, bob, _ = trio
    old = share(alice, alice.key())
    upkeep.refresh(trio)
    new = [share(party, party.key()) for party in (alice, bob)]
    with pytest.raises(IncorrectPackage):
        reconstruct([old, new[1]])
    assert reconstruct(new).verifying_key() == alice.key().public_key_package.verifying_key


def test_a_state_directory_put_back_in_time_does_not_bring_the_old_epoch_back(trio: list[Party]) -> None:
    alice, bob, _ = trio
    copy = alice.directory / "copy"
    shutil.copytree(alice.directory / "home", copy)
    wanted = parties.request([alice, bob], b"message")
    upkeep.refresh(trio)
    shutil.rmtree(alice.directory / "home")
    shutil.copytree(copy, alice.directory / "home")
    assert alice.key().epoch == 0
    records = alice.records()
    with pytest.raises(StateRolledBack, match="the token has seen a newer state"):
        alice.session(wanted).commit(alice.holder)
    assert alice.records() == records


def test_a_state_directory_from_before_confirm_confirms_again(trio: list[Party]) -> None:
    alice = trio[0]
    third = upkeep.to_confirmations(trio)
    copy = alice.directory / "copy"
    shutil.copytree(alice.directory / "home", copy)
    upkeep.confirm(trio, third)
    shutil.rmtree(alice.directory / "home")
    shutil.copytree(copy, alice.directory / "home")
    upkeep.confirm([alice], third)
    assert len(parties.sign(trio[:2], b"message")) == 65


# ── Proposals ──


def test_a_second_proposal_conflicts_until_the_first_is_given_up(trio: list[Party]) -> None:
    alice, bob, _ = trio
    upkeep.join(alice, upkeep.propose(alice))
    other = upkeep.propose(bob)
    error = refused(alice, StepConflict, lambda: upkeep.join(alice, other))
    assert "frost-hsm refresh abort treasury" in str(error.hint)
    upkeep.load(alice).abort(alice.holder)
    first = upkeep.round1(trio, other)
    upkeep.confirm(trio, upkeep.finish(trio, first, upkeep.round2(trio, first)))
    assert alice.key().epoch == 1


def test_what_was_given_up_is_not_joined_again(trio: list[Party]) -> None:
    alice = trio[0]
    before = alice.records()
    proposal = upkeep.propose(alice)
    upkeep.round1([alice], proposal)
    assert upkeep.load(alice).abort(alice.holder), "nothing was confirmed: it is undone"
    assert alice.records() == before
    refused(alice, CeremonyStopped, lambda: upkeep.join(alice, proposal))
    refused(alice, NotKnown, lambda: upkeep.load(alice))
    assert len(parties.sign(trio[:2], b"message")) == 65


def test_a_finished_refresh_is_not_given_up(trio: list[Party]) -> None:
    upkeep.refresh(trio)
    refused(trio[0], NotPossible, lambda: upkeep.load(trio[0]).abort(trio[0].holder))


def test_a_proposal_for_another_key_is_refused(trio: list[Party]) -> None:
    alice, bob, _ = trio
    message = signed.read(upkeep.propose(bob), bob.key().roster).expect(RefreshProposal).message
    with bob.holder() as holder:
        data = signed.write(replace(message, ceremony=bytes(32)), holder)
    refused(alice, UnknownSender, lambda: upkeep.join(alice, data))


def test_a_pending_key_is_not_refreshed(tmp_path: Path) -> None:
    people = parties.gather(tmp_path)
    first = parties.round1(people, parties.propose(people))
    parties.finish(people, first, parties.round2(people, first))
    refused(people[0], NotYet, lambda: upkeep.propose(people[0]))


def test_deleting_a_key_that_went_on_meanwhile_leaves_no_record(trio: list[Party]) -> None:
    """Alice is asked whether she means it, and in another process the refresh ends."""
    alice = trio[0]
    key = alice.key()
    upkeep.refresh(trio)
    with alice.holder() as holder:
        key.delete(holder, alice.home)
    assert alice.records() == {}


def test_deleting_a_key_in_the_middle_of_a_refresh_leaves_no_record(trio: list[Party]) -> None:
    alice = trio[0]
    upkeep.refresh(trio)
    upkeep.to_confirmations(trio)
    with alice.holder() as holder:
        alice.key().delete(holder, alice.home)
    assert alice.records() == {}


# ── Somebody who breaks the protocol ──


def test_a_wrong_proof_convicts(trio: list[Party]) -> None:
    alice, bob, third = trio
    proposal = upkeep.propose(alice)
    honest = upkeep.round1([alice, bob], proposal)
    saboteur = Saboteur(third, upkeep.join(third, proposal))
    stranger = Saboteur(third, upkeep.load(third)).package
    mixed = round1.Package(saboteur.seat.suite, saboteur.package.commitment, _bent(stranger))
    with pytest.raises(InvalidProofOfKnowledge) as caught:
        upkeep.round2([alice], {**honest, "mallory": saboteur.round1(mixed)})
    assert caught.value.culprits == ("mallory",)


def _bent(package: round1.Package) -> Signature:
    proof = package.proof_of_knowledge
    return replace(proof, response=(proof.response + 1) % package.ciphersuite.group.order)


def test_a_wrong_share_convicts_and_the_old_epoch_goes_on(trio: list[Party]) -> None:
    alice, bob, third = trio
    proposal = upkeep.propose(alice)
    first = upkeep.round1([alice, bob], proposal)
    saboteur = Saboteur(third, upkeep.join(third, proposal))
    first["mallory"] = saboteur.round1()
    second = upkeep.round2([alice, bob], first)
    second["mallory"] = saboteur.round2(first, lambda name, package: mallory.plus_one(package))
    with pytest.raises(InvalidSecretShare) as caught:
        upkeep.finish([alice], first, second)
    assert caught.value.culprits == ("mallory",)
    evidence = upkeep.load(alice).transcript.evidence()
    assert evidence is not None
    assert judge(evidence).awaiting == ("mallory",)
    assert upkeep.load(alice).status().step == "stopped"
    assert len(parties.sign([alice, bob], b"message")) == 65
    upkeep.load(alice).abort(alice.holder)
    upkeep.load(bob).abort(bob.holder)
    assert [name.split(".")[0] for name in alice.records()] == ["signing-share"]
