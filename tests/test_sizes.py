"""Whole ceremonies by command: twenty people with software tokens, five with SoftHSM2."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import parties
import pytest
from conftest import TokenFixture
from parties import KEY, Party


def run(party: Party, *command: str) -> None:
    ran = party.run(*command)
    assert ran.status == 0, ran.stderr


def whole_ceremony(people: Sequence[Party], min_signers: int, signers: Sequence[Party]) -> None:
    """From the proposal to a verified signature, everything by command."""
    directory = people[0].directory.parent
    box = directory / "inbox"
    box.mkdir()

    def collect(party: Party) -> None:
        for path in party.directory.glob("*.pem"):
            shutil.copy(path, box)

    first = people[0]
    run(first, "dkg", "propose", KEY, "-t", str(min_signers), "--with", ",".join(p.name for p in people[1:]))
    collect(first)
    for step in ("round1", "round2", "finish", "confirm"):
        arguments = [f"../inbox/{KEY}.proposal.pem"] if step == "round1" else [KEY, "--in", "../inbox"]
        for party in people:
            run(party, "dkg", step, *arguments)
        for party in people:
            collect(party)
    (directory / "message").write_bytes(b"a message")
    run(signers[0], "sign", "request", KEY, "../message", "--signers", ",".join(p.name for p in signers))
    collect(signers[0])
    for step in ("commit", "respond"):
        arguments = ["--in", "../inbox"] if step == "respond" else []
        for party in signers:
            run(party, "sign", step, "../inbox/message.request.pem", *arguments)
        for party in signers:
            collect(party)
    outsider = next((party for party in people if party not in signers), people[0])
    run(outsider, "sign", "aggregate", "../inbox/message.request.pem", "--in", "../inbox", "-o", "../signature")
    for party in people:
        run(party, "verify", "--key", KEY, "../message", "../signature")
    assert len({party.key().verifying_key for party in people}) == 1
    assert people[0].key().min_signers == min_signers
    assert len((directory / "signature").read_bytes()) == 65


@pytest.mark.slow
def test_thirteen_of_twenty_with_software_tokens(tmp_path: Path) -> None:
    people = parties.gather(tmp_path, [f"p{number:02}" for number in range(1, 21)])
    whole_ceremony(people, 13, people[4:17])


@pytest.mark.slow
def test_three_of_five_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    people = parties.gather(
        tmp_path,
        ["ada", "ben", "cleo", "dan", "eve"],
        new_token=lambda name, folder: str(new_token(name).uri),
        settings=backend_settings,
    )
    whole_ceremony(people, 3, [people[4], people[0], people[2]])
