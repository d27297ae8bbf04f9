"""A state directory that is put back, and a token that is not: what is said once is not said again in other words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import Party, inbox

from frost_hsm.ceremony.history import dossier, evidence
from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairDone
from frost_hsm.ceremony.sharing import dealing
from frost_hsm.ceremony.sharing import repair as ceremony_repair
from frost_hsm.errors import Equivocation, StateRolledBack
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.values import SigningKey

MESSAGE = b"pay 5 to dave"


def newcomer(trio: list[Party], name: str = "dave") -> Party:
    [new] = parties.gather(trio[0].directory.parent / "later", [name])
    upkeep.hand_over(trio[0], new, trio)
    return new


# ── Votes ──


def test_what_is_said_twice_after_a_loss_names_nobody_and_stops_nothing(trio: list[Party]) -> None:
    """Deltas, sigmas and ends of a repair, made again: whoever gets both is asked to find out which one holds."""
    alice, bob, carol = trio
    dave = newcomer(trio)
    request = upkeep.ask(dave, 4, [alice, bob])
    kept = upkeep.keep(bob)
    first = upkeep.deltas([alice, bob], request)
    upkeep.put_back(bob, kept)
    again = upkeep.deltas([bob], request)
    with pytest.raises(Equivocation, match="two different repair deltas") as caught:
        upkeep.repairing(alice, request).sigma(alice.holder, inbox(first.values(), again.values()))
    assert caught.value.culprits == ()
    assert "may have lost what they did" in str(caught.value.hint)
    first |= again
    sigmas = upkeep.sigmas([alice, bob], request, first)
    done = upkeep.repairing(dave, request).finish(dave.holder, inbox(sigmas.values()))
    honest = signed.read(done, upkeep.repairing(carol, request).roster).expect(RepairDone)
    with dave.holder() as holder:
        other = signed.write(RepairDone(honest.message.repair, bytes(32)), holder)
    with pytest.raises(Equivocation, match="two different repair ends") as caught:
        upkeep.repairing(carol, request).confirm(carol.holder, inbox(sigmas.values(), done, other))
    assert caught.value.culprits == ()
    lineage = [*carol.key().history.lineage(carol.key().state), signed.read(request), honest]
    twice = dossier.write([*lineage, signed.read(other, upkeep.repairing(carol, request).roster)])
    assert evidence.judge(twice).culprits == ()
    upkeep.confirm_repair([*trio, dave], request, *sigmas.values(), done)
    assert {len(party.key().roster) for party in (*trio, dave)} == {4}


def test_votes_are_let_go_of_with_the_state_that_they_were_about(trio: list[Party]) -> None:
    carol = trio[2]
    dave = newcomer(trio)
    upkeep.repair(dave, 4, trio[:2], trio)
    assert [name.split(".")[0] for name in carol.marks()] == ["owner", "state", "vote"]
    [repaired] = [name for name in carol.marks() if name.startswith("vote.")]
    four = [*trio, dave]
    third = upkeep.to_confirmations(four)
    votes = [name for name in carol.marks() if name.startswith("vote.")]
    assert len(votes) == 1
    assert votes != [repaired], "of a state that has ended"
    upkeep.confirm(four, third)
    assert [name.split(".")[0] for name in carol.marks()] == ["owner", "state"]
    with carol.holder() as holder:
        carol.key().delete(holder, carol.home)
    assert [name.split(".")[0] for name in carol.marks()] == ["gone", "owner"]


# ── States ──


def test_whoever_was_in_a_state_that_others_displaced_goes_on_with_them(tmp_path: Path) -> None:
    """Erin confirms the refresh to Dave alone, when the others have given her place away and do not need Dave's vote.

    What displaces counts for Dave too, once he hears of it: his token has seen the other state, and lets him go on.
    """
    people = parties.gather(tmp_path / "first", ["alice", "bob", "carol", "dave", "erin"])
    parties.generate(people)
    *three, dave, _ = people
    first = upkeep.round1(people, upkeep.propose(people[0]))
    second = upkeep.round2(people, first)
    third = upkeep.finish(people, first, second)
    upkeep.confirm([dave], third)
    assert dave.key().epoch == 1

    frank = newcomer(people, "frank")
    for party in people:
        party.home.put("peers/frank.pem", frank.public.to_pem())
    with frank.holder() as holder:
        request = ceremony_repair.request(
            holder, frank.key(), 5, ["alice", "bob"], absent=["dave"], displaces=[upkeep.load(three[0]).id]
        )
    sigmas = upkeep.sigmas(three[:2], request, upkeep.deltas(three[:2], request))
    done = upkeep.repairing(frank, request).finish(frank.holder, inbox(sigmas.values()))
    upkeep.confirm_repair([*three, frank], request, *sigmas.values(), done)
    known = [*people, frank]
    upkeep.hand_over(three[0], dave, known)
    assert (dave.key().epoch, dave.key().status) == (0, KeyStatus.ACTIVE)
    assert [each.name for each in dave.key().roster] == ["alice", "bob", "carol", "dave", "frank"]
    assert len(parties.sign([dave, frank], MESSAGE)) == 65


# ── Dealings ──


def test_nobody_deals_a_refresh_twice(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = upkeep.propose(alice)
    ceremony = upkeep.join(alice, proposal)
    kept = upkeep.keep(alice)
    dealt = dealing.deal_refresh(ceremony, alice.holder)
    assert dealing.deal_refresh(ceremony, alice.holder) == dealt
    shutil.copytree(kept, alice.directory / "older")
    upkeep.put_back(alice, kept)
    with pytest.raises(StateRolledBack, match="nobody deals twice"):
        dealing.deal_refresh(upkeep.load(alice), alice.holder)
    said = {party.name: dealing.accept(upkeep.join(party, proposal), party.holder, dealt).message for party in trio}
    upkeep.confirm(trio, said)
    assert not [name for name in alice.marks() if name.startswith("dealt.")]
    upkeep.put_back(alice, alice.directory / "older")
    with pytest.raises(StateRolledBack, match="newer state of this key"):
        dealing.deal_refresh(upkeep.load(alice), alice.holder)


def test_who_gives_a_dealing_up_deals_by_another_proposal(tmp_path: Path) -> None:
    people = parties.gather(tmp_path, ["alice", "bob"])
    alice = people[0]
    key = SigningKey.generate(ciphersuites.by_name("p256"))
    ceremony = alice.join(parties.propose(people))
    dealing.deal(ceremony, alice.holder, key)
    assert ceremony.abort(alice.holder)
    assert [name.split(".")[0] for name in alice.marks()] == ["gone", "owner"]
    assert dealing.deal(alice.join(parties.propose(people)), alice.holder, key)
