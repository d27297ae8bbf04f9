"""The old share is destroyed only for a new one that opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties, upkeep

from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.errors import KeyNotFound


def test_a_refresh_whose_share_is_gone_leaves_the_old_one(tmp_path: Path) -> None:
    people = parties.gather(tmp_path)
    parties.generate(people)
    confirmations = upkeep.to_confirmations(people)
    alice = people[0]
    refreshed = alice.key().latest(alice.home)
    assert refreshed.epoch == 1
    with alice.open_token() as token:
        token.delete_record(refreshed.record_name(Kind.SIGNING_SHARE))
    with pytest.raises(KeyNotFound):
        upkeep.confirm([alice], confirmations)
    assert alice.key().epoch == 0
    assert len(parties.sign(people[:2], b"message")) == 65
