"""The keys that an agent shows to programs: each is found without the others, and no damaged one hides them."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties
from stage.parties import Party

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.cli.sittings.attending import GroupKeys
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotKnown


@pytest.fixture
def alice(tmp_path: Path) -> Party:
    pair = parties.gather(tmp_path, ("alice", "bob"))
    for name in ("first", "second", "third"):
        parties.generate(pair, name=name, suite="ed25519")
    return pair[0]


def test_a_damaged_key_hides_no_other(alice: Party) -> None:
    keys = GroupKeys(Workplace(alice.directory / "home"))
    shown = dict(keys.listed())
    assert sorted(shown.values()) == ["first", "second", "third"]
    (alice.directory / "home" / alice.folder("second") / "confirm/bob.pem").write_bytes(b"")
    assert sorted(name for _, name in keys.listed()) == ["first", "third"]
    for encoded, name in shown.items():
        if name == "second":
            with pytest.raises(NotKnown):
                keys.find(encoded)
        else:
            assert keys.find(encoded).name == name


def test_a_key_that_was_found_is_found_again_without_the_others(alice: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = GroupKeys(Workplace(alice.directory / "home"))
    encoded = next(encoded for encoded, name in keys.listed() if name == "third")
    keys.find(encoded)
    monkeypatch.setattr(GroupKey, "names", lambda home: pytest.fail("all were listed"))
    assert keys.find(encoded).name == "third"
