"""A share made again of messages and the token's agree key: whatever made it, whatever was lost, and only the newest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import parties
import pytest
import upkeep
from parties import Party

from frost_hsm.ceremony import recovery
from frost_hsm.ceremony.context import Kind
from frost_hsm.ceremony.inbox import Incoming
from frost_hsm.ceremony.keys import KeyState
from frost_hsm.ceremony.records import SealedRecords
from frost_hsm.ceremony.recovery import Recovered
from frost_hsm.errors import NotYet, StateRolledBack


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    """Alice, Bob and Carol with an active key, of which two sign."""
    people = parties.gather(tmp_path / "people")
    parties.generate(people)
    return people


def share(party: Party) -> bytes:
    with party.holder() as holder, party.key().unseal(SealedRecords(holder, party.home)).serialize() as plaintext:
        with plaintext.reveal() as view:
            return bytes(view)


def lose_share(party: Party) -> bytes:
    """Destroy the sealed share, and return what it was."""
    lost, key = share(party), party.key()
    with party.holder() as holder:
        SealedRecords(holder, party.home).destroy(key.record_name(Kind.SIGNING_SHARE))
    return lost


def recover(party: Party, files: Sequence[bytes] = ()) -> Recovered:
    incoming = [Incoming(f"file {number}", data, named=False) for number, data in enumerate(files)]
    return recovery.recover(party.home, parties.KEY, party.public, party.holder, incoming)


def test_a_generated_share(trio: list[Party]) -> None:
    bob = trio[1]
    lost = lose_share(bob)
    assert not recover(bob).was_there
    assert share(bob) == lost
    assert recover(bob).was_there
    assert len(parties.sign(trio[:2], b"message")) == 65


def test_a_refreshed_share(trio: list[Party]) -> None:
    bob = trio[1]
    first = share(bob)
    upkeep.refresh(trio)
    upkeep.refresh(trio)
    lost = lose_share(bob)
    recover(bob)
    assert first != share(bob) == lost
    assert sum(name.startswith("signing-share") for name in bob.records()) == 1
    assert len(parties.sign(trio[1:], b"message")) == 65
