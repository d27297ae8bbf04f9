"""Who said what to whom: different things to different people, somebody else's things, the same thing again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from attacks.table import Table, convicted, refused, stopped
from stage import parties
from stage.mallory import Mallory
from stage.parties import Messages, Party, inbox

from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox, Incoming
from frost_hsm.ceremony.messages.making import Confirmation, Round1
from frost_hsm.ceremony.sharing.rounds import Rounds
from frost_hsm.errors import (
    BadMessageSignature,
    CeremonyStopped,
    Equivocation,
    ForeignMessage,
    InvalidProofOfKnowledge,
    MalformedMessage,
    NotYet,
    StateRolledBack,
    StepConflict,
    UnknownSender,
)


def two_views(table: Table) -> Messages:
    """Mallory encrypts the same shares twice, and shows Alice and Bob different envelopes; their confirmations."""
    second = table.honest_round2()
    return {
        party.name: table.finish(party, *second.values(), table.mallory.round2(table.first))
        for party in (table.alice, table.bob)
    }


def test_k12_equivocation_in_round1(table: Table) -> None:
    """Mallory signs two polynomials."""
    other = Mallory(table.mallory.party, table.proposal).round1()
    evidence = convicted(table.alice, Equivocation, lambda: table.round2(table.alice, *table.first.values(), other))
    assert table.first["mallory"] in evidence
    assert other in evidence


def test_k12_equivocation_in_round2(table: Table) -> None:
    """Mallory signs two sets of envelopes, though the shares in them be the same."""
    second = table.honest_round2()
    one, other = table.mallory.round2(table.first), table.mallory.round2(table.first)
    second["mallory"] = one
    evidence = convicted(table.alice, Equivocation, lambda: table.finish(table.alice, *second.values(), other))
    assert one in evidence
    assert other in evidence


def test_k12_another_view_of_round1(table: Table) -> None:
    """Mallory tells Bob another polynomial than Alice; both find out before there is a key."""
    told_bob = dict(table.first, mallory=Mallory(table.mallory.party, table.proposal).round1())
    to_alice = table.round2(table.alice, *table.first.values())
    to_bob = table.round2(table.bob, *told_bob.values())
    second = [to_alice, to_bob, table.mallory.round2(table.first)]
    evidence = stopped(table.alice, lambda: table.finish(table.alice, *second))
    assert to_alice in evidence
    assert to_bob in evidence
    stopped(table.bob, lambda: table.finish(table.bob, *second))


def test_k12_another_view_with_the_same_group_key(table: Table) -> None:
    """Mallory shows different envelopes: comparing the group key alone would find nothing."""
    confirmations = two_views(table)
    assert table.alice.key().verifying_key == table.bob.key().verifying_key
    confirmations["mallory"] = table.mallory.repeat(confirmations["alice"])
    evidence = stopped(table.alice, lambda: table.alice.ceremony().confirm(inbox(confirmations.values())))
    assert confirmations["alice"] in evidence
    assert confirmations["bob"] in evidence
    assert table.alice.key().status is KeyStatus.STOPPED
    with pytest.raises(CeremonyStopped):
        parties.request([table.alice, table.bob], b"message")


def test_k13_a_confirmation_covers_every_message(table: Table) -> None:
    """Mallory changes bytes that no check of a share would notice, and hopes that the confirmations do not tell."""
    alice, bob = (signed.read(said, table.mallory.seat.roster).message for said in two_views(table).values())
    assert alice.check_code != bob.check_code
    assert alice.messages[0] == bob.messages[0]
    assert alice.messages[1] != bob.messages[1]


@pytest.mark.parametrize("place", range(3))
def test_k13_every_field_of_a_confirmation_is_compared(table: Table, place: int) -> None:
    """Mallory confirms the same key with another history."""
    said = table.confirmed()
    own = signed.read(said["alice"], table.mallory.seat.roster).expect(Confirmation).message
    fields = [*own.messages, own.public_key_package_hash]
    fields[place] = bytes(32)
    said["mallory"] = table.mallory.say(Confirmation(own.ceremony, tuple(fields[:2]), fields[2]))
    with pytest.raises(Equivocation):
        table.bob.ceremony().compare(inbox(said.values()))


def test_k13_every_byte_of_a_confirmation_is_signed(table: Table) -> None:
    """Somebody alters a confirmation on its way."""
    said = table.confirmed()
    read = signed.read(said["alice"], table.mallory.seat.roster).expect(Confirmation)
    der, own = read.der, read.message
    begin = [der.index(each) for each in (*own.messages, own.public_key_package_hash)]
    for position in (start + place for start in begin for place in range(0, 32, 5)):
        altered = der[:position] + bytes([der[position] ^ 1]) + der[position + 1 :]
        with pytest.raises((BadMessageSignature, MalformedMessage)):
            table.bob.ceremony().compare(inbox(altered, said["bob"], said["mallory"]))


def test_k14_a_pending_key_does_not_sign(table: Table) -> None:
    """Mallory keeps her confirmation from Bob, who goes on when Alice hands it to him, and not before."""
    said = table.confirmed()
    table.alice.ceremony().confirm(inbox(said.values()))
    with pytest.raises(NotYet):
        table.bob.ceremony().confirm(inbox(said["alice"]))
    for step in (table.bob.key().require_active, lambda: parties.request([table.bob, table.alice], b"message")):
        refused(table.bob, NotYet, step)
    table.bob.ceremony().confirm(inbox(said["alice"], said["mallory"]))
    assert table.bob.key().status is KeyStatus.ACTIVE


def test_k14_nobody_is_parted_from_the_others(table: Table) -> None:
    """Mallory confirms to Alice, and something else to Bob, so that one has a key and the other has not, for good."""
    said = table.confirmed()
    own = signed.read(said["alice"], table.mallory.seat.roster).expect(Confirmation).message
    lie = table.mallory.say(replace(own, messages=(own.messages[0], bytes(32))))
    table.alice.ceremony().confirm(inbox(said.values()))
    stopped(table.bob, lambda: table.bob.ceremony().confirm(inbox(said["alice"], lie)))
    box = inbox(said["alice"], lie, said["mallory"])
    table.bob.ceremony().confirm(box)
    assert box.passed_over == ["file 1"]
    assert table.bob.key().status is KeyStatus.ACTIVE
    table.alice.ceremony().confirm(inbox(lie))  # and what is told to Alice afterwards changes nothing either
    assert table.alice.key().status is KeyStatus.ACTIVE


def test_k14_what_was_given_up_does_not_come_back(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob gave the ceremony up, and his machine failed in the middle of it; then everybody's shares come in."""
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(table.first)
    with monkeypatch.context() as patch:
        patch.setattr("frost_hsm.ceremony.store.StateDirectory.move", _fail)
        with pytest.raises(ZeroDivisionError):
            table.bob.ceremony().abort(table.bob.holder)
    refused(table.bob, CeremonyStopped, lambda: table.finish(table.bob, *second.values()))
    assert table.bob.ceremony().abort(table.bob.holder)
    assert table.bob.records() == {}
    refused(table.bob, CeremonyStopped, lambda: table.bob.join(table.proposal))


def test_k14_a_confirmation_that_left_is_not_taken_back(table: Table) -> None:
    """Mallory has Bob give up what he has confirmed, so that Alice, who has his word, is alone with a key."""
    said = table.confirmed()
    assert not table.bob.ceremony().abort(table.bob.holder)
    assert table.bob.key().status is KeyStatus.GIVEN_UP
    for party in (table.alice, table.bob):
        party.ceremony().confirm(inbox(said.values()))
        assert party.key().status is KeyStatus.ACTIVE


def _fail(*_: object) -> None:
    raise ZeroDivisionError


def test_k15_ones_own_contribution_altered(table: Table) -> None:
    """Whoever carries the files brings Alice her own message back with other words in it."""
    der = bytearray(signed.read(table.first["alice"], table.mallory.seat.roster).der)
    der[bytes(der).index(table.mallory.seat.ceremony) + 60] ^= 1
    step = lambda: table.round2(table.alice, *table.first.values(), bytes(der))  # noqa: E731
    refused(table.alice, BadMessageSignature, step)


def test_k15_ones_own_contribution_in_another_name(table: Table) -> None:
    """Mallory says Alice's words as her own."""
    table.first["mallory"] = table.mallory.repeat(table.first["alice"])
    convicted(table.alice, InvalidProofOfKnowledge, lambda: table.round2(table.alice, *table.first.values()))


def test_k16_ghosts(table: Table, tmp_path: Path) -> None:
    """Somebody who is not in the proposal sends a contribution too."""
    [ghost] = parties.gather(tmp_path / "ghost", ["ghost"])
    with ghost.holder() as holder:
        said = signed.write(Round1(table.mallory.seat.ceremony, table.mallory.package.serialize()), holder)
    refused(table.alice, UnknownSender, lambda: table.round2(table.alice, *table.first.values(), said))
    files = (said, b"shopping list", *table.first.values())
    box = Inbox([Incoming(f"file {number}", data, named=False) for number, data in enumerate(files)])
    table.alice.ceremony().round2(table.alice.holder, box)
    assert box.passed_over == ["file 0", "file 1"]


def test_k16_a_namesake_whose_file_is_called_the_same(table: Table, tmp_path: Path) -> None:
    """On a board, 32 bits of a digest stand in what a file is called: so often somebody has to try to have the same."""
    [false] = parties.gather(tmp_path / "false", ["bob"])
    with false.holder() as holder:
        said = signed.write(Round1(table.mallory.seat.ceremony, table.mallory.package.serialize()), holder)
    files = (said, table.first["bob"], table.first["mallory"])
    box = Inbox([Incoming("bob's round 1 0a1b2c3d", data, named=False) for data in files])
    assert table.alice.ceremony().round2(table.alice.holder, box)


def test_k16_another_roster_for_the_victim(trio: list[Party], tmp_path: Path) -> None:
    """Carol shows Alice a proposal in which she plays Bob as well, under his name and with keys of her own."""
    alice, bob, carol = trio
    [false_bob] = parties.gather(tmp_path / "false", ["bob"])
    proposal = parties.propose([carol, alice, false_bob])
    (alice.directory / "proposal.pem").write_bytes(proposal)
    ran = alice.run("dkg", "round1", "proposal.pem")
    assert ran.status == UnknownSender.exit
    assert "the proposal has another identity for bob than your peer of that name" in ran.stderr
    assert alice.records() == {}
    assert alice.public != bob.public != false_bob.public


def test_k17_the_polynomial_is_evaluated_once(table: Table) -> None:
    """Whoever holds Alice's state directory puts it back, and asks her for her shares with another round 1."""
    copy = table.alice.directory / "copy"
    shutil.copytree(table.alice.directory / "home", copy)
    once = table.round2(table.alice, *table.first.values())
    shutil.rmtree(table.alice.directory / "home")
    copy.rename(table.alice.directory / "home")
    other = Mallory(table.mallory.party, table.proposal).round1()
    step = lambda: table.round2(table.alice, table.first["alice"], table.first["bob"], other)  # noqa: E731
    refused(table.alice, StateRolledBack, step)
    assert table.round2(table.alice, *table.first.values(), once) == once


def test_k17_a_kill_in_between_changes_nothing(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before, with the polynomial still there, because the machine failed before it was destroyed."""
    copy = table.alice.directory / "copy"
    shutil.copytree(table.alice.directory / "home", copy)
    with monkeypatch.context() as patch:
        patch.setattr("frost_hsm.ceremony.sharing.sealed_rounds.SealedRounds.forget_polynomial", lambda self: None)
        table.round2(table.alice, *table.first.values())
    shutil.rmtree(table.alice.directory / "home")
    copy.rename(table.alice.directory / "home")
    other = Mallory(table.mallory.party, table.proposal).round1()
    step = lambda: table.round2(table.alice, table.first["alice"], table.first["bob"], other)  # noqa: E731
    refused(table.alice, StepConflict, step)


def test_k18_another_round1_at_the_end(table: Table) -> None:
    """Mallory has Alice's kept copy of her round 1 exchanged after round 2, for one that fits other shares."""
    second = table.honest_round2()
    table.mallory.secret, table.mallory.package = table.mallory.draw()
    other = dict(table.first, mallory=table.mallory.round1())
    second["mallory"] = table.mallory.round2(other)
    table.alice.home.replace(f"{table.alice.folder()}/round1/mallory.pem", other["mallory"])
    with pytest.raises((StepConflict, Equivocation)):
        table.finish(table.alice, *second.values())
    with pytest.raises(Exception, match="is not made yet"):
        table.alice.key()


def test_k24_session_of_another_run(table: Table) -> None:
    """Mallory brings messages of another run, and the same run again once it is over."""
    other = parties.propose(table.people, 3, name="other")
    foreign = Mallory(table.mallory.party, other).round1()
    refused(table.alice, ForeignMessage, lambda: table.round2(table.alice, table.first["bob"], foreign))
    said = table.confirmed()
    table.alice.ceremony().confirm(inbox(said.values()))
    again: Rounds = table.alice.join(table.proposal)
    assert again.round1(table.alice.holder) == table.first["alice"], "what was said, not something new"
    with table.alice.holder() as holder:
        table.alice.key().delete(holder, table.alice.home)
    refused(table.alice, CeremonyStopped, lambda: table.alice.join(table.proposal))
