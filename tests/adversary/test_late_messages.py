"""Good signatures on messages that come too late, or from somebody who was not asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties
from stage.mallory import Mallory
from stage.parties import Party, inbox

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Commitment
from frost_hsm.errors import ForeignMessage, StepConflict


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path)


def test_a_finished_ceremony_does_not_take_another_round2(trio: list[Party]) -> None:
    alice, bob, carol = trio
    proposal = parties.propose(trio)
    first = parties.round1([alice, bob], proposal)
    mallory = Mallory(carol, proposal)
    first["carol"] = mallory.round1()
    second = parties.round2([alice, bob], first)
    finished = alice.ceremony().finish(alice.holder, inbox(first.values(), second.values(), mallory.round2(first)))
    alice.home.remove(f"{alice.folder()}/round2/carol.pem")
    with pytest.raises(StepConflict):
        alice.ceremony().finish(alice.holder, inbox(mallory.round2(first)))
    assert alice.ceremony().transcript.evidence() is None
    assert alice.files()[f"{alice.folder()}/confirm/alice.pem"] == finished.message


def test_nobody_signs_who_was_not_asked(trio: list[Party]) -> None:
    parties.generate(trio)
    alice, bob, carol = trio
    wanted = parties.request([alice, bob], b"message")
    commitments = parties.commit([alice, bob], wanted)
    asked = signed.read(commitments["bob"], alice.key().roster).expect(Commitment).message
    with carol.holder() as holder:
        uninvited = signed.write(asked, holder)
    with pytest.raises(ForeignMessage):
        alice.session(wanted).respond(alice.holder, inbox(commitments.values(), uninvited))
