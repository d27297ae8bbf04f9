"""A key of every suite, by command alone, on SoftHSM2 and on software tokens: made, used, refreshed, repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli.judging import refused
from conftest import TokenFixture
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from stage import by_command, parties, stock_verifiers
from stage.by_command import step
from stage.parties import KEY, Party

from frost_hsm.frost import ciphersuites
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import SigningKey
from frost_hsm.secret import Secret

every_suite = pytest.mark.parametrize("suite", ciphersuites.ALL, ids=lambda suite: suite.name)

Gather = Callable[[str, Sequence[str]], list[Party]]


@pytest.fixture
def gather(tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings) -> Gather:
    """Gather people in a folder of a name: Alice has a SoftHSM2 token, and the others software tokens."""

    def token(name: str, folder: Path) -> str:
        return new_token(name).uri if name == "alice" else parties.software_token(folder / f"{name}.token")

    return lambda folder, names: parties.gather(tmp_path / folder, names, new_token=token, settings=backend_settings)


def check(signers: Sequence[Party], aggregator: Party, key: bytes) -> None:
    """Sign, and let this program and all others that can judge the signature; the key has to be the one given."""
    message = b"signed by " + b", ".join(party.name.encode() for party in signers)
    signature = by_command.sign(signers, message, aggregator)
    verifying_key = aggregator.key().public_key_package.verifying_key
    assert verifying_key.serialize() == key
    assert len(signature) == verifying_key.ciphersuite.signature_length
    stock_verifiers.check(verifying_key, message, signature)


@every_suite
def test_from_the_proposal_to_a_repaired_share(suite: Ciphersuite, gather: Gather) -> None:
    alice, bob = group = gather("people", ["alice", "bob"])
    by_command.generate(group, 2, "--suite", suite.name)
    shown = json.loads(step(alice, "keys", "show", KEY, "--json").stdout)
    assert shown["suite"] == suite.id
    key = bytes.fromhex(shown["key"])
    check(group, bob, key)

    by_command.refresh(group)
    assert alice.key().epoch == bob.key().epoch == 1
    check(group, alice, key)

    [carol] = gather("later", ["carol"])
    by_command.meet(carol, group)
    by_command.repair(carol, 3, group, [], "--new")
    check([carol, bob], alice, key)

    [new] = gather("last", ["alice"])
    by_command.meet(new, [bob, carol])
    step(carol, "identity", "export", "--force")
    by_command.repair(new, 1, [bob, carol], [])
    checked = step(new, "keys", "show", KEY, "--check-token", "--pin-source", f"file:{new.directory / 'pin'}")
    assert "the sealed share opens" in checked.stdout
    check([new, carol], bob, key)


@every_suite
def test_a_key_from_elsewhere(suite: Ciphersuite, tmp_path: Path) -> None:
    group = parties.gather(tmp_path / "people", ["alice", "bob"])
    scalar = suite.encode_scalar(0x5EED << 160)
    by_command.deal(group, scalar.hex(), "--suite", suite.name)
    with Secret(scalar) as encoded:
        check(group, group[1], SigningKey.deserialize(suite, encoded).verifying_key().serialize())


@pytest.fixture
def stranger(tmp_path: Path) -> Party:
    """Somebody who has a message, a signature and the key, and nothing else of the group."""
    [eve] = parties.gather(tmp_path / "strangers", ["eve"])
    return eve


def hand_over(suite: Ciphersuite, group: Sequence[Party], stranger: Party) -> bytes:
    """Make a key and a signature, and give the stranger all that is public; returns the key in its encoding."""
    parties.generate(group, suite=suite.name)
    key = group[0].key().public_key_package
    for name, data in {
        "message": b"message",
        "signature": parties.sign(group, b"message"),
        "key.json": key.to_json().encode(),
        "key.postcard": key.serialize(),
    }.items():
        (stranger.directory / name).write_bytes(data)
    return key.verifying_key.serialize()


@every_suite
def test_a_signature_is_verified_with_the_key_alone(suite: Ciphersuite, tmp_path: Path, stranger: Party) -> None:
    key = hand_over(suite, parties.gather(tmp_path / "people", ["alice", "bob"]), stranger).hex()
    in_hex = [("--key", key, "--suite", suite.name)]
    if suite.name == "secp256k1-tr":
        in_hex.append(("--key", key[2:], "--suite", suite.name))  # as BIP-340 has it
    for by in (("--key", "key.json"), ("--key", "key.postcard"), *in_hex):
        said = json.loads(step(stranger, "verify", *by, "message", "signature", "--json").stdout)
        assert said["suite"] == suite.id
    (stranger.directory / "message").write_bytes(b"another")
    for by in (("--key", "key.json"), *in_hex):
        refused(stranger, "verify", *by, "message", "signature", status=10, code="signature-invalid", says="BAD")


def test_a_key_in_hex_of_a_suite_that_was_not_named(tmp_path: Path, stranger: Party) -> None:
    suite = ciphersuites.ED25519
    key = hand_over(suite, parties.gather(tmp_path / "people", ["alice", "bob"]), stranger).hex()
    command = ("verify", "--key", key, "message", "signature")
    error = refused(stranger, *command, status=65, code="package-malformed", says="no key of p256")
    assert "--suite" in error["hint"]


@every_suite
def test_a_key_in_pem_is_one_that_others_verify_with(suite: Ciphersuite, tmp_path: Path, stranger: Party) -> None:
    """For Ed25519 and Ed448; in PEM, any other would stand for something that the signatures are not."""
    group = parties.gather(tmp_path / "people", ["alice", "bob"])
    hand_over(suite, group, stranger)
    export = ("keys", "export", KEY, "--format", "pem")
    if suite.name in ("ed25519", "ed448"):
        step(group[0], *export)
        public_key: Any = load_pem_public_key((group[0].directory / f"{KEY}.public.pem").read_bytes())
        public_key.verify((stranger.directory / "signature").read_bytes(), b"message")
    else:
        refused(group[0], *export, status=2, code="not-possible", says="in PEM")
