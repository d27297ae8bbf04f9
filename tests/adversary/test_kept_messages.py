"""A state directory in which somebody put one good message in the place of another: nothing goes on with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties
from stage.parties import KEY, Party, inbox

from frost_hsm.errors import StorageProblem


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path)


def test_a_message_of_another_ceremony(trio: list[Party]) -> None:
    alice = trio[0]
    for name in (KEY, "other"):
        parties.round2(trio, parties.round1(trio, parties.propose(trio, name=name)), name)
    other = alice.home.read(f"{alice.folder('other')}/round1/bob.pem")
    alice.home.replace(f"{alice.folder()}/round1/bob.pem", other or b"")
    with pytest.raises(StorageProblem, match=r"round1/bob\.pem is not what its name says"):
        alice.ceremony().finish(alice.holder, inbox())
