"""``frost-hsm dealer refresh``: one participant makes the shares anew, and everybody checks what they got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cli.judging import refused
from conftest import TokenFixture
from stage import by_command, parties, staging, upkeep
from stage.parties import KEY, Party, Ran, inbox
from stage.staging import Stage

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Dealing
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import dealing
from frost_hsm.errors import Equivocation, ForeignMessage, InvalidContents, StepConflict
from frost_hsm.frost.keys import dealer, refresh
from frost_hsm.frost.packages import SecretShare
from frost_hsm.frost.values import VerifiableSecretSharingCommitment

PROPOSAL, DEALING = f"../inbox/{KEY}.refresh1.proposal.pem", f"../inbox/{KEY}.refresh1.dealing.pem"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("dealt"), getattr(request, "param", "p256"))


two_suites = pytest.mark.parametrize("stage", ["p256", "ed25519"], indirect=True)


@pytest.fixture
def trio(stage: Stage, tmp_path: Path) -> list[Party]:
    return stage.people(tmp_path / "people")


def step(party: Party, *arguments: str) -> Ran:
    """Run a step and send what it wrote to all."""
    return by_command.send(party.directory.parent / "inbox", party, *arguments)


def deal(people: Sequence[Party]) -> None:
    step(people[0], "refresh", "propose", KEY)
    step(people[0], "dealer", "refresh", KEY)


def run_to_the_end(people: Sequence[Party]) -> None:
    deal(people)
    for party in people:
        shown = step(party, "dealer", "accept", PROPOSAL, DEALING)
        assert "alice, who could bring stolen old shares up to date" in shown.stderr
        assert "the old one signs until you confirm" in shown.stdout
    for party in people:
        step(party, "refresh", "confirm", KEY, "--in", "../inbox")


@two_suites
def test_every_share_is_new_and_the_key_is_the_same(trio: list[Party]) -> None:
    before = {party.name: (party.key(), party.records()) for party in trio}
    run_to_the_end(trio)
    for party in trio:
        old, records = before[party.name]
        new = party.key()
        assert new.epoch == 1
        assert new.verifying_key == old.verifying_key
        assert (new.min_signers, new.roster) == (old.min_signers, old.roster)
        for identifier, share in new.public_key_package.verifying_shares.items():
            assert share != old.public_key_package.verifying_shares[identifier]
        assert records.keys() <= party.records().keys(), "the old share is kept until the new ones sign"
        with party.holder() as holder:  # the verifying share inside the package is the new one, too
            package = new.unseal(SealedRecords(holder, party.home))
            assert package.verifying_share == package.signing_share.verifying_share()
            package.wipe()
    assert parties.sign(trio[1:], b"message")
    for party in trio[1:]:
        assert not before[party.name][1].keys() & party.records().keys(), "the old share is gone"
    assert not trio[0].key().is_dealt, "nobody knows the key"
    upkeep.refresh(trio)
    assert parties.sign(trio[:2], b"message")


def test_a_dealt_share_is_made_again_of_the_messages(trio: list[Party]) -> None:
    bob = trio[1]
    run_to_the_end(trio)
    before = bob.key()
    [name] = [each for each in bob.records() if before.sharing[:16].hex() in each]
    with bob.open_token() as token:
        token.delete_record(name)
    ran = bob.run("recover", KEY, "--pin-source", "file:pin")
    assert ran.status == 0, ran.stderr
    assert bob.key() == before
    assert name in bob.records()
    assert parties.sign(trio[1:], b"message")


def test_the_old_share_signs_until_all_have_confirmed(trio: list[Party]) -> None:
    deal(trio)
    for party in trio[:2]:
        step(party, "dealer", "accept", PROPOSAL, DEALING)
    ran = trio[0].run("refresh", "confirm", KEY, "--in", "../inbox")
    assert ran.status == 75
    assert "carol" in ran.stderr
    assert parties.sign(trio[:2], b"message")
    assert trio[0].key().epoch == 0


def test_accepting_repeats_itself(trio: list[Party]) -> None:
    bob = trio[1]
    deal(trio)
    step(bob, "dealer", "accept", PROPOSAL, DEALING)
    before = bob.files(), bob.records()
    step(bob, "dealer", "accept", PROPOSAL, DEALING)
    assert (bob.files(), bob.records()) == before


def test_only_the_author_of_the_proposal_deals(trio: list[Party]) -> None:
    alice, bob, carol = trio
    step(alice, "refresh", "propose", KEY)
    upkeep.join(bob, (alice.directory / f"{KEY}.refresh1.proposal.pem").read_bytes())
    refused(
        bob, "dealer", "refresh", KEY, status=65, code="package-foreign", says="alice wrote this proposal"
    )  # fmt: skip
    refused(carol, "dealer", "refresh", KEY, status=66, code="not-known", says="no refresh of treasury")


def test_a_dealing_does_not_meet_rounds(trio: list[Party]) -> None:
    alice, bob, carol = trio
    deal(trio)
    upkeep.load(alice).round1(alice.holder)
    upkeep.join(bob, (alice.directory / f"{KEY}.refresh1.proposal.pem").read_bytes()).round1(bob.holder)
    refused(
        bob, "dealer", "accept", PROPOSAL, DEALING, status=76, code="step-conflict", says="all make its shares"
    )  # fmt: skip
    refused(alice, "dealer", "refresh", KEY, "--force", status=76, code="step-conflict", says="all make its shares")
    step(carol, "dealer", "accept", PROPOSAL, DEALING)
    ran = carol.run("refresh", "round1", PROPOSAL)
    assert ran.status == 76, "after a dealing nothing is drawn"


def bad_dealing(people: Sequence[Party], of_bob: SecretShare) -> bytes:
    """Alice's dealing with something else in Bob's envelope."""
    alice, bob, _ = people
    path = alice.directory / f"{KEY}.refresh1.dealing.pem"
    honest = signed.read(path.read_bytes(), alice.key().roster).expect(Dealing).message
    with of_bob.serialize() as plaintext:
        context = dealing._context(upkeep.load(alice).seat, alice.public, bob.public)
        other = Enclosure.of(envelope.encrypt(context, plaintext, [bob.public]))
    first, _, third = honest.envelopes
    with alice.holder() as holder:
        return signed.write(replace(honest, envelopes=Envelopes.of((first, other, third))), holder)


@two_suites
@pytest.mark.parametrize("cheat", ["another's", "moves the key", "raises the threshold", "does not match"])
def test_what_does_not_refresh_convicts_the_dealer(trio: list[Party], cheat: str) -> None:
    alice, bob, _ = trio
    deal(trio)
    key = alice.key()
    ids = list(key.public_key_package.verifying_shares)
    mine = ids[1]
    shares, _ = refresh.compute_refreshing_shares(key.public_key_package, ids)
    if cheat == "another's":
        share = shares[ids[2]]
    elif cheat == "moves the key":
        share = dealer.generate_with_dealer(key.suite, max_signers=3, min_signers=2, identifiers=ids)[0][mine]
    elif cheat == "raises the threshold":
        elements = shares[mine].commitment.elements
        longer = VerifiableSecretSharingCommitment.from_elements(key.suite, elements * 2)
        share = replace(shares[mine], commitment=longer)
    else:
        share = replace(shares[mine], signing_share=shares[ids[2]].signing_share)
    before = bob.records()
    proposal = (alice.directory / f"{KEY}.refresh1.proposal.pem").read_bytes()
    with pytest.raises(InvalidContents) as caught:
        dealing.accept(upkeep.join(bob, proposal), bob.holder, bad_dealing(trio, share))
    assert caught.value.culprits == ("alice",)
    assert bob.records() == before
    assert bob.key().epoch == 0
    assert parties.sign([bob, trio[2]], b"message"), "the old shares go on"


def test_different_dealings_are_found_before_an_old_share_is_gone(trio: list[Party]) -> None:
    alice, bob, carol = trio
    deal(trio)
    proposal = (alice.directory / f"{KEY}.refresh1.proposal.pem").read_bytes()
    first = (alice.directory / f"{KEY}.refresh1.dealing.pem").read_bytes()
    one = dealing.accept(upkeep.join(bob, proposal), bob.holder, first).message
    by_command.forget_dealing(alice, upkeep.load(alice))
    step(alice, "dealer", "refresh", KEY, "--force")
    second = (alice.directory / f"{KEY}.refresh1.dealing.pem").read_bytes()
    with pytest.raises(StepConflict, match="another dealing"):
        dealing.accept(upkeep.load(bob), bob.holder, second)
    others = [dealing.accept(upkeep.join(party, proposal), party.holder, second).message for party in (alice, carol)]
    with pytest.raises(Equivocation):
        upkeep.load(bob).confirm(bob.holder, inbox(one, others))
    assert parties.sign([bob, carol], b"message")


def test_a_dealing_of_another_refresh_is_foreign(trio: list[Party]) -> None:
    alice, bob, _ = trio
    run_to_the_end(trio)
    old = (alice.directory / f"{KEY}.refresh1.dealing.pem").read_bytes()
    step(alice, "refresh", "propose", KEY)
    proposal = (alice.directory / f"{KEY}.refresh2.proposal.pem").read_bytes()
    with pytest.raises(ForeignMessage):
        dealing.accept(upkeep.join(bob, proposal), bob.holder, old)


@pytest.mark.slow
def test_a_dealt_refresh_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    people = parties.gather(tmp_path, new_token=lambda name, folder: new_token(name).uri, settings=backend_settings)
    parties.generate(people)
    run_to_the_end(people)
    assert parties.sign(people[:2], b"message")
    assert [name.split(".")[0] for name in people[1].records()] == ["signing-share"]
