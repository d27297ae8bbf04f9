"""One whole ceremony with tokens for every ciphersuite, by the library: key generation and signing."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import mallory, parties, stock_verifiers
from stage.parties import Party

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal, Round1
from frost_hsm.ceremony.messages.using import Commitment
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.errors import InvalidSecretShare
from frost_hsm.frost import ciphersuites, signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import SigningPackage
from frost_hsm.frost.values import Signature

MESSAGE = b"a message to sign"


@pytest.fixture(params=ciphersuites.ALL, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> Ciphersuite:
    found: Ciphersuite = request.param
    return found


@pytest.fixture
def people(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path)


def test_a_key_is_made_and_signs(suite: Ciphersuite, people: list[Party]) -> None:
    key = parties.generate(people, suite=suite.name)
    assert key.suite is suite
    verifying_key = key.public_key_package.verifying_key
    assert all(party.key().public_key_package == key.public_key_package for party in people)
    data = parties.sign(people[1:], MESSAGE)
    verifying_key.verify(MESSAGE, Signature.deserialize(suite, data))
    stock_verifiers.check(verifying_key, MESSAGE, data)


def test_messages_carry_what_saves_the_reader_work(suite: Ciphersuite, people: list[Party]) -> None:
    proposal = parties.propose(people, suite=suite.name)
    roster = signed.read(proposal).expect(Proposal).message.roster
    first = parties.round1(people, proposal)
    for message in first.values():
        said = signed.read(message, roster).expect(Round1).message
        assert len(said.y_coordinates or b"") == 2 * suite.group.y_length
    second = parties.round2(people, first)
    parties.confirm(people, parties.finish(people, first, second))
    wanted = parties.request(people[:2], MESSAGE)
    for message in parties.commit(people[:2], wanted).values():
        (y_coordinates,) = signed.read(message, roster).expect(Commitment).message.y_coordinates or ()
        assert len(y_coordinates) == 2 * suite.group.y_length


def test_a_program_signs_with_a_sealed_share(suite: Ciphersuite, people: list[Party]) -> None:
    key = parties.generate(people, suite=suite.name)
    alice, bob, _ = people
    with alice.holder() as hers, bob.holder() as his:
        signers = [SealedSigner(key, hers, alice.home), SealedSigner(bob.key(), his, bob.home)]
        commitments = {each.key.identifier(each.key.me.name): each.commit() for each in signers}
        package = SigningPackage(suite, commitments, MESSAGE)
        shares = {each.key.identifier(each.key.me.name): each.sign(package) for each in signers}
    data = signing.aggregate(package, shares, key.public_key_package).serialize()
    stock_verifiers.check(key.public_key_package.verifying_key, MESSAGE, data)


def test_whoever_sends_a_wrong_share_is_named(suite: Ciphersuite, tmp_path: Path) -> None:
    people = parties.gather(tmp_path, ["alice", "bob", "mallory"])
    proposal = parties.propose(people, suite=suite.name)
    cheat = mallory.Mallory(people[2], proposal)
    first = {**parties.round1(people[:2], proposal), "mallory": cheat.round1()}
    second = {
        **parties.round2(people[:2], first),
        "mallory": cheat.round2(first, lambda name, package: mallory.plus_one(package)),
    }
    with pytest.raises(InvalidSecretShare) as caught:
        parties.finish(people[:1], first, second)
    assert caught.value.culprits == ("mallory",)
