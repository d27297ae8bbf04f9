"""Signing for a coordinator that is another program, and that sees nothing of ours but JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli.judging import changes, refused, snapshot
from stage.parties import KEY, Party

MESSAGE = b"released by somebody else's coordinator"


class Coordinator:
    """Somebody else's program: it only ever reads and writes JSON, as ZcashFoundation's crates do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commitments: dict[str, Any] = {}  # by identifier, in hex

    def take(self, identifier: str, commitments: str) -> None:
        document = json.loads(commitments)
        assert set(document) == {"header", "hiding", "binding"}
        assert document["header"] == {"version": 0, "ciphersuite": "FROST-P256-SHA256-v1"}
        self.commitments[identifier] = document

    def package(self, message: bytes = MESSAGE) -> str:
        header = next(iter(self.commitments.values()))["header"]
        package = {
            "header": header,
            "signing_commitments": dict(sorted(self.commitments.items())),
            "message": message.hex(),
        }
        path = self.folder / "package.json"
        path.write_text(json.dumps(package, indent=2))
        return str(path)


@pytest.fixture
def coordinator(group: list[Party], tmp_path: Path) -> Coordinator:
    """A coordinator with the commitments of Alice and Carol."""
    made = Coordinator(tmp_path)
    for party in (group[0], group[2]):
        ran = party.run("sign", "commit", "--key", KEY, "--json", *pin(party))
        assert ran.status == 0, ran.stderr
        said = json.loads(ran.stdout)
        assert said.keys() == {"schema", "ok", "key", "identifier", "file", "next"}
        assert said["schema"] == "frost-hsm/plain-commit/1"
        made.take(said["identifier"], (party.directory / said["file"]).read_text())
    return made


def pin(party: Party) -> tuple[str, str]:
    return "--pin-source", f"file:{party.directory / 'pin'}"


def respond(party: Party, package: str) -> Path:
    ran = party.run("sign", "respond", package, "--key", KEY, *pin(party), "--yes")
    assert ran.status == 0, ran.stderr
    assert f"{len(MESSAGE)} bytes, sha256 " in ran.stderr
    assert f"| {MESSAGE.decode()}" in ran.stderr
    path = party.directory / f"{KEY}.{party.name}.share.json"
    assert set(json.loads(path.read_text())) == {"header", "share"}
    return path


def test_another_programs_coordinator(group: list[Party], coordinator: Coordinator) -> None:
    alice, bob, carol = group
    package = coordinator.package()
    shares = [f"{party.name}={respond(party, package)}" for party in (alice, carol)]
    (bob.directory / "message").write_bytes(MESSAGE)
    ran = bob.run("sign", "aggregate", package, "--key", KEY, *shares, "-o", "signature")
    assert ran.status == 0, ran.stderr
    assert bob.run("verify", "--key", KEY, "message", "signature").status == 0


def test_the_coordinator_can_be_ours(group: list[Party], coordinator: Coordinator) -> None:
    alice, bob, carol = group
    (bob.directory / "message").write_bytes(MESSAGE)
    given = [
        word
        for party in (alice, carol)
        for word in ("--commitments", f"{party.name}={party.directory}/{KEY}.{party.name}.commitments.json")
    ]
    assert bob.run("sign", "request", KEY, "message", *given, "-o", "ours.json").status == 0
    ours = json.loads((bob.directory / "ours.json").read_text())
    assert ours == json.loads(Path(coordinator.package()).read_text())
    assert respond(alice, str(bob.directory / "ours.json")).exists()


def test_nonces_serve_one_package(group: list[Party], coordinator: Coordinator) -> None:
    alice = group[0]
    respond(alice, coordinator.package())
    (alice.directory / f"{KEY}.alice.share.json").unlink()
    refused(
        alice, "sign", "respond", coordinator.package(b"another message"), "--key", KEY, "--yes", *pin(alice),
        status=76, code="nonce-used", says="nonces",
    )  # fmt: skip


def test_a_package_that_is_not_for_us(group: list[Party], coordinator: Coordinator) -> None:
    alice, bob, _ = group
    refused(
        bob, "sign", "respond", coordinator.package(), "--key", KEY, "--yes", *pin(bob),
        status=65, code="missing-commitment", says="the signing package holds no commitments of bob",
    )  # fmt: skip
    of_alice, of_carol = coordinator.commitments
    changed = coordinator.commitments[of_carol]
    coordinator.commitments[of_alice] = changed
    refused(
        alice, "sign", "respond", coordinator.package(), "--key", KEY, "--yes", *pin(alice),
        status=76, code="nonce-used", says="nonces",
    )  # fmt: skip
    del coordinator.commitments[of_carol]
    refused(
        alice, "sign", "respond", coordinator.package(), "--key", KEY, "--yes", *pin(alice),
        status=65, code="incorrect-number-of-signers", says="key treasury needs 2 signers, not 1",
    )  # fmt: skip


def test_a_bad_share_convicts_nobody(group: list[Party], coordinator: Coordinator) -> None:
    alice, bob, carol = group
    package = coordinator.package()
    good, bad = respond(alice, package), respond(carol, package)
    document = json.loads(bad.read_text())
    document["share"] = document["share"][:-1] + ("0" if document["share"][-1] != "0" else "1")
    bad.write_text(json.dumps(document))
    error = refused(
        bob, "sign", "aggregate", package, "--key", KEY, f"alice={good}", f"carol={bad}", "-o", "signature",
        status=65, code="input", says="the signature share given for carol does not verify",
    )  # fmt: skip
    assert "altered on its way" in error["hint"]


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (["sign", "aggregate", "P", "--key", KEY, "P"], 2, "is not NAME=FILE"),
        (["sign", "aggregate", "P", "--key", KEY, "--in", "."], 2, "plain shares do not say whose they are"),
        (["sign", "aggregate", "P", "--key", KEY, "dave=P"], 66, '"dave" is not a participant'),
        (["sign", "aggregate", "P", "--key", KEY, "alice=P"], 65, "P: signature share: "),
        (["sign", "respond", "P", "--key", KEY, "P"], 2, "no other files are read"),
        (["sign", "respond", "pin", "--key", KEY], 65, "pin: signing package: "),
        (["sign", "commit", "P", "--key", KEY], 2, "it takes either REQUEST or --key"),
        (["sign", "commit"], 2, "it takes either REQUEST or --key"),
        (["sign", "request", KEY, "P", "--commitments", "alice=P", "--signers", "bob"], 2, "exclude each other"),
    ],
)
def test_mistakes(group: list[Party], coordinator: Coordinator, command: list[str], status: int, says: str) -> None:
    alice = group[0]
    package = coordinator.package()
    before = snapshot(alice)
    ran = alice.run(*(word.replace("P", package) if word in ("P", "alice=P", "dave=P") else word for word in command))
    assert ran.status == status, ran.stderr
    assert says.replace("P: ", f"{package}: ") in ran.stderr
    assert changes(before, snapshot(alice)) == []
