"""A key that somebody has, shared out: everybody is told who knows it, and from there on it is a key like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cli.judging import refused
from stage import by_command, parties, upkeep
from stage.parties import Party, Ran, inbox

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Dealing
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sharing import dealing
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.errors import Equivocation, ForeignMessage, InvalidContents, StepConflict
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.keys import dealer
from frost_hsm.frost.values import SigningKey
from frost_hsm.secret import Secret

KEY = bytes(range(1, 33))  # a scalar of P-256
PROPOSAL, DEALING = "../inbox/treasury.proposal.pem", "../inbox/treasury.dealing.pem"


def step(party: Party, *arguments: str) -> Ran:
    """Run a step and send what it wrote to all."""
    return by_command.send(party.directory.parent / "inbox", party, *arguments)


def deal(people: list[Party]) -> Ran:
    alice = people[0]
    (alice.directory / "key").write_text(KEY.hex() + "\n")
    step(alice, "dkg", "propose", "treasury", "-t", "2", "--with", "bob,carol")
    return step(alice, "dealer", "split", "treasury", "--key-file", "key")


def test_an_imported_key_signs_and_is_known_as_dealt(people: list[Party]) -> None:
    alice, bob, carol = people
    deal(people)
    for party in people:
        shown = step(party, "dealer", "accept", PROPOSAL, DEALING)
        assert "dealt by alice (signature good), who knows all of it" in shown.stderr
    for party in people:
        step(party, "dkg", "confirm", "treasury", "--in", "../inbox")
    suite = ciphersuites.by_name("p256")
    assert bob.key().public_key_package.verifying_key == SigningKey.deserialize(suite, Secret(KEY)).verifying_key()
    assert all(party.key().is_dealt for party in people)
    assert "a dealer made it, and knew it" in carol.run("keys", "show", "treasury").stdout
    assert len(parties.sign([bob, carol], b"message")) == 65
    assert [name.split(".")[0] for name in bob.records()] == ["signing-share"]
    upkeep.refresh(people)
    assert len(parties.sign([alice, carol], b"message")) == 65
    assert alice.key().is_dealt


def test_a_generated_key_is_not_known_as_dealt(group: list[Party]) -> None:
    assert not group[0].key().is_dealt


def test_accepting_repeats_itself(people: list[Party]) -> None:
    bob = people[1]
    deal(people)
    step(bob, "dealer", "accept", PROPOSAL, DEALING)
    before = (bob.files(), bob.records(), (bob.directory / "treasury.bob.confirm.pem").read_bytes())
    step(bob, "dealer", "accept", PROPOSAL, DEALING)
    assert (bob.files(), bob.records(), (bob.directory / "treasury.bob.confirm.pem").read_bytes()) == before


@pytest.mark.parametrize("key", ["", "12", "zz" * 32, "00" * 32, "ff" * 32, KEY.hex() + "00"])
def test_what_is_no_key_is_not_dealt(people: list[Party], key: str) -> None:
    alice = people[0]
    step(alice, "dkg", "propose", "treasury", "-t", "2", "--with", "bob,carol")
    (alice.directory / "key").write_text(key)
    command = ("dealer", "split", "treasury", "--key-file", "key")
    assert key not in refused(alice, *command, status=65, code="package-malformed", says="key: ")["message"] or not key


def ceremony(party: Party) -> KeyGeneration:
    data = (party.directory.parent / "inbox/treasury.proposal.pem").read_bytes()
    return party.join(data)


def dealt(people: list[Party]) -> bytes:
    return (people[0].directory / "treasury.dealing.pem").read_bytes()


def deal_otherwise(alice: Party) -> None:
    """Deal once more, with a directory and a token that were made to forget the first time."""
    by_command.forget_dealing(alice, ceremony(alice))
    step(alice, "dealer", "split", "treasury", "--key-file", "key", "--force")


def test_dealing_repeats_itself(people: list[Party]) -> None:
    alice = people[0]
    deal(people)
    first = dealt(people)
    step(alice, "dealer", "split", "treasury", "--key-file", "key")
    assert dealt(people) == first
    (alice.directory / "key").write_text("11" * 32)
    command = ("dealer", "split", "treasury", "--key-file", "key")
    refused(alice, *command, status=76, code="step-conflict", says="another key was dealt by this proposal")


def test_a_dealing_by_somebody_else_is_refused(people: list[Party]) -> None:
    alice, bob, _ = people
    deal(people)
    suite = ciphersuites.by_name("p256")
    with pytest.raises(ForeignMessage):
        dealing.deal(ceremony(bob), bob.holder, SigningKey.deserialize(suite, Secret(KEY)))
    with bob.holder() as holder:
        message = signed.read(dealt(people), ceremony(alice).roster).expect(Dealing).message
        forged = signed.write(message, holder)
    with pytest.raises(ForeignMessage):
        dealing.accept(ceremony(alice), alice.holder, forged)


def test_a_dealing_does_not_meet_key_generation(people: list[Party]) -> None:
    _, bob, carol = people
    deal(people)
    ceremony(bob).round1(bob.holder)
    with pytest.raises(StepConflict):
        dealing.accept(ceremony(bob), bob.holder, dealt(people))
    dealing.accept(ceremony(carol), carol.holder, dealt(people))
    deal_otherwise(people[0])
    with pytest.raises(StepConflict):
        dealing.accept(ceremony(carol), carol.holder, dealt(people))


def test_a_share_that_does_not_fit_convicts_the_dealer(people: list[Party]) -> None:
    """Somebody else's envelope, one of another key, one too few: the dealer signed it."""
    alice, bob, _ = people
    deal(people)
    proposal = ceremony(bob).proposal
    honest = signed.read(dealt(people), proposal.message.roster).expect(Dealing).message
    suite = ciphersuites.by_name("p256")
    shares, _ = dealer.generate_with_dealer(suite, max_signers=3, min_signers=3)
    with list(shares.values())[1].serialize() as plaintext:
        context = dealing._context(ceremony(bob).seat, alice.public, bob.public)
        higher = Enclosure.of(envelope.encrypt(context, plaintext, [bob.public]))
    first, second, third = honest.envelopes
    for envelopes in ((second, first, third), (first, higher, third), (first, second)):
        with alice.holder() as holder:
            bad = signed.write(replace(honest, envelopes=Envelopes.of(envelopes)), holder)
        with pytest.raises(InvalidContents) as caught:
            dealing.accept(ceremony(bob), bob.holder, bad)
        assert caught.value.culprits == ("alice",)
        assert bob.records() == {}
        bob.home.remove("keys")


def test_different_dealings_are_found_before_the_key_is_active(people: list[Party]) -> None:
    alice, bob, _ = people
    deal(people)
    first = dealing.accept(ceremony(bob), bob.holder, dealt(people)).message
    deal_otherwise(alice)
    others = [dealing.accept(ceremony(party), party.holder, dealt(people)).message for party in (alice, people[2])]
    with pytest.raises(Equivocation):
        ceremony(bob).confirm(inbox(first, others))
