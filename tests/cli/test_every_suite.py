"""A key of every suite, by command alone, on SoftHSM2 and on software tokens: made, used, refreshed, repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import by_command
import parties
import pytest
import stock_verifiers
from by_command import step
from cli.judging import refused
from conftest import TokenFixture
from parties import KEY, Party

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


@every_suite
def test_a_signature_is_verified_with_the_key_alone(suite: Ciphersuite, tmp_path: Path) -> None:
    """By whoever has the key, as a file or in hex, and nothing else; each of another suite is refused."""
    group = parties.gather(tmp_path / "people", ["alice", "bob"])
    parties.generate(group, suite=suite.name)
    key = group[0].key().public_key_package
    [stranger] = parties.gather(tmp_path / "strangers", ["eve"])
    (stranger.directory / "message").write_bytes(b"message")
    (stranger.directory / "signature").write_bytes(parties.sign(group, b"message"))
    (stranger.directory / "key.json").write_text(key.to_json())
    (stranger.directory / "key.postcard").write_bytes(key.serialize())
    in_hex = ("--key", key.verifying_key.serialize().hex(), "--suite", suite.name)
    for by in (("--key", "key.json"), ("--key", "key.postcard"), in_hex):
        said = json.loads(step(stranger, "verify", *by, "message", "signature", "--json").stdout)
        assert said["suite"] == suite.id
    (stranger.directory / "message").write_bytes(b"another")
    for by in (("--key", "key.json"), in_hex):
        refused(stranger, "verify", *by, "message", "signature", status=10, code="signature-invalid", says="BAD")
