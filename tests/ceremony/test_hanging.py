"""What some have confirmed and not all: it neither counts nor is undone, and what ends it ends it for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import Messages, Party, inbox

from frost_hsm.ceremony.history import backup, bundle, dossier, evidence, kept
from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages import changing, signed
from frost_hsm.ceremony.messages.changing import Standing
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.sharing import abandonment
from frost_hsm.ceremony.sharing import refresh as ceremony_refresh
from frost_hsm.ceremony.sharing import repair as ceremony_repair
from frost_hsm.ceremony.sharing.abandonment import Abandonment
from frost_hsm.cli.steps import proposals
from frost_hsm.cli.talk.output import grouped
from frost_hsm.errors import CeremonyStopped, NotPossible, StepConflict

MESSAGE = b"pay 5 to dave"


def newcomer(trio: Sequence[Party], name: str) -> Party:
    """Somebody with a new token and an empty state directory, whom the others know, and who knows the key."""
    [new] = parties.gather(trio[0].directory.parent.parent / f"later {name}", [name])
    upkeep.hand_over(trio[0], new, trio)
    for party in trio:
        party.home.replace(f"peers/{name}.pem", new.public.to_pem())
    return new


def hang(trio: Sequence[Party]) -> tuple[Messages, Messages, Messages]:
    """A refresh that Alice and Bob have confirmed, and Carol has not. Returns what was said in each step."""
    first = upkeep.round1(trio, upkeep.propose(trio[0]))
    second = upkeep.round2(trio, first)
    return first, second, upkeep.finish(trio[:2], first, second)


def displace(new: Party, position: int, displaced: bytes, helpers: Sequence[Party]) -> tuple[bytes, list[bytes]]:
    """Ask for somebody's place in spite of what hangs; returns the request, and what it ends in."""
    with new.holder() as holder:
        names = [helper.name for helper in helpers]
        request = ceremony_repair.request(holder, new.key(), position, names, displaces=[displaced])
    sigmas = upkeep.sigmas(helpers, request, upkeep.deltas(helpers, request))
    done = upkeep.repairing(new, request).finish(new.holder, inbox(sigmas.values()))
    return request, [*sigmas.values(), done]


def test_what_hangs_does_not_count_and_nothing_else_begins(trio: list[Party]) -> None:
    alice, bob, carol = trio
    hang(trio)
    assert {party.key().epoch for party in trio} == {0}
    assert len(parties.sign([alice, carol], MESSAGE)) == 65
    [hanging] = alice.key().unfinished()
    assert sorted(each.name for each in hanging.by_sender(Confirmation)) == ["alice"], "Bob's is on its way"
    with carol.holder() as holder:
        another = ceremony_refresh.propose(holder, carol.key())
    with pytest.raises(StepConflict):
        upkeep.join(bob, another)
    assert not upkeep.load(alice).abort(alice.holder), "a confirmation that has left is not taken back by one alone"


def test_all_confirm_it_after_all(trio: list[Party]) -> None:
    first, second, third = hang(trio)
    third |= upkeep.finish(trio[2:], first, second)
    upkeep.confirm(trio, third)
    assert {party.key().epoch for party in trio} == {1}


def test_all_abandon_it(trio: list[Party]) -> None:
    alice, bob, carol = trio
    first, second, _ = hang(trio)
    with carol.holder() as holder, pytest.raises(NotPossible):
        abandonment.propose(holder, carol.key(), [bytes(32)])
    with bob.holder() as holder:
        asked = abandonment.propose(holder, bob.key(), [upkeep.load(bob).id])
    said = {}
    for party in (alice, bob):
        said[party.name] = Abandonment.read(party.home, asked, party.public).confirm(party.holder, inbox())
    assert not Abandonment.read(alice.home, asked, alice.public).is_done, "Carol has not agreed"
    said["carol"] = Abandonment.read(carol.home, asked, carol.public).confirm(carol.holder, inbox())
    for party in trio:
        taken = Abandonment.read(party.home, asked, party.public)
        taken.confirm(party.holder, inbox(said.values()))
        assert taken.is_done
        assert (party.key().epoch, party.key().status) == (0, KeyStatus.ACTIVE)
        assert party.key().unfinished() == []
    with pytest.raises(CeremonyStopped, match="does not count here: something else followed"):
        upkeep.finish([carol], first, second)
    assert len(parties.sign([alice, carol], MESSAGE)) == 65
    upkeep.refresh(trio)
    assert {party.key().epoch for party in trio} == {1}


def test_two_of_the_same_title_are_told_apart_before_they_are_abandoned(trio: list[Party]) -> None:
    """Carol asks to abandon her own refresh, or the one that all others wait for: it has to look different."""
    alice, _, carol = trio
    hang(trio)
    [hanging] = alice.key().unfinished()
    said = []
    with carol.holder() as holder:
        own = signed.parse(ceremony_refresh.propose(holder, carol.key())).content_digest
        for what in (hanging.id, own):
            asked = changing.Abandonment(carol.key().ceremony, carol.key().state.digest, 3, bytes(32), (what,))
            found = Abandonment.read(alice.home, signed.write(asked, holder), alice.public)
            said.append("\n".join(proposals.abandoning(found)))
            assert grouped(what[:16]) in said[-1]
    assert said[0] != said[1]


def test_a_backup_holds_what_was_abandoned_after_somebody_new_came(trio: list[Party]) -> None:
    """Neither of the two makes a public key package that is kept: one derives it, the other leaves it as it is."""
    dave = newcomer(trio, "dave")
    upkeep.repair(dave, 4, trio[:2], trio)
    people = [*trio, dave]
    first = upkeep.round1(people, upkeep.propose(trio[0]))
    upkeep.finish(people[:2], first, upkeep.round2(people, first))
    with trio[0].holder() as holder:
        asked = abandonment.propose(holder, trio[0].key(), [upkeep.load(trio[0]).id])
    said: list[bytes] = []
    for party in (*people, *people):
        said.append(Abandonment.read(party.home, asked, party.public).confirm(party.holder, inbox(said)))
    for party in people:
        assert party.key().state.height == 2
        with party.holder() as holder:
            made = backup.create(party.home, holder, [])
        assert (made.keys, made.left_out) == ((parties.KEY,), {})
        [read] = backup.read(made.data).keys
        assert read.package(party.key().state) == party.key().public_key_package


def test_the_place_of_whoever_blocks_it_is_taken(trio: list[Party]) -> None:
    alice, bob, carol = trio
    first, second, third = hang(trio)
    dave = newcomer(trio, "dave")
    for party in (bob, dave):  # Alice's confirmation, which displaces nothing yet, was sent around
        assert party.key().epoch == 0
    request, ending = displace(dave, 3, upkeep.load(alice).id, [alice, bob])
    upkeep.confirm_repair([alice, bob, dave], request, *ending)
    for party in (alice, bob, dave):
        assert [each.name for each in party.key().roster] == ["alice", "bob", "dave"]
    assert len(parties.sign([alice, dave], MESSAGE)) == 65

    third |= upkeep.finish([carol], first, second)  # too late: nobody who confirmed the other follows it
    upkeep.confirm([carol], third)
    assert carol.key().epoch == 1
    with pytest.raises(CeremonyStopped, match="does not count here: something else followed"):
        upkeep.confirm([alice], third)
    assert len(parties.sign([bob, dave], MESSAGE)) == 65


def test_whoever_helps_sees_all_that_it_displaces(trio: list[Party]) -> None:
    """Also what they have not heard of: having confirmed the repair they never confirm that."""
    alice, bob, _ = trio
    dave, refresh = newcomer(trio, "dave"), upkeep.propose(alice)
    upkeep.join(alice, refresh)
    displaces = [signed.parse(refresh).content_digest, bytes(range(32))]
    with dave.holder() as holder:
        wanted = ceremony_repair.request(holder, dave.key(), 4, ["alice", "bob"], displaces=displaces)
    for party, known in ((alice, "refresh 1 of treasury"), (bob, "what is not known here")):
        lines = proposals.repairing(upkeep.repairing(party, wanted))
        shown = [line.split("displaces")[1].strip() for line in lines if "displaces" in line]
        assert sorted(shown) == sorted(
            (f"{known} ({grouped(displaces[0][:16])})", f"what is not known here ({grouped(displaces[1][:16])})")
        )


def test_whoever_confirmed_what_displaces_a_step_waits_for_a_standing(trio: list[Party]) -> None:
    """It is complete for the others: Bob, who never confirmed the other, says so, and Alice goes on to where he is."""
    alice, bob, carol = trio
    first, second, third = hang(trio)
    dave = newcomer(trio, "dave")
    request, ending = displace(dave, 3, upkeep.load(alice).id, [alice, bob])
    upkeep.repairing(alice, request).confirm(alice.holder, inbox(ending))
    third |= upkeep.finish([carol], first, second)
    upkeep.confirm([bob, carol], third)
    assert (bob.key().epoch, carol.key().epoch) == (1, 1)

    taken = upkeep.load(alice)
    taken.confirm(alice.holder, inbox(third.values()))
    assert not taken.is_counting
    assert (alice.key().epoch, alice.key().status) == (0, KeyStatus.ACTIVE)
    with pytest.raises(CeremonyStopped, match="was confirmed by all, and does not count here: you have confirmed the"):
        upkeep.load(alice)
    assert "does not count here: you have confirmed the repair" in alice.run("refresh", "status").stdout
    with bob.holder() as holder:
        key = bob.key()
        standing = signed.read(signed.write(Standing(key.ceremony, key.state.digest), holder), key.roster)
    path = f"{alice.key().folder}/{kept.STANDING}/{standing.content_digest.hex()}.pem"
    kept.keep(alice.home, path, standing.expect(Standing))
    assert alice.key().epoch == 1
    assert len(parties.sign([alice, carol], MESSAGE)) == 65


def test_more_than_half_of_all_seats_change_who_has_a_share(tmp_path: Path) -> None:
    people = parties.gather(tmp_path / "first", ["alice", "bob", "carol", "dave", "erin"])
    parties.generate(people)
    alice, bob, carol, dave, _ = people
    new = newcomer(people, "frank")
    with new.holder() as holder:
        for absent in (["carol", "dave"], ["bob"]):
            with pytest.raises(NotPossible):
                ceremony_repair.request(holder, new.key(), 5, ["alice", "bob"], absent=absent)
        request = ceremony_repair.request(holder, new.key(), 5, ["alice", "bob"], absent=["carol"])
    sigmas = upkeep.sigmas([alice, bob], request, upkeep.deltas([alice, bob], request))
    done = upkeep.repairing(new, request).finish(new.holder, inbox(sigmas.values()))
    upkeep.confirm_repair([alice, bob, dave, new], request, *sigmas.values(), done)
    for party in (alice, bob, dave, new):
        assert [each.name for each in party.key().roster] == ["alice", "bob", "carol", "dave", "frank"]
    assert len(parties.sign([dave, new], MESSAGE)) == 65
    known = {party.name: party.public for party in (*people, new)}
    bundle.read(carol.home, bundle.write(alice.home, alice.key()), carol.public, known)
    assert len(parties.sign([carol, new], MESSAGE)) == 65


def part(trio: list[Party]) -> tuple[Party, Party, dict[str, bytes]]:
    """Bob gives Carol's place away with Alice, and Alice's with Carol.

    Returns the two newcomers, and the chapters by whom of the honest ones he parted with it.
    """
    alice, bob, carol = trio
    dave, erin = newcomer(trio, "dave"), newcomer(trio, "erin")
    parted = {}
    for honest, new, position in ((alice, dave, 3), (carol, erin, 1)):
        with new.holder() as holder:
            request = ceremony_repair.request(holder, new.key(), position, [honest.name, "bob"])
        sigmas = upkeep.sigmas([honest, bob], request, upkeep.deltas([honest, bob], request))
        done = upkeep.repairing(new, request).finish(new.holder, inbox(sigmas.values()))
        ending = [*sigmas.values(), done]
        said = upkeep.repairing(honest, request).confirm(honest.holder, inbox(ending))
        assert said is not None
        confirmation = signed.peek(said, Confirmation)
        with bob.holder() as holder:
            his = signed.write(confirmation, holder)
        for party in (honest, new):
            upkeep.repairing(party, request).confirm(party.holder, inbox(ending, said, his))
        parted[honest.name] = confirmation.ceremony
    return dave, erin, parted


def test_whoever_confirms_what_excludes_each_other_is_shown_to_have_parted_people(trio: list[Party]) -> None:
    """Bob has given two places away. Each of the two follows what they have seen."""
    alice, bob, carol = trio
    dave, erin, parted = part(trio)
    assert "dave" in [each.name for each in alice.key().roster]
    assert "erin" in [each.name for each in carol.key().roster]

    known = {party.name: party.public for party in (*trio, dave, erin)}
    bundle.read(alice.home, bundle.write(carol.home, carol.key()), alice.public, known)
    key = alice.key()
    assert key.status is KeyStatus.PARTED
    assert key.why.startswith("bob confirmed what excludes each other")
    with pytest.raises(CeremonyStopped, match="until its owner decides"):
        parties.sign([alice, dave], MESSAGE)
    chapters = key.history.chapters.values()
    said_of_all = [said for each in chapters for said in (each.beginning, *each.of(Confirmation))]
    assert evidence.judge(dossier.write(said_of_all)).culprits == (bob.public,)

    ran = alice.run("history", "show", "treasury")
    assert "treasury is parted" in ran.stdout
    assert "bob confirmed what excludes each other" in ran.stdout
    leave = ("history", "leave", "treasury", parted["carol"].hex()[:8], "--confirm-name")
    assert alice.run(*leave, "other").status != 0
    assert alice.key().status is KeyStatus.PARTED
    assert alice.run(*leave, "treasury").status == 0
    assert alice.key().status is KeyStatus.ACTIVE
    assert len(parties.sign([alice, dave], MESSAGE)) == 65
