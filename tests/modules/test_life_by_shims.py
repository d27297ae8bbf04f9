"""One life of a key on what a YubiKey and a network HSM are like, by a shim in front of SoftHSM2: keys are adopted."""

from __future__ import annotations

from pathlib import Path

import pytest
from modules.conftest import Own, Start
from modules.starting import STOOD_IN
from stage import by_command, parties


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", STOOD_IN)
def test_a_life_with_adopted_keys(start: Start, own: Own, tmp_path: Path, behaviour: str) -> None:
    """Alice has such a token, Bob and Carol the software backend. Its records lie in the state directory."""
    alice = own(start(behaviour))
    bob, carol = parties.gather(tmp_path / "people", ["bob", "carol"])
    alice.begin()
    by_command.meet(alice, [bob, carol])
    by_command.meet(bob, [carol])
    group = [alice, bob, carol]
    by_command.generate(group, 2)
    by_command.sign([alice, bob], b"first", carol)
    by_command.sign_prepared([alice, carol], b"second")
    by_command.refresh(group)
    by_command.sign([carol, alice], b"third", alice)
    by_command.give_up(alice)
    assert list((alice.directory / "home/sealed").glob("signing-*")) == []
