"""Whose fault it is: files that anybody judges alike, and shares that only their recipient can read."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attacks.table import Table, refused
from stage import mallory, parties, upkeep
from stage.mallory import Mallory, Saboteur
from stage.parties import Messages, Party

from frost_hsm.backends import KeyKind
from frost_hsm.ceremony.history import dossier, evidence, transcript
from frost_hsm.ceremony.history.evidence import Verdict, judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import Abandonment, RepairDelta, RepairDone, RepairSigma
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Confirmation, Round2
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Commitment, Response, SigningRequest, raw
from frost_hsm.ceremony.sealing import shares
from frost_hsm.ceremony.sealing.envelope import Envelope
from frost_hsm.ceremony.sealing.recipients import KeyAgreement
from frost_hsm.ceremony.sharing import dispute
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.errors import (
    BadMessageSignature,
    CeremonyStopped,
    ForeignMessage,
    FrostHsmError,
    InputProblem,
    InvalidSecretShare,
    InvalidSignatureShare,
    MalformedMessage,
    NotKnown,
    Refused,
    UnknownSender,
)

ALICE, BOB, MALLORY = 1, 2, 3
RSA = dict.fromkeys(("alice", "mallory"), KeyKind.DECRYPT)


class Disputed(Table):
    """A table after round 2; ``second`` is what everybody said, Mallory's shares as ``alter`` makes them."""

    def __init__(self, directory: Path, alter: mallory.Alter = mallory.unaltered, **options: Any) -> None:
        super().__init__(directory, **options)
        self.second: Messages = self.honest_round2()
        self.second["mallory"] = self.mallory.round2(self.first, alter)
        self.roster = self.mallory.seat.roster

    def read(self, data: bytes) -> Signed[Any]:
        return signed.read(data, self.roster)

    def complaint_of_alice(self) -> bytes:
        """Alice finds no good share from Mallory; returns the file that she sends."""
        with pytest.raises(FrostHsmError) as caught:
            self.finish(self.alice, *self.second.values())
        assert caught.value.culprits == ("mallory",)
        return evidence_of(self.alice)

    def complain(self, about: Party, **changes: Any) -> Signed[Complaint]:
        """Mallory's complaint about somebody's round 2."""
        position, digest = self.roster.position(about.name), self.read(self.second[about.name]).content_digest
        complaint = Complaint(self.mallory.seat.ceremony, position, digest, self.mallory.digests(self.first))
        return self.read(self.mallory.say(replace(complaint, **changes)))

    def false_complaint(self, about: Party) -> bytes:
        """The file of a complaint about a good share."""
        return self.file(self.first[about.name], self.second[about.name], self.complain(about))

    def open(self, recipient: int, opened: int | None = None) -> bytes:
        """Mallory's opening for one recipient, with the seed of that envelope or of another one."""
        identity = self.roster.at(opened or recipient)
        seed = shares.seed_of(self.mallory.seat, identity, self.mallory.hash(self.first), self.mallory.root)
        with seed, seed.reveal() as shown:
            return self.mallory.say(Opening(self.mallory.seat.ceremony, recipient, bytes(shown)))

    def file(self, *messages: bytes | Signed[Any]) -> bytes:
        said = [self.read(each) if isinstance(each, bytes) else each for each in messages]
        return dossier.write([signed.read(self.proposal), *said])


def evidence_of(party: Party, name: str = parties.KEY) -> bytes:
    evidence = party.ceremony(name).transcript.evidence()
    assert evidence is not None
    return evidence


def find(party: Party, data: bytes) -> dispute.Dispute:
    return dispute.find(party.home, data, party.public)


@pytest.fixture
def honest(tmp_path: Path) -> Disputed:
    """Nobody has done anything wrong so far."""
    return Disputed(tmp_path)


@pytest.fixture
def wrong(tmp_path: Path) -> Disputed:
    """Mallory's share for Alice is one too large."""
    return Disputed(tmp_path, mallory.plus_one_for("alice"))


# ── A share that is wrong ──


def test_a_complaint_is_a_claim_until_it_is_answered(wrong: Disputed) -> None:
    """It names whom it waits for and convicts nobody: from the file alone nobody can see who is right."""
    verdict = judge(wrong.complaint_of_alice())
    assert verdict == Verdict(
        "alice claims that there is no good share for them in the message of mallory",
        awaiting=("mallory",),
        claiming=("alice",),
    )
    status = wrong.alice.ceremony().status()
    assert (status.step, status.missing, status.why) == ("stopped", ("mallory",), verdict.sentence)


def test_an_opening_shows_the_wrong_share_to_everybody(wrong: Disputed) -> None:
    """K10: the sender is convicted by what they open, in everybody's eyes."""
    answered = wrong.complaint_of_alice() + wrong.open(ALICE)
    verdict = judge(answered)
    assert verdict.names == ("mallory",)
    assert verdict.error is InvalidSecretShare
    assert verdict.sentence == "mallory sent alice a share that does not match the round 1 commitment"
    for party in (wrong.alice, wrong.bob):
        assert find(party, answered).settle() == verdict
        assert judge(evidence_of(party)) == verdict
        assert party.ceremony().status().why == verdict.sentence
        with pytest.raises(CeremonyStopped, match="mallory sent alice a share"):
            wrong.finish(party, *wrong.second.values())


def test_a_complaint_stops_everybody_who_takes_it_in(wrong: Disputed) -> None:
    """A ceremony in dispute does not go on; the answer then takes the place of the claim."""
    complaint = wrong.complaint_of_alice()
    assert find(wrong.bob, complaint).settle().awaiting == ("mallory",)
    assert wrong.bob.ceremony().status().missing == ("mallory",)
    with pytest.raises(CeremonyStopped, match="alice claims"):
        wrong.finish(wrong.bob, *wrong.second.values())
    answered = complaint + wrong.open(ALICE)
    assert find(wrong.bob, answered).settle().names == ("mallory",)
    assert find(wrong.bob, complaint).settle().awaiting == ("mallory",), "a claim takes nothing back"
    assert wrong.bob.ceremony().transcript.verdict() == judge(answered)


@pytest.mark.parametrize("opened", [BOB, MALLORY])
def test_the_opening_of_another_envelope_convicts(wrong: Disputed, opened: int) -> None:
    answered = wrong.complaint_of_alice() + wrong.open(ALICE, opened)
    assert judge(answered).names == ("mallory",)
    assert "cannot show a share for alice" in judge(answered).sentence


def test_an_answer_without_the_envelope_is_none(wrong: Disputed) -> None:
    """Whoever cuts it out of the file, the accused first of all: the complaint stays, until it is put back."""
    complaint, opening = wrong.complaint_of_alice(), wrong.open(ALICE)
    messages, packages = dossier.blocks(complaint)
    bare = dossier.armour([signed.parse(each).enclosing(()) for each in messages], packages)
    assert judge(bare + opening).awaiting == ("mallory",)
    assert judge(bare + opening + complaint).names == ("mallory",)
    assert find(wrong.bob, bare + opening).settle().awaiting == ("mallory",)
    assert find(wrong.bob, complaint + opening).settle().names == ("mallory",)
    assert wrong.bob.ceremony().transcript.verdict() == judge(complaint + opening)


def test_whoever_keeps_no_envelopes_of_others_sees_who_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a large group, too, the file that Alice sends and the answer to it show Bob all that he needs."""
    monkeypatch.setattr(transcript, "MOST_KEPT_WHOLE", 2)
    wrong = Disputed(tmp_path / "wrong", mallory.plus_one_for("alice"))
    honest = Disputed(tmp_path / "honest")
    complaint = wrong.complaint_of_alice()
    read = [signed.read(each, wrong.roster) for each in dossier.blocks(complaint)[0][1:]]
    assert [len(said.enclosed) for said in read if isinstance(said.message, Round2)] == [2]
    assert find(wrong.bob, complaint + wrong.open(ALICE)).settle().names == ("mallory",)
    accusation = honest.false_complaint(honest.bob)
    answer, verdict = find(honest.bob, accusation).answer(honest.bob.holder)
    assert verdict.names == ("mallory",)
    assert find(honest.alice, answer).settle().names == ("mallory",)


def test_opening_once_well_and_once_badly_convicts(honest: Disputed) -> None:
    """An honest sender has one answer."""
    shown = honest.file(honest.first["mallory"], honest.second["mallory"]) + honest.open(ALICE)
    complaint = honest.complain(honest.people[2]).message
    with honest.bob.holder() as holder:
        both = shown + signed.write(complaint, holder)
    assert judge(shown).culprits == ()
    assert judge(both).awaiting == ("mallory",), "what is for Bob is not shown"
    assert judge(both + honest.open(ALICE, BOB)).names == ("mallory",)


def test_the_ephemeral_key_of_another_sender_is_never_opened(honest: Disputed) -> None:
    """K21: with Bob's ephemeral key in her envelope Mallory gets nothing opened of Bob's, and cannot answer herself."""
    bobs, own = (honest.read(honest.second[name]).message for name in ("bob", "mallory"))
    of_bob = Envelope.decode(bobs.envelopes[0].opened).recipients[0]
    copied = Envelope.decode(own.envelopes[0].opened)
    assert isinstance(of_bob, KeyAgreement)
    assert isinstance(copied.recipients[0], KeyAgreement)
    stolen = replace(copied.recipients[0], ephemeral=of_bob.ephemeral, wrapped=of_bob.wrapped)
    _, *others = own.envelopes
    envelopes = Envelopes.of([Enclosure.of(replace(copied, recipients=(stolen,)).encode()), *others])
    honest.second["mallory"] = honest.mallory.say(replace(own, envelopes=envelopes))
    complaint = honest.complaint_of_alice()
    assert judge(complaint).awaiting == ("mallory",)
    assert judge(complaint + honest.open(ALICE)).names == ("mallory",)
    refused(honest.bob, ForeignMessage, lambda: find(honest.bob, complaint).answer(honest.bob.holder))


# ── A share that is right ──


def test_a_false_complaint_convicts_its_author(honest: Disputed) -> None:
    """K28: the accused opens what is good, and everybody sees who was wrong."""
    alice, bob = honest.alice, honest.bob
    claim = honest.false_complaint(alice)
    assert judge(claim).awaiting == ("alice",)
    answered, verdict = find(alice, claim).answer(alice.holder)
    assert verdict == judge(answered)
    assert verdict.names == ("mallory",)
    assert verdict.sentence == "mallory complained about a good share from alice"
    assert find(bob, answered).settle() == verdict
    for party in (alice, bob):
        assert party.ceremony().status().step == "stopped"


def test_an_answer_repeats_itself_without_the_token(honest: Disputed) -> None:
    alice = honest.alice
    claim = honest.false_complaint(alice)
    answered, verdict = find(alice, claim).answer(alice.holder)
    files, records = alice.files(), alice.records()

    def no_token() -> Any:
        raise AssertionError("the token was opened")

    assert find(alice, claim).answer(no_token) == (answered, verdict)
    assert find(alice, claim).answered() == answered
    with pytest.raises(CeremonyStopped):
        honest.round2(alice, *honest.first.values())
    assert (alice.files(), alice.records()) == (files, records)


def test_an_opening_opens_one_envelope_and_no_other(honest: Disputed) -> None:
    """The seed for Mallory says nothing of Bob's envelope, nor of that of another ceremony."""
    alice = honest.alice
    answered, _ = find(alice, honest.false_complaint(alice)).answer(alice.holder)
    [opening] = dossier.read(answered).chapters[honest.mallory.seat.ceremony].of(Opening)
    assert (opening.sender.name, opening.message.recipient) == ("alice", MALLORY)
    of_alice = honest.file(honest.first["alice"], honest.second["alice"], honest.complain(alice))
    for position in (ALICE, BOB):
        elsewhere = honest.mallory.say(replace(opening.message, recipient=position))
        assert judge(of_alice + elsewhere).culprits == (), "Mallory's word about Alice's envelopes counts for nothing"
    seat = replace(honest.mallory.seat, me=alice.public)
    with pytest.raises(FrostHsmError):
        shares.reopen(seat, honest.read(honest.second["alice"]), honest.bob.public, shares.Secret(opening.message.seed))


def test_an_opening_for_somebody_else_does_not_answer_a_complaint(honest: Disputed) -> None:
    """Who complains does so about their own envelope; that another one is good says nothing."""
    alice = honest.alice
    claim = honest.false_complaint(alice)
    second = honest.read(honest.second["alice"])
    seat = replace(honest.mallory.seat, me=alice.public)
    with alice.holder() as holder:
        root = dispute.SealedRounds(alice.ceremony().seat, holder, alice.home).root(second.message.round1_hash)
        seed = shares.seed_of(seat, honest.bob.public, second.message.round1_hash, root)
        with seed.reveal() as shown:
            opening = signed.write(Opening(seat.ceremony, BOB, bytes(shown)), holder)
    verdict = judge(claim + opening)
    assert (verdict.names, verdict.awaiting) == ((), ("alice",))


# ── Complaints that are none ──


def test_complaints_that_nobody_has_to_answer(honest: Disputed, tmp_path: Path) -> None:
    """K28: of another ceremony, about somebody else or another message, unsigned, by nobody we know."""
    alice = honest.alice
    claim, complaint = honest.false_complaint(alice), honest.complain(alice)

    def answering(error: type[FrostHsmError], *messages: bytes | Signed[Any]) -> None:
        data = honest.file(honest.first["alice"], honest.second["alice"]) + b"".join(
            each if isinstance(each, bytes) else each.to_pem() for each in messages
        )
        for step in (lambda found: found.answer(alice.holder), lambda found: found.settle()):
            refused(alice, error, lambda step=step: step(find(alice, data)))

    answering(ForeignMessage, honest.complain(alice, round2=bytes(32)))
    answering(ForeignMessage, honest.complain(alice, accused=BOB))
    answering(ForeignMessage, honest.complain(alice, accused=9))
    answering(ForeignMessage, honest.complain(alice, ceremony=bytes(32)))
    answering(ForeignMessage, honest.complain(alice, round1=bytes(96)))
    answering(ForeignMessage)
    [ghost] = parties.gather(tmp_path / "ghost", ["ghost"])
    with ghost.holder() as holder:
        answering(UnknownSender, signed.write(complaint.message, holder))
    der = bytearray(complaint.der)
    der[-1] ^= 1
    answering(BadMessageSignature, replace(complaint, der=bytes(der)))
    with alice.holder() as holder:
        own = honest.read(signed.write(complaint.message, holder))
    answering(ForeignMessage, own)
    refused(ghost, NotKnown, lambda: find(ghost, claim))


def test_a_complaint_of_another_ceremony_is_not_replayed(tmp_path: Path) -> None:
    one, other = Disputed(tmp_path / "one"), Disputed(tmp_path / "other")
    claim = one.false_complaint(one.alice)
    refused(other.alice, NotKnown, lambda: find(other.alice, claim))
    refused(other.alice, ForeignMessage, lambda: find(other.alice, other.proposal + claim[len(one.proposal) :]))


def test_nothing_is_opened_once_the_key_is_active(honest: Disputed) -> None:
    """Who complains then has confirmed before."""
    alice = honest.alice
    confirmed = {party.name: honest.finish(party, *honest.second.values()) for party in (alice, honest.bob)}
    confirmed["mallory"] = honest.mallory.repeat(confirmed["alice"])
    alice.ceremony().confirm(parties.inbox(confirmed.values()))
    claim = honest.false_complaint(alice)
    refused(alice, Refused, lambda: find(alice, claim).answer(alice.holder))
    before = alice.files()
    assert find(alice, claim).settle().awaiting == ("alice",)
    assert alice.files() == before
    assert alice.ceremony().status().step == "active"


def test_after_the_key_was_used_there_is_nothing_left_to_open(honest: Disputed) -> None:
    confirmed = {party.name: honest.finish(party, *honest.second.values()) for party in (honest.alice, honest.bob)}
    confirmed["mallory"] = honest.mallory.repeat(confirmed["alice"])
    people = [honest.alice, honest.bob]
    parties.confirm(people, confirmed)
    parties.commit(people, parties.request([*people, honest.people[2]], b"message"))
    assert not [name for party in people for name in party.records() if name.startswith("round2-done")]


def test_giving_up_destroys_what_opens_envelopes(honest: Disputed) -> None:
    alice = honest.alice
    claim = honest.false_complaint(alice)
    alice.ceremony().abort(alice.holder)
    assert alice.records() == {}
    refused(alice, NotKnown, lambda: find(alice, claim))


# ── The same shares again ──


def test_a_crash_between_mark_and_message_sends_the_same_envelopes(tmp_path: Path) -> None:
    """K17, K22: the randomness of round 2 is drawn once, so a second try says the very same."""
    table = Table(tmp_path)
    alice = table.alice
    [(name, polynomial)] = alice.records().items()
    sent = table.round2(alice, *table.first.values())
    alice.home.remove(f"{alice.folder()}/round2/alice.pem")
    with alice.open_token() as token:
        token.write_record(name, polynomial)
    again = table.round2(alice, *table.first.values())
    assert signed.parse(again).content_digest == signed.parse(sent).content_digest


def test_the_same_shares_of_another_ceremony_are_sealed_otherwise(tmp_path: Path) -> None:
    """K22: nothing random serves twice, in one message or in two."""
    tables = [Disputed(tmp_path / name) for name in ("one", "other")]
    messages = [table.second[who] for table in tables for who in ("alice", "bob")]
    read = [signed.decode(signed.parse(data)) for data in messages]
    envelopes = [Envelope.decode(each.opened) for said in read if isinstance(said, Round2) for each in said.envelopes]
    ephemeral = {each.ephemeral for made in envelopes for each in made.recipients if isinstance(each, KeyAgreement)}
    assert len(ephemeral) == len({made.nonce for made in envelopes}) == len(envelopes) == 12


# ── Every kind of token, suite and ceremony ──


@pytest.mark.parametrize("is_wrong", [True, False])
def test_a_recipient_with_an_rsa_key(tmp_path: Path, is_wrong: bool) -> None:
    """What is sent by RSA-OAEP is made from the seed as well."""
    table = Disputed(tmp_path, mallory.plus_one_for("alice") if is_wrong else mallory.unaltered, agree_kinds=RSA)
    if is_wrong:
        assert judge(table.complaint_of_alice() + table.open(ALICE)).sentence.startswith("mallory sent alice a share")
        assert judge(evidence_of(table.alice) + table.open(ALICE, BOB)).names == ("mallory",)
    else:
        answered, verdict = find(table.alice, table.false_complaint(table.alice)).answer(table.alice.holder)
        assert verdict == judge(answered)
        assert verdict.names == ("mallory",)


@pytest.mark.parametrize("suite", ["ed25519", "secp256k1-tr"])
def test_other_suites(tmp_path: Path, suite: str) -> None:
    wrong = Disputed(tmp_path / "wrong", mallory.plus_one_for("alice"), suite=suite)
    assert judge(wrong.complaint_of_alice() + wrong.open(ALICE)).sentence.startswith("mallory sent alice a share")
    honest = Disputed(tmp_path / "honest", suite=suite)
    assert find(honest.alice, honest.false_complaint(honest.alice)).answer(honest.alice.holder)[1].names == ("mallory",)


# ── Refreshes ──


def test_a_dispute_in_a_refresh(tmp_path: Path) -> None:
    """The shares of a refresh are judged by its own round 1, whose constant term is zero; the old epoch goes on."""
    people = parties.gather(tmp_path, ["alice", "bob", "mallory"])
    parties.generate(people)
    proposal = upkeep.propose(people[0])
    first = upkeep.round1(people[:2], proposal)
    saboteur = Saboteur(people[2], upkeep.join(people[2], proposal))
    first["mallory"] = saboteur.round1()
    second = upkeep.round2(people[:2], first)
    second["mallory"] = saboteur.round2(first, mallory.plus_one_for("alice"))
    with pytest.raises(InvalidSecretShare):
        upkeep.finish(people[:1], first, second)
    complaint = upkeep.load(people[0]).transcript.evidence()
    assert complaint is not None
    assert judge(complaint).awaiting == ("mallory",)
    with shares.seed_of(saboteur.seat, people[0].public, saboteur.hash(first), saboteur.root) as seed:
        with seed.reveal() as shown:
            opening = saboteur.say(Opening(saboteur.seat.ceremony, 1, bytes(shown)))
    verdict = find(people[1], complaint + opening).settle()
    assert verdict == judge(complaint + opening)
    assert verdict.sentence == "mallory sent alice a share that does not match the round 1 commitment"
    assert upkeep.load(people[1]).status().step == "stopped"
    assert len(parties.sign(people[:2], b"message")) == 65

    digest = signed.parse(second["bob"]).content_digest
    claim = Complaint(saboteur.seat.ceremony, 2, digest, saboteur.digests(first))
    said = [signed.read(data, saboteur.seat.roster) for data in (first["bob"], second["bob"], saboteur.say(claim))]
    answered, verdict = find(people[1], people_file(people[1], said)).answer(people[1].holder)
    assert verdict.names == ("mallory",)
    assert judge(answered) == verdict


def people_file(party: Party, said: Sequence[Signed[Any]]) -> bytes:
    """A file about the last refresh here."""
    return upkeep.load(party).transcript.file_of(said)


# ── Bad signature shares ──


def spoilt(party: Party, response: bytes, bit: int = 1) -> bytes:
    """A response with another share. bit: for two of them, so that they do not make up for each other."""
    message: Any = signed.decode(signed.parse(response))
    (honest,) = message.shares
    shares = (honest[:-1] + bytes([honest[-1] ^ bit]),)
    with party.holder() as holder:
        return signed.write(replace(message, shares=shares), holder)


def aggregated(people: Sequence[Party], wanted: bytes, commitments: Messages, responses: Messages) -> bytes:
    """What the first of them keeps who aggregates bad shares."""
    session = people[0].session(wanted)
    with pytest.raises(InvalidSignatureShare) as caught:
        session.aggregate(parties.inbox(commitments.values(), responses.values()))
    evidence = session.transcript.evidence()
    assert evidence is not None
    verdict = judge(evidence)
    assert verdict.names == caught.value.culprits
    assert verdict.error is InvalidSignatureShare
    return evidence


@pytest.mark.parametrize("suite", ["p256", "secp256k1-tr"])
@pytest.mark.parametrize("is_rerandomized", [False, True])
def test_a_bad_signature_share_convicts_in_everybodys_eyes(tmp_path: Path, suite: str, is_rerandomized: bool) -> None:
    """S13: the request, the commitments and what the signer confirmed show it, to somebody who was not there."""
    people = parties.gather(tmp_path, ["alice", "bob", "mallory"])
    parties.generate(people, suite=suite)
    with people[0].holder() as holder:
        wanted = signing.request(
            holder, people[0].key(), b"message", ["alice", "mallory"], is_rerandomized=is_rerandomized
        )
    signers = [people[0], people[2]]
    commitments = parties.commit(signers, wanted)
    responses = parties.respond(signers, wanted, commitments)
    evidence = _convicting(people, wanted, commitments, responses)
    assert judge(without(evidence, Response) + responses["alice"]).culprits == ()


def _convicting(people: Sequence[Party], wanted: bytes, commitments: Messages, responses: Messages) -> bytes:
    responses = {**responses, "mallory": spoilt(people[2], responses["mallory"])}
    evidence = aggregated(people, wanted, commitments, responses)
    assert judge(evidence).names == ("mallory",)
    return evidence


def without(file: bytes, *kinds: type[Any]) -> bytes:
    """The same file without the messages of some kinds."""
    messages, packages = dossier.blocks(file)
    return dossier.armour(
        [each for each in messages if not isinstance(signed.decode(signed.parse(each)), kinds)], packages
    )


def test_a_bad_signature_share_after_a_refresh_and_repairs(tmp_path: Path) -> None:
    """By then others take part, the shares are others, and a share of Mallory's was made by repair."""
    people = parties.gather(tmp_path, ["alice", "bob", "mallory", "dave"])
    alice, bob, old, dave = people
    parties.generate([alice, bob, old])
    upkeep.refresh([alice, bob, old])
    [new] = parties.gather(tmp_path / "new", ["mallory"])
    for party in (alice, bob, dave):
        new.home.put(f"peers/{party.name}.pem", party.public.to_pem())
        party.home.replace("peers/mallory.pem", new.public.to_pem())
    upkeep.repair(new, 3, [alice, bob], [alice, bob])
    upkeep.repair(dave, 4, [alice, bob], [alice, bob, new])
    wanted = parties.request([alice, new, dave], b"message")
    commitments = parties.commit([alice, new, dave], wanted)
    responses = parties.respond([alice, new, dave], wanted, commitments)
    bad = {party.name: spoilt(party, responses[party.name], bit) for party, bit in ((new, 1), (dave, 2))}
    verdict = judge(aggregated([alice], wanted, commitments, responses | bad))
    assert verdict.names == ("mallory", "dave")
    assert verdict.culprits == (new.public, dave.public), "by the identities that they have now"


def test_a_share_is_judged_by_what_its_signer_confirmed(tmp_path: Path) -> None:
    """A public key package of somebody's making, or another request or answer, convicts nobody."""
    people = parties.gather(tmp_path, ["alice", "bob", "mallory"])
    parties.generate(people)
    parties.generate(people, name="other")
    signers = [people[0], people[2]]
    wanted = parties.request(signers, b"message")
    commitments = parties.commit(signers, wanted)
    responses = parties.respond(signers, wanted, commitments)
    evidence = _convicting(people, wanted, commitments, responses)
    messages, _ = dossier.blocks(evidence)
    other = people[0].key("other").public_key_package.serialize()
    assert judge(dossier.armour(messages, [other])).culprits == ()
    assert judge(dossier.armour(messages, [])).culprits == ()
    assert judge(without(evidence, Commitment)).culprits == ()
    for kind in (Confirmation, SigningRequest):
        with pytest.raises(ForeignMessage, match="belongs to nothing"):
            judge(without(evidence, kind))


# ── Whatever is put into a file ──


def test_no_file_names_somebody_who_is_honest(tmp_path: Path) -> None:
    """Two ceremonies with everything that was said in them, mixed, cut, repeated: only Mallory is ever named."""
    tables = [
        Disputed(tmp_path / "one", mallory.plus_one_for("alice")),
        Disputed(tmp_path / "other"),
    ]
    pools: list[list[bytes]] = []
    for table in tables:
        pool = [*table.first.values(), *table.second.values(), Mallory(table.mallory.party, table.proposal).round1()]
        pool += [table.mallory.round2(table.first), table.open(ALICE), table.open(BOB), table.open(ALICE, BOB)]
        pool += [table.complain(party).to_pem() for party in (table.alice, table.bob)]
        answered, _ = find(table.bob, table.false_complaint(table.bob)).answer(table.bob.holder)
        pool += [dossier.armour([each], []) for each in dossier.blocks(answered)[0][1:]]
        pools.append(pool)
    pools[0] += [dossier.armour([each], []) for each in dossier.blocks(tables[0].complaint_of_alice())[0][1:]]
    draw = random.Random(4)
    verdicts: dict[tuple[str, ...], int] = {}
    for _ in range(400):
        table, pool = draw.choice(list(zip(tables, pools, strict=True)))
        chosen = [draw.choice(pool) for _ in range(draw.randrange(1, 8))]
        if draw.random() < 0.1:
            chosen.insert(draw.randrange(len(chosen)), draw.choice(pools[0]))
        data = table.proposal + b"".join(chosen)
        if draw.random() < 0.1:
            data = data[: draw.randrange(len(data))]
        try:
            names = judge(data).names
        except InputProblem:
            names = ("refused",)
        verdicts[names] = verdicts.get(names, 0) + 1
    assert set(verdicts) == {(), ("mallory",), ("refused",)}
    assert min(verdicts.values()) > 10


def test_a_file_that_does_not_begin_with_a_proposal_is_none(honest: Disputed) -> None:
    for data in (honest.first["alice"], honest.first["alice"] + honest.proposal, b"", b"notes"):
        with pytest.raises((ForeignMessage, MalformedMessage)):
            judge(data)


def test_a_file_with_a_proposal_of_mallorys_own_shows_by_which_keys_she_means_bob(tmp_path: Path) -> None:
    """Anybody can make a key and call it bob: the verdict names keys, and people compare fingerprints."""
    honest = parties.gather(tmp_path / "honest", ["bob"])[0]
    people = parties.gather(tmp_path / "made up", ["mallory", "bob"])
    proposal = parties.propose(people)
    forged = Mallory(people[1], proposal)
    _, short = forged.draw(3)
    verdict = judge(proposal + forged.round1(short))
    assert verdict.names == ("bob",)
    assert verdict.culprits[0].fingerprint != honest.public.fingerprint
    refused(honest, NotKnown, lambda: find(honest, proposal + forged.round1(short)))


def test_messages_belong_to_what_their_kind_belongs_to(honest: Disputed) -> None:
    """A commitment to a ceremony, a piece of a repair in a request: nothing is found where it does not belong."""
    ceremony, other = honest.mallory.seat.ceremony, bytes(32)
    lost: list[Any] = [Commitment(each, (b"",)) for each in (ceremony, other)]
    lost += [Response(each, other, (b"",)) for each in (ceremony, other)]
    lost += [RepairSigma(each, other, b"\x30\0") for each in (ceremony, other)]
    lost += [RepairDelta(each, Envelopes.of([Enclosure.of(b"\x30\0")] * 2)) for each in (ceremony, other)]
    lost += [RepairDone(each, other) for each in (ceremony, other)]
    lost += [
        Opening(other, 1, other),
        Complaint(other, 1, other, other * 2),
        Confirmation(other, (other, other), other),
    ]
    for message in lost:
        with pytest.raises(ForeignMessage):
            judge(honest.proposal + honest.mallory.say(message))


def test_a_bad_share_of_a_request_that_holds_the_commitments(tmp_path: Path) -> None:
    """Made ahead, they stand in the request; the answer names its id alone."""
    people = parties.gather(tmp_path, ["alice", "bob", "mallory"])
    parties.generate(people)
    signers = [people[0], people[2]]
    ahead = {}
    for party in signers:
        with party.holder() as holder:
            ahead[party.name] = SealedSigner(party.key(), holder, party.home).preprocess(1)
    with people[0].holder() as holder:
        wanted = signing.request(holder, people[0].key(), b"message", list(ahead), commitments=ahead)
    case = dossier.read(_convicting(people, wanted, {}, parties.respond(signers, wanted, {})))
    assert not case.requests[signed.parse(wanted).content_digest].commitments


def test_a_file_is_not_verified_without_end(honest: Disputed) -> None:
    with pytest.raises(MalformedMessage, match="more than 1024 of each participant"):
        judge(honest.proposal + honest.first["alice"] * (3 * 1024 + 1))
    with pytest.raises(MalformedMessage, match="larger than"):
        judge(honest.proposal + b" " * (16 << 20))


def test_whoever_votes_for_very_many_things_is_convicted_once(tmp_path: Path) -> None:
    """Of some thousands there would be millions of pairs, each with its sentence."""
    people = parties.gather(tmp_path)
    key = parties.generate(people)
    lies: list[bytes] = []
    with people[2].holder() as holder:
        for number in range(40):
            asked = Abandonment(key.ceremony, key.state.digest, 3, number.to_bytes(32, "big"), (bytes(32),))
            lies.append(signed.parse(signed.write(asked, holder)).der)
            vote = Confirmation(hashlib.sha256(asked.encode()).digest(), (), key.state.package_hash)
            lies.append(signed.parse(signed.write(vote, holder)).der)
    lineage = [said.der for said in key.history.lineage(key.state)]
    history = dossier.history([*lineage, *lies], [key.public_key_package.serialize()])
    assert evidence.judge_history(history).names == ("carol",)
    assert len(list(evidence._findings(history, raw))) == 1


def test_a_second_proposal_is_not_followed(tmp_path: Path) -> None:
    people = parties.gather(tmp_path, ["alice", "bob"])
    one, other = parties.propose(people), parties.propose(people, name="other")
    with pytest.raises(ForeignMessage):
        judge(one + other)


def test_somebody_who_says_to_be_alice_is_not_taken_for_her(tmp_path: Path) -> None:
    """Anybody can ask for a share under any name; without the agreement of helpers they are no participant."""
    people = _, bob, _ = parties.gather(tmp_path, ["alice", "bob", "mallory"])
    parties.generate(people)
    [forged] = parties.gather(tmp_path / "forged", ["alice"])
    upkeep.hand_over(bob, forged, people)
    asked = upkeep.ask(forged, 1, [bob, people[2]])
    with forged.holder() as holder:
        ends = [
            signed.write(RepairDone(signed.parse(asked).content_digest, bytes([end]) * 32), holder) for end in (1, 2)
        ]
    beginning = [said.to_pem() for said in bob.key().history.lineage(bob.key().state)]
    assert judge(b"".join([*beginning, asked, *ends])).culprits == ()
    agreed = upkeep.sigmas([bob, people[2]], asked, upkeep.deltas([bob, people[2]], asked))
    assert judge(b"".join([*beginning, asked, *agreed.values(), *ends])).culprits == ()
    with forged.holder() as holder:
        vote = signed.write(Confirmation(signed.parse(asked).content_digest, (bytes(32),) * 2, bytes(32)), holder)
    with pytest.raises(UnknownSender):
        judge(b"".join([*beginning, asked, vote]))
