"""A wrong PIN is one login, on every module, whatever is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from modules import starting
from modules.owner import Owner
from modules.starting import Started
from stage import by_command, parties

from frost_hsm.errors import PinIncorrect

ASKED = (
    ("dkg", "propose", "another", "-t", "2", "--with", "bob"),
    ("dkg", "round1", "../../inbox/treasury.proposal.pem"),
    ("backup", "create", "--force"),
)


@pytest.mark.slow
def test_a_wrong_pin_is_one_login(name: str, module: Started, tmp_path: Path) -> None:
    spied = module if name == "pkcs11-spy" else starting.spied(module)
    alice = Owner.of(spied, tmp_path / "people/alice")
    [bob] = parties.gather(tmp_path / "people", ["bob"])
    alice.begin()
    by_command.meet(alice, [bob])
    by_command.step(alice, "dkg", "propose", "treasury", "-t", "2", "--with", "bob")
    for command in (("identity", "create", *spied.identity), *ASKED):
        alice.types("wrong-9876")
        starting.calls(spied)
        ran = alice.run(*command)
        assert (ran.status, starting.calls(spied).count("C_Login")) == (PinIncorrect.exit, 1), (command, ran.stderr)
        alice.types(spied.pin)
        by_command.step(alice, *command)
