"""Whole ceremonies by command: twenty people with software tokens, five with SoftHSM2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import TokenFixture
from stage import by_command, parties
from stage.parties import Party


def whole_ceremony(people: Sequence[Party], min_signers: int, signers: Sequence[Party]) -> None:
    """From the proposal to a signature that everybody verifies."""
    by_command.generate(people, min_signers)
    outsider = next((party for party in people if party not in signers), people[0])
    assert len(by_command.sign(signers, b"a message", outsider, verifiers=people)) == 65
    assert len({party.key().verifying_key for party in people}) == 1
    assert people[0].key().min_signers == min_signers


@pytest.mark.slow
def test_thirteen_of_twenty_with_software_tokens(tmp_path: Path) -> None:
    people = parties.gather(tmp_path / "people", [f"p{number:02}" for number in range(1, 21)])
    whole_ceremony(people, 13, people[4:17])


@pytest.mark.slow
def test_three_of_five_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    people = parties.gather(
        tmp_path / "people",
        ["ada", "ben", "cleo", "dan", "eve"],
        new_token=lambda name, folder: str(new_token(name).uri),
        settings=backend_settings,
    )
    whole_ceremony(people, 3, [people[4], people[0], people[2]])
