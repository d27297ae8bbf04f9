"""Accusations: false ones, ones that cannot be checked, and cheats who will not be convicted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacks.table import Table
from stage import mallory, parties
from stage.p256 import public_bytes
from stage.parties import Messages, Party

from frost_hsm.ceremony.history import dossier, evidence
from frost_hsm.ceremony.history.evidence import Verdict
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Round2
from frost_hsm.ceremony.messages.message import Envelopes, Message
from frost_hsm.ceremony.sealing import shares
from frost_hsm.ceremony.sharing import dispute
from frost_hsm.errors import BadMessageSignature, ForeignMessage, InvalidSecretShare, SealBroken, UnknownSender
from frost_hsm.forms import cms, pem
from frost_hsm.secret import Secret


def file_of(table: Table, *messages: bytes) -> bytes:
    """Put messages into a file to be shown around, behind the proposal."""
    return b"".join((table.proposal, *messages))


def about(table: Table, accused: Party, message: bytes) -> Complaint:
    said = signed.read(message, table.mallory.seat.roster)
    seat, digests = table.mallory.seat, table.mallory.digests(table.first)
    return Complaint(seat.ceremony, seat.roster.position(accused.name), said.content_digest, digests)


def settle(party: Party, data: bytes) -> Verdict:
    return dispute.find(party.home, data, party.public).settle()


def answer(party: Party, data: bytes) -> bytes:
    return dispute.find(party.home, data, party.public).answer(party.holder)[0]


def falsely(table: Table) -> tuple[Messages, bytes]:
    """Mallory complains about Bob's message, in which there is a good share for her."""
    second = table.honest_round2()
    complaint = table.mallory.say(about(table, table.bob, second["bob"]))
    return second, file_of(table, table.first["bob"], second["bob"], complaint)


def test_k28_false_accusation(table: Table) -> None:
    """Mallory complains about a good share of Bob's, to have him thrown out."""
    _, accusation = falsely(table)
    verdict = evidence.judge(accusation)
    assert (verdict.names, verdict.awaiting, verdict.claiming) == ((), ("bob",), ("mallory",))
    answered = answer(table.bob, accusation)
    assert evidence.judge(answered).names == ("mallory",), "to anybody"
    for party in (table.alice, table.bob):
        assert settle(party, answered).names == ("mallory",)


def test_k28_a_second_round1_for_the_judge(table: Table) -> None:
    """Mallory's shares fit a round 1 that nobody was sent; the judge alone is shown that one, as if Alice had lied."""
    cheat, sent = table.mallory, table.first["mallory"]
    cheat.secret, other = cheat.draw()
    second = {**table.honest_round2(), "mallory": cheat.round2(table.first)}
    with pytest.raises(InvalidSecretShare):
        table.finish(table.alice, *second.values())
    kept = table.alice.ceremony().transcript.evidence()
    assert kept is not None
    complaint = dossier.armour([dossier.blocks(kept)[0][-1]], [])
    with shares.seed_of(cheat.seat, table.alice.public, cheat.hash(table.first), cheat.root) as seed:
        opening = cheat.say(Opening(cheat.seat.ceremony, 1, public_bytes(seed)))
    honest = (table.first["alice"], table.first["bob"], second["mallory"], complaint, opening)
    assert evidence.judge(file_of(table, cheat.round1(other), *honest)).names == ()
    assert evidence.judge(file_of(table, sent, *honest)).names == ("mallory",)
    assert evidence.judge(file_of(table, sent, cheat.round1(other), *honest)).names == ("mallory",)


def test_k28_a_complaint_alone_convicts_nobody(table: Table) -> None:
    """Mallory complains, and keeps Bob's answer from everybody."""
    _, accusation = falsely(table)
    verdict = settle(table.alice, accusation)
    assert verdict.names == ()
    found = table.alice.ceremony().transcript.verdict()
    assert found is not None
    assert found.names == ()


def test_k28_accusing_strangers(table: Table, tmp_path: Path) -> None:
    """Somebody who takes no part accuses, or is accused, or Mallory signs a complaint about another ceremony."""
    second = table.honest_round2()
    honest = about(table, table.bob, second["bob"])
    [stranger] = parties.gather(tmp_path / "stranger", ["trudy"])
    with stranger.holder() as holder:
        unknown = signed.write(honest, holder)
    shown = (table.first["bob"], second["bob"])
    with pytest.raises(UnknownSender):
        settle(table.alice, file_of(table, *shown, unknown))
    elsewhere = table.mallory.say(replace(honest, ceremony=bytes(32)))
    with pytest.raises(ForeignMessage):
        settle(table.alice, file_of(table, *shown, elsewhere))
    for accused, round2 in ((9, honest.round2), (honest.accused, bytes(32)), (3, honest.round2)):
        said = table.mallory.say(replace(honest, accused=accused, round2=round2))
        assert evidence.judge(file_of(table, *shown, said)).names == ()
        with pytest.raises(ForeignMessage):
            settle(table.alice, file_of(table, *shown, said))
    # Of a round 1 that Bob's round 2 does not name.
    for digests in (bytes(96), honest.round1[32:] + honest.round1[:32], honest.round1[:64]):
        said = table.mallory.say(replace(honest, round1=digests))
        assert evidence.judge(file_of(table, *shown, said)).awaiting == ()
        with pytest.raises(ForeignMessage):
            settle(table.alice, file_of(table, *shown, said))
    assert table.alice.ceremony().status().step == "finish", "it goes on"


def test_k28_an_accusation_in_the_name_of_another(table: Table) -> None:
    """Mallory puts her complaint into Alice's mouth."""
    second = table.honest_round2()
    own = pem.decode(cms.PEM_LABEL, table.mallory.say(about(table, table.bob, second["bob"])), "it")[0]
    hers, alices = (party.public.sign_key.key_id for party in (table.mallory.party, table.alice))
    forged = pem.encode(cms.PEM_LABEL, own.replace(hers, alices))
    with pytest.raises(BadMessageSignature) as caught:
        settle(table.bob, file_of(table, table.first["bob"], second["bob"], forged))
    assert caught.value.culprits == ()


def cheated(table: Table) -> tuple[Messages, bytes]:
    """Mallory sends Alice a wrong share, and Alice complains; the file that she sends around."""
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(
        table.first, lambda name, package: mallory.plus_one(package) if name == "alice" else package
    )
    with pytest.raises(InvalidSecretShare):
        table.finish(table.alice, *second.values())
    shown = table.alice.ceremony().transcript.evidence()
    assert shown is not None
    return second, shown


def seed_for(table: Table, name: str) -> bytes:
    """Return what opens Mallory's envelope for somebody."""
    seat, round1_hash = table.mallory.seat, table.mallory.hash(table.first)
    recipient = seat.roster.at(seat.roster.position(name))
    return public_bytes(shares.seed_of(seat, recipient, round1_hash, table.mallory.root))


@pytest.mark.parametrize("shows", ["another seed", "the seed of another envelope"])
def test_k28_a_cheat_who_will_not_show_it(table: Table, shows: str) -> None:
    """Mallory, accused with good reason, opens the envelope with something else."""
    _, accusation = cheated(table)
    assert evidence.judge(accusation).awaiting == ("mallory",)
    seed = bytes(32) if shows == "another seed" else seed_for(table, "bob")
    opening: Message = Opening(table.mallory.seat.ceremony, 1, seed)
    assert settle(table.bob, accusation + table.mallory.say(opening)).names == ("mallory",)


def test_k28_an_opening_for_nobody(table: Table) -> None:
    """Mallory sends an envelope too many, and opens that, so that no judge gets to what convicts her."""
    mallory, seat = table.mallory, table.mallory.seat
    envelopes = mallory.envelopes(table.first)
    too_many = Envelopes.of((*envelopes, envelopes[0]))
    second = mallory.say(Round2(seat.ceremony, mallory.hash(table.first), too_many))
    complaint = mallory.say(about(table, mallory.party, second))
    opening = mallory.say(Opening(seat.ceremony, len(seat.roster) + 1, bytes(32)))
    assert evidence.judge(file_of(table, *table.first.values(), second, complaint, opening)).names == ("mallory",)


def test_k21_a_complaint_opens_one_envelope_and_no_key(table: Table) -> None:
    """Mallory complains to have Bob open what is for Alice: he shows what opens the one for Mallory alone."""
    second, accusation = falsely(table)
    answered = dossier.read(answer(table.bob, accusation))
    [opening] = answered.chapters[table.mallory.seat.ceremony].of(Opening)
    said = signed.read(second["bob"], table.mallory.seat.roster).expect(Round2)
    for recipient in table.mallory.seat.roster:
        seed = Secret(opening.message.seed)
        if recipient == table.mallory.party.public:
            assert shares.reopen(table.mallory.seat, said, recipient, seed).signing_share is not None
        else:
            with pytest.raises(SealBroken):
                shares.reopen(table.mallory.seat, said, recipient, seed)
