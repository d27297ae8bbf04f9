"""Identifiers derived from names: through everything that happens to a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TokenFixture
from stage import parties, staging, upkeep
from stage.parties import KEY, Party
from stage.staging import Stage

from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.errors import NotPossible
from frost_hsm.frost.packages import Identifier, PublicKeyPackage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Stage:
    return staging.with_key(
        tmp_path_factory.mktemp("names"), getattr(request, "param", "p256"), numbering=Numbering.NAMES
    )


two_suites = pytest.mark.parametrize("stage", ["p256", "ed448"], indirect=True)


def derived(party: Party, *names: str) -> list[Identifier]:
    suite = party.key().suite
    return sorted(Identifier(suite, suite.hid(name.encode())) for name in names)


@two_suites
def test_every_identifier_is_zcashfoundations_of_the_name(trio: list[Party]) -> None:
    key = trio[0].key()
    assert sorted(key.public_key_package.verifying_shares) == derived(trio[0], "alice", "bob", "carol")
    assert key.participants([derived(trio[0], "bob")[0]]) == ["bob"]
    for pair in (trio[:2], trio[1:]):
        assert parties.sign(pair, b"message")


def test_refresh_and_repair_keep_them(trio: list[Party], tmp_path: Path) -> None:
    alice, bob, _ = trio
    upkeep.refresh(trio)
    [new] = parties.gather(tmp_path / "new", ["carol"])
    upkeep.repair(new, 3, [alice, bob], [alice, bob])
    assert sorted(bob.key().public_key_package.verifying_shares) == derived(bob, "alice", "bob", "carol")
    assert parties.sign([alice, new], b"message")


@two_suites
def test_a_newcomer_has_the_identifier_of_their_name(trio: list[Party], tmp_path: Path) -> None:
    [dave] = parties.gather(tmp_path / "new", ["dave"])
    for party in trio:
        dave.home.put(f"peers/{party.name}.pem", party.public.to_pem())
    upkeep.repair(dave, 4, trio[:2], trio)
    assert sorted(dave.key().public_key_package.verifying_shares) == derived(dave, "alice", "bob", "carol", "dave")
    assert parties.sign([dave, trio[2]], b"message")


def test_nobody_of_another_name_takes_a_place(trio: list[Party], tmp_path: Path) -> None:
    alice, bob, _ = trio
    [new] = parties.gather(tmp_path / "new", ["caroline"])
    upkeep.hand_over(alice, new, trio)
    with pytest.raises(NotPossible, match="the place of carol"):
        upkeep.ask(new, 3, [alice, bob])


def test_by_command(tmp_path: Path) -> None:
    people = parties.gather(tmp_path)
    alice = people[0]
    ran = alice.run("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol", "--identifiers", "names")
    assert ran.status == 0, ran.stderr
    assert "  identifiers   derived from the names" in ran.stdout
    proposal = (alice.directory / f"{KEY}.proposal.pem").read_bytes()
    first = parties.round1(people, proposal)
    second = parties.round2(people, first)
    parties.confirm(people, parties.finish(people, first, second))
    assert "  identifiers   derived from the names" in alice.run("keys", "show", KEY).stdout
    alice.run("keys", "export", KEY)
    package = PublicKeyPackage.from_json(alice.key().suite, (alice.directory / f"{KEY}.public.json").read_bytes())
    assert sorted(package.verifying_shares) == derived(alice, "alice", "bob", "carol")
    said = json.loads(alice.run("sign", "commit", "--key", KEY, "--pin-source", "file:pin", "--json").stdout)
    assert said["identifier"] == derived(alice, "alice")[0].serialize().hex()
    again = alice.run("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    assert again.status == 76, "another numbering is another proposal"


def test_a_key_is_dealt_to_them(tmp_path: Path) -> None:
    people = parties.gather(tmp_path)
    alice = people[0]
    (alice.directory / "key").write_text("01" * 32)
    files = [str(alice.directory / f"{KEY}.{each}.pem") for each in ("proposal", "dealing")]
    for command in (
        ("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol", "--identifiers", "names"),
        ("dealer", "split", KEY, "--key-file", "key"),
    ):
        assert alice.run(*command).status == 0
    confirmations = {}
    for party in people:
        assert party.run("dealer", "accept", *files).status == 0
        confirmations[party.name] = (party.directory / f"{KEY}.{party.name}.confirm.pem").read_bytes()
    parties.confirm(people, confirmations)
    assert sorted(alice.key().public_key_package.verifying_shares) == derived(alice, "alice", "bob", "carol")
    assert parties.sign(people[1:], b"message")


@pytest.mark.slow
def test_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    people = parties.gather(tmp_path, new_token=lambda name, folder: new_token(name).uri, settings=backend_settings)
    parties.generate(people, numbering=Numbering.NAMES)
    assert parties.sign(people[1:], b"message")
