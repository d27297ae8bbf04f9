"""A coordinator on ZcashFoundation's crates, and signers who have their shares in tokens and type commands."""

from __future__ import annotations

import json
import os

import pytest
from peers.zcash_foundation import Rust
from stage import parties
from stage.parties import KEY, Party

from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import Identifier, Signature, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.values import VerifyingKey

MESSAGE = b"signed for somebody else's coordinator"


@pytest.fixture(scope="module")
def people(suite: Ciphersuite, tmp_path_factory: pytest.TempPathFactory) -> list[Party]:
    """Alice, Bob and Carol, with a key; what one test does is in no other's way."""
    found = parties.gather(tmp_path_factory.mktemp(suite.name))
    parties.generate(found, suite=suite.name)
    return found


def run(party: Party, *arguments: str) -> dict[str, str]:
    ran = party.run(*arguments, "--json")
    assert ran.status == 0, ran.stderr
    said: dict[str, str] = json.loads(ran.stdout)
    return said


def test_their_coordinator_rerandomizes_with_nonces_made_ahead(
    suite: Ciphersuite, rust: Rust, people: list[Party]
) -> None:
    key, folder = people[0].key(), people[0].directory.parent
    commitments: dict[Identifier, SigningCommitments] = {}
    for party in people[1:]:
        made = party.directory / run(party, "sign", "preprocess", KEY, "--count", "2")["file"]
        line = made.read_text().splitlines()[1]
        commitments[key.identifier(party.name)] = SigningCommitments.from_json(suite, line)
    written = rust.ask("signing_package", commitments=rust.write_map(commitments), message=MESSAGE.hex())
    package = rust.read(SigningPackage, written["signing_package"])
    (folder / "package.json").write_text(package.to_json())
    seed = os.urandom(suite.group.scalar_length).hex()
    (folder / "seed").write_text(seed)

    shares = {}
    for party in people[1:]:
        wanted = ("sign", "respond", "../package.json", "--key", KEY, "--randomizer-seed", "../seed")
        data = (party.directory / run(party, *wanted)["file"]).read_bytes()
        shares[key.identifier(party.name)] = SignatureShare.from_json(suite, data)
    there = rust.ask(
        "aggregate",
        signing_package=rust.write(package),
        shares=rust.write_map(shares),
        public_key_package=rust.write(key.public_key_package),
        randomizer_seed=seed,
    )
    signature = Signature.deserialize(suite, bytes.fromhex(there["signature"]))
    rust.verify(MESSAGE, signature, VerifyingKey.deserialize(suite, bytes.fromhex(there["verifying_key"])))
    (folder / "message").write_bytes(MESSAGE)
    (folder / "signature").write_bytes(signature.serialize())
    given = ("--key", there["verifying_key"], "--suite", suite.name)
    run(people[0], "verify", *given, "../message", "../signature")


def test_our_request_for_a_key_of_its_own_satisfies_their_verifier(
    suite: Ciphersuite, rust: Rust, people: list[Party]
) -> None:
    alice, bob, _ = people
    box = alice.directory.parent
    (box / "message").write_bytes(MESSAGE)
    run(
        alice,
        "sign",
        "request",
        KEY,
        "../message",
        "--signers",
        "alice,bob",
        "--rerandomized",
        "-o",
        "../pay.request.pem",
    )
    for step, more in (("commit", []), ("respond", ["--in", ".."])):
        for party in (alice, bob):
            written = run(party, "sign", step, "../pay.request.pem", *more)["file"]
            (box / written).write_bytes((party.directory / written).read_bytes())
    made = run(alice, "sign", "aggregate", "../pay.request.pem", "--in", "..")
    signature = Signature.deserialize(suite, bytes.fromhex(made["signatures"][0]["signature"]))
    rust.verify(MESSAGE, signature, VerifyingKey.deserialize(suite, bytes.fromhex(made["verifying_key"])))
