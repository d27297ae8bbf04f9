"""One whole ceremony with tokens for every ciphersuite: key generation and signing, by the library and by commands."""

from __future__ import annotations

import json
from pathlib import Path

import bip340
import parties
import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from parties import Party

from frost_hsm.ceremony import signed
from frost_hsm.ceremony.messages import Commitment, Proposal, Round1
from frost_hsm.ceremony.sealed_signer import SealedSigner
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


def check(suite: Ciphersuite, key: bytes, signature: bytes) -> None:
    """Let the verifiers judge that know a suite's signatures."""
    if suite.name == "ed25519":
        Ed25519PublicKey.from_public_bytes(key).verify(signature, MESSAGE)
    elif suite.name == "ed448":
        Ed448PublicKey.from_public_bytes(key).verify(signature, MESSAGE)
    elif suite.name == "secp256k1-tr":
        assert bip340.verify(key[1:], MESSAGE, signature)


def test_a_key_is_made_and_signs(suite: Ciphersuite, people: list[Party]) -> None:
    key = parties.generate(people, suite=suite.name)
    assert key.suite is suite
    verifying_key = key.public_key_package.verifying_key
    assert all(party.key().public_key_package == key.public_key_package for party in people)
    data = parties.sign(people[1:], MESSAGE)
    verifying_key.verify(MESSAGE, Signature.deserialize(suite, data))
    check(suite, verifying_key.encoded, data)


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
        said = signed.read(message, roster).expect(Commitment).message
        assert len(said.y_coordinates or b"") == 2 * suite.group.y_length


def test_a_program_signs_with_a_sealed_share(suite: Ciphersuite, people: list[Party]) -> None:
    key = parties.generate(people, suite=suite.name)
    alice, bob, _ = people
    with alice.holder() as hers, bob.holder() as his:
        signers = [SealedSigner(key, hers, alice.home), SealedSigner(bob.key(), his, bob.home)]
        commitments = {each.key.identifier(each.key.me.name): each.commit() for each in signers}
        package = SigningPackage(suite, commitments, MESSAGE)
        shares = {each.key.identifier(each.key.me.name): each.sign(package) for each in signers}
    data = signing.aggregate(package, shares, key.public_key_package).serialize()
    check(suite, key.public_key_package.verifying_key.encoded, data)


def test_on_the_command_line(suite: Ciphersuite, people: list[Party]) -> None:
    def run(party: Party, *arguments: str) -> str:
        ran = party.run(*arguments)
        assert ran.status == 0, ran.stderr
        return ran.stdout

    alice, bob, _ = people
    said = json.loads(
        run(alice, "dkg", "propose", "vault", "-t", "2", "--with", "bob,carol", "--suite", suite.name, "--json")
    )
    assert said["suite"] == suite.id

    key = parties.generate(people, suite=suite.name)
    (bob.directory / "message").write_bytes(MESSAGE)
    (bob.directory / "message.sig").write_bytes(parties.sign(people[:2], MESSAGE))
    run(bob, "verify", "--key", parties.KEY, "message", "message.sig")
    in_hex = ("verify", "--key", key.public_key_package.verifying_key.encoded.hex(), "--suite", suite.name)
    run(bob, *in_hex, "message", "message.sig")
    (bob.directory / "message").write_bytes(MESSAGE + b"!")
    assert bob.run(*in_hex, "message", "message.sig").status == 10
