"""What it takes to judge a file of messages grows as the file does, whatever somebody puts into it.

Counted are calls of functions for each message: of a file that is four times as large they may not be a fifth more.
Who makes such a file needs no more than people and a key of their own.
"""

from __future__ import annotations

import cProfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from ceremony.people import holder

from frost_hsm.ceremony.history import dossier, evidence
from frost_hsm.ceremony.history.state import Change, State
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import Abandonment, RepairRequest, Standing
from frost_hsm.ceremony.messages.complaints import Complaint
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, RefreshProposal, Round1, Round2
from frost_hsm.ceremony.messages.memory import Memory
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes, Message
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.using import RAW, Commitment, Item, Response, SigningRequest
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sharing import dispute
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import ForeignMessage, NotKnown
from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import P256
from frost_hsm.frost.keys import dealer
from frost_hsm.frost.packages import Identifier

SMALL, TIMES = 24, 4
ALLOWED, MOST = 1.2, 1000


class Tale:
    """A history that somebody makes up: so many people, and their key."""

    def __init__(self, size: int) -> None:
        self.people = [holder(f"p{number}") for number in range(size)]
        shares, public = dealer.generate_with_dealer(P256, max_signers=size, min_signers=2)
        self.shares = [each.signing_share for each in shares.values()]
        self.package, self.blocks = public.serialize(), list[bytes]()
        roster = Roster(tuple(person.public for person in self.people))
        proposal = Proposal(bytes(32), "key", "", P256.id, 2, 1, roster)
        self.said(proposal, self.people[0])
        self.proposal: Signed[Proposal] = signed.read(self.blocks[0])
        self.id = self.proposal.content_digest
        self.state = State.first(self.proposal, self.confirmed(self.id, self.people, sha256(self.package).digest()))

    def said(self, message: Message, person: Holder) -> bytes:
        """Have somebody say something; returns its content digest."""
        parsed = signed.parse(signed.write(message, person))
        self.blocks.append(parsed.der)
        return parsed.content_digest

    def confirmed(self, chapter: bytes, voters: Sequence[Holder], package_hash: bytes) -> Signed[Confirmation]:
        confirmation = Confirmation(chapter, (bytes(32), bytes(32)), package_hash)
        for voter in voters:
            self.said(confirmation, voter)
        return signed.read(self.blocks[-1], Roster(tuple(voter.public for voter in voters)))

    def change(self, change: Change, by: Holder, voters: Sequence[Holder], package_hash: bytes) -> None:
        self.said(change, by)
        beginning = signed.read(self.blocks[-1], None if isinstance(change, RepairRequest) else self.state.roster)
        self.state = self.state.after(beginning, self.confirmed(beginning.content_digest, voters, package_hash))

    def request(self, number: int, signers: int = 2) -> bytes:
        item, random = Item(RAW, "", b"a message"), number.to_bytes(32, "big")
        positions = tuple(range(1, signers + 1))
        return self.said(SigningRequest(self.id, self.state.digest, 1, random, (item,), positions), self.people[0])

    @property
    def file(self) -> bytes:
        return dossier.armour(self.blocks, [self.package])


def many_who_confirm(size: int) -> Tale:
    tale = Tale(size)
    for number in range(3):
        refresh = RefreshProposal(tale.id, tale.state.digest, 1, bytes((number,)) * 32)
        tale.change(refresh, tale.people[0], tale.people, bytes(32))
    return tale


def many_requests_of_many(size: int) -> Tale:
    tale = Tale(size)
    for number in range(size):
        tale.request(number)
    return tale


def many_answers(size: int) -> Tale:
    """One of them commits and answers again and again, each time in another way."""
    tale = Tale(SMALL)
    request = tale.request(0, signers=SMALL)
    made = [signing.commit(share)[1].serialize() for share in tale.shares]
    for person, commitments in zip(tale.people, made, strict=True):
        tale.said(Commitment(request, (commitments,)), person)
    for number in range(size):
        tale.said(Commitment(request, (signing.commit(tale.shares[0])[1].serialize(),)), tale.people[0])
        tale.said(Response(request, number.to_bytes(32, "big"), (bytes(31) + b"\1",)), tale.people[0])
    return tale


def many_complaints(size: int) -> Tale:
    tale = Tale(size)
    envelopes = Envelopes.of([Enclosure(bytes(32)), Enclosure(bytes(32))])
    for person in tale.people:
        tale.said(Round2(tale.id, bytes(32), envelopes), person)
    for number in range(6 * size):
        tale.said(Complaint(tale.id, 1, number.to_bytes(32, "big"), bytes(64)), tale.people[0])
    return tale


def many_repairs(size: int) -> Tale:
    """One place changes hands again and again, and in each state something is to be signed."""
    tale = Tale(3)
    for number in range(size):
        tale.request(number)
        receiver = holder(f"r{number}")
        repair = RepairRequest(tale.id, tale.state.digest, bytes(32), 3, receiver.public, (1, 2))
        tale.change(repair, receiver, tale.people[:2], number.to_bytes(32, "big"))
    tale.blocks[1:] = [*tale.blocks[:0:-1]]  # the last first
    return tale


def calls(tale: Tale, monkeypatch: pytest.MonkeyPatch) -> int:
    for name in ("_PARSED", "_DECODED"):
        monkeypatch.setattr(signed, name, Memory(signed._REMEMBERED))
    with cProfile.Profile() as profile:
        history = dossier.read(tale.file)
        evidence.judge_history(history)
        list(history.line(tale.people[1].public))
    return sum(function.callcount for function in profile.getstats())


def many_who_say_where_they_stand(size: int) -> Tale:
    tale = Tale(8)
    for number in range(size):
        refresh = RefreshProposal(tale.id, tale.state.digest, 1, number.to_bytes(32, "big"))
        tale.change(refresh, tale.people[0], tale.people, bytes(32))
        for shown in range(8):
            tale.said(Standing(tale.id, tale.state.digest, shown.to_bytes(32, "big")), tale.people[0])
    return tale


MADE: tuple[Callable[[int], Tale], ...] = (
    many_who_confirm,
    many_requests_of_many,
    many_answers,
    many_complaints,
    many_repairs,
    many_who_say_where_they_stand,
)


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_it_grows_as_the_file_does(make: Callable[[int], Tale], monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (make(size) for size in (SMALL, TIMES * SMALL))
    each = [calls(tale, monkeypatch) / len(tale.blocks) for tale in (small, large)]
    assert each[1] < min(ALLOWED * each[0], MOST), each


def test_a_long_life_is_read() -> None:
    """A refresh a week for two years, with all its rounds, as a backup holds them: nobody is hostile here."""
    tale = Tale(3)
    for number in range(104):
        refresh = RefreshProposal(tale.id, tale.state.digest, 1, number.to_bytes(32))
        tale.change(refresh, tale.people[0], tale.people, bytes(32))
        for person in tale.people:
            tale.said(Round1(tale.state.sharing, bytes(33)), person)
            tale.said(Round2(tale.state.sharing, bytes(32), Envelopes.of([Enclosure(bytes(32))] * 3)), person)
    assert dossier.read(tale.file).states[tale.state.digest].epoch == 104


def test_what_names_something_of_another_kind_belongs_nowhere() -> None:
    """A confirmation of a state, and a refresh of the state that is a chapter: ids do not say what they are of."""
    for wrong in (
        lambda tale: Confirmation(tale.state.digest, (), bytes(32)),
        lambda tale: RefreshProposal(tale.id, tale.id, 1, bytes(32)),
    ):
        tale = Tale(2)
        tale.said(wrong(tale), tale.people[0])
        with pytest.raises(ForeignMessage, match="belongs to nothing in it"):
            evidence.judge(tale.file)


def test_nobody_lies_who_agrees_to_abandon_what_is_done_long_ago() -> None:
    """Whoever asks for it names what is no successor of the state that stays: that displaces nothing."""
    tale = Tale(2)
    refresh = RefreshProposal(tale.id, tale.state.digest, 1, bytes(32))
    tale.change(refresh, tale.people[0], tale.people, bytes(32))
    tale.said(Standing(tale.id, tale.state.digest), tale.people[1])
    abandonment = Abandonment(tale.id, tale.state.digest, 1, bytes(32), (tale.state.sharing,))
    tale.change(abandonment, tale.people[0], tale.people, bytes(32))
    assert evidence.judge(tale.file).names == ()


def test_a_key_of_others_than_its_group_convicts_nobody() -> None:
    """All have confirmed a public key package that is none of theirs."""
    tale = Tale(2)
    names = [Identifier(P256, number) for number in (8, 9)]
    tale.package = dealer.generate_with_dealer(P256, max_signers=2, min_signers=2, identifiers=names)[1].serialize()
    refresh = RefreshProposal(tale.id, tale.state.digest, 1, bytes(32))
    tale.change(refresh, tale.people[0], tale.people, sha256(tale.package).digest())
    request, made = tale.request(0), [signing.commit(share)[1].serialize() for share in tale.shares]
    for person, commitments in zip(tale.people, made, strict=True):
        tale.said(Commitment(request, (commitments,)), person)
    answered = transcript_hash([signed.read(block, tale.state.roster) for block in tale.blocks[-2:]])
    tale.said(Response(request, answered, (bytes(31) + b"\1",)), tale.people[0])
    assert evidence.judge(tale.file).names == ()


def test_of_a_key_that_is_not_here_nothing_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can post what somebody made up: it costs one look."""
    tale = many_requests_of_many(4)
    monkeypatch.setattr(dossier, "history", None)
    with pytest.raises(NotKnown, match="no ceremony that is known here"):
        dispute.find(StateDirectory.create(tmp_path / "home"), tale.file, tale.people[0].public)
