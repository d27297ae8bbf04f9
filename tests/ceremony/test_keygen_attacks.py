"""Key generation with somebody who breaks the protocol: found, named where proven, and nothing made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mallory
import parties
import pytest
from mallory import Mallory
from parties import Messages, Party, inbox

from frost_hsm.ceremony import envelope, shares, signed
from frost_hsm.ceremony.context import Context, Kind
from frost_hsm.ceremony.inbox import Inbox, Incoming
from frost_hsm.ceremony.keys import KeyState
from frost_hsm.ceremony.messages import Confirmation, Proposal, Round1, Round2
from frost_hsm.errors import (
    BadMessageSignature,
    CeremonyStopped,
    Equivocation,
    ForeignMessage,
    FrostHsmError,
    IncorrectNumberOfCommitments,
    InvalidContents,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    MalformedMessage,
    NotYet,
    ProtocolViolation,
    SealBroken,
    UnknownSender,
)
from frost_hsm.frost import round1
from frost_hsm.secret import Secret


class Table:
    """Alice and Bob, who are honest, and Mallory; threshold 3, so that a shorter polynomial can be tried."""

    def __init__(self, directory: Path) -> None:
        self.people = parties.gather(directory, ["alice", "bob", "mallory"])
        self.alice, self.bob, self._party = self.people
        self.proposal = parties.propose(self.people, 3)
        self.first = parties.round1([self.alice, self.bob], self.proposal)
        self.mallory = Mallory(self._party, self.proposal)
        self.first["mallory"] = self.mallory.round1()

    def honest_round2(self) -> Messages:
        return parties.round2([self.alice, self.bob], self.first)

    def round2(self, party: Party, *said: bytes) -> bytes:
        return party.ceremony().round2(party.holder, inbox(said))

    def finish(self, party: Party, *said: bytes) -> bytes:
        return party.ceremony().finish(party.holder, inbox(said)).message


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def convicted(party: Party, error: type[ProtocolViolation], step: Callable[[], object]) -> bytes:
    """Mallory is named, nothing but the evidence has changed, and the ceremony is over. Returns the evidence."""
    files, records = party.files(), party.records()
    with pytest.raises(error) as caught:
        step()
    assert caught.value.culprits == ("mallory",)
    return _stopped(party, files, records)


def stopped(party: Party, step: Callable[[], object]) -> bytes:
    """As `convicted`, where it is proven that views differ but not who is to blame."""
    files, records = party.files(), party.records()
    with pytest.raises(Equivocation) as caught:
        step()
    assert caught.value.culprits == ()
    return _stopped(party, files, records)


def _stopped(party: Party, files: dict[str, bytes], records: dict[str, bytes]) -> bytes:
    now = party.files()
    evidence = now.pop("ceremonies/treasury/evidence.pem")
    assert now == files
    assert party.records() == records
    with pytest.raises(CeremonyStopped):
        party.ceremony().round2(party.holder, Inbox())
    assert party.ceremony().status().step == "stopped"
    return evidence


def unchanged(party: Party, error: type[FrostHsmError], step: Callable[[], object]) -> FrostHsmError:
    """Refused without blame and without a trace; the ceremony goes on."""
    before = party.files(), party.records()
    with pytest.raises(error) as caught:
        step()
    assert (party.files(), party.records()) == before
    assert caught.value.culprits == ()
    return caught.value


# ── Round 1 ──


def test_equivocation_in_round1_is_proven_by_two_messages(table: Table) -> None:
    """K12: two different messages of one sender stop the ceremony, and both are the evidence."""
    other = Mallory(table.mallory.party, table.proposal).round1()
    evidence = convicted(table.alice, Equivocation, lambda: table.round2(table.alice, *table.first.values(), other))
    assert evidence in (table.first["mallory"] + other, other + table.first["mallory"])


def test_equivocation_is_found_when_the_second_message_comes_later(table: Table) -> None:
    """K11: what was received first is not overwritten."""
    table.honest_round2()
    other = Mallory(table.mallory.party, table.proposal).round1()
    convicted(table.alice, Equivocation, lambda: table.round2(table.alice, other))


def test_the_same_contents_signed_twice_are_no_equivocation(table: Table) -> None:
    again = table.mallory.round1()
    assert again != table.first["mallory"]
    table.round2(table.alice, *table.first.values(), again)


@pytest.mark.parametrize("length", [2, 4])
def test_a_commitment_of_another_length_convicts(table: Table, length: int) -> None:
    """K1: the threshold is neither raised nor lowered."""
    _, package = table.mallory.draw(length)
    said = table.mallory.round1(package)
    step = lambda: table.round2(table.alice, table.first["bob"], said)  # noqa: E731
    assert convicted(table.alice, IncorrectNumberOfCommitments, step) == said


def test_an_empty_commitment_convicts(table: Table) -> None:
    package = table.mallory.package.serialize()
    empty = package[:5] + b"\0" + package[6 + 33 * 3 :]
    said = table.mallory.say(Round1(table.mallory.seat.ceremony, empty))
    assert (
        convicted(table.alice, ProtocolViolation, lambda: table.round2(table.alice, table.first["bob"], said)) == said
    )


def test_a_proof_of_another_polynomial_convicts(table: Table) -> None:
    """K3, K4: the proof of knowledge belongs to this commitment."""
    _, other = table.mallory.draw()
    package = round1.Package(table.mallory.seat.suite, table.mallory.package.commitment, other.proof_of_knowledge)
    said = table.mallory.round1(package)
    step = lambda: table.round2(table.alice, table.first["bob"], said)  # noqa: E731
    assert convicted(table.alice, InvalidProofOfKnowledge, step) == said


def test_a_copied_package_convicts_the_copyist(table: Table) -> None:
    """K3, K11: another participant's package, signed by Mallory, does not prove knowledge for Mallory."""
    copied = signed.read(table.first["bob"], table.mallory.seat.roster).expect(Round1).message
    said = table.mallory.say(copied)
    convicted(table.alice, InvalidProofOfKnowledge, lambda: table.round2(table.alice, table.first["bob"], said))


def test_wrong_y_coordinates_convict(table: Table) -> None:
    package = table.mallory.package
    y = bytearray(package.y_coordinates())
    y[-1] ^= 2
    said = table.mallory.say(Round1(table.mallory.seat.ceremony, package.serialize(), bytes(y)))
    convicted(table.alice, InvalidContents, lambda: table.round2(table.alice, table.first["bob"], said))


def test_garbage_signed_as_a_package_convicts(table: Table) -> None:
    said = table.mallory.say(Round1(table.mallory.seat.ceremony, b"nothing"))
    convicted(table.alice, InvalidContents, lambda: table.round2(table.alice, table.first["bob"], said))


# ── Messages that are not of this ceremony ──


def test_messages_of_another_session_are_refused(table: Table) -> None:
    """K4, K24: a good round 1 of another run with the same people is no part of this one."""
    other = parties.propose(table.people, 3, name="other")
    foreign = Mallory(table.mallory.party, other).round1()
    unchanged(table.alice, ForeignMessage, lambda: table.round2(table.alice, table.first["bob"], foreign))
    box = _found(table.first["bob"], foreign)
    unchanged(table.alice, NotYet, lambda: table.alice.ceremony().round2(table.alice.holder, box))


def test_a_ghost_who_is_not_in_the_roster_is_refused(table: Table, tmp_path: Path) -> None:
    """K16: the number of contributors is that of the proposal."""
    [ghost] = parties.gather(tmp_path / "ghost", ["ghost"])
    with ghost.holder() as holder:
        said = signed.write(Round1(table.mallory.seat.ceremony, table.mallory.package.serialize()), holder)
    unchanged(table.alice, UnknownSender, lambda: table.round2(table.alice, *table.first.values(), said))
    box = _found(said, b"shopping list", *table.first.values())
    table.alice.ceremony().round2(table.alice.holder, box)
    assert box.passed_over == ["file 0", "file 1"]


def _found(*messages: bytes) -> Inbox:
    """An inbox as read from a directory, in which strange files may lie."""
    return Inbox([Incoming(f"file {number}", data, named=False) for number, data in enumerate(messages)])


def test_ones_own_message_sent_back_altered_is_refused(table: Table) -> None:
    """K15: nobody can put other words into Alice's mouth."""
    der = bytearray(signed.read(table.first["alice"], table.mallory.seat.roster).der)
    position = bytes(der).index(table.mallory.seat.ceremony) + 60
    der[position] ^= 1
    unchanged(
        table.alice,
        BadMessageSignature,
        lambda: table.round2(table.alice, *table.first.values(), bytes(der)),
    )
    stolen = signed.read(table.first["alice"], table.mallory.seat.roster).expect(Round1).message
    table.first["mallory"] = table.mallory.say(stolen)
    convicted(table.alice, InvalidProofOfKnowledge, lambda: table.round2(table.alice, *table.first.values()))


@pytest.mark.parametrize("cut", [0, 1, 100, -2])
def test_a_truncated_message_blames_nobody(table: Table, cut: int) -> None:
    unchanged(
        table.alice,
        MalformedMessage,
        lambda: table.round2(table.alice, table.first["bob"], table.first["mallory"][:cut]),
    )


def test_signed_data_that_is_no_message_names_its_signer_and_stops_nothing(table: Table) -> None:
    """It cannot be told which ceremony it was meant for, so this one goes on without it."""
    broken = table.mallory.say(_Broken())
    before = table.alice.files()
    with pytest.raises(InvalidContents) as caught:
        table.round2(table.alice, table.first["bob"], broken)
    assert caught.value.culprits == ("mallory",)
    assert table.alice.files() == before
    table.round2(table.alice, *table.first.values())


class _Broken:
    content_type = Round1.content_type
    title = "broken message"

    def encode(self) -> bytes:
        return b"\x30\x03\x02\x01\x01"

    @classmethod
    def decode(cls, data: bytes) -> _Broken:
        raise NotImplementedError


# ── Round 2 ──


def test_a_share_that_is_one_too_large_convicts(table: Table) -> None:
    """K10: every share is checked; the key is not stored."""
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(
        table.first, lambda name, package: mallory.plus_one(package) if name == "alice" else package
    )
    evidence = convicted(table.alice, InvalidSecretShare, lambda: table.finish(table.alice, *second.values()))
    assert evidence == table.first["mallory"] + second["mallory"]
    assert table.finish(table.bob, *second.values()), "Bob's share is good, and he cannot know"


def test_without_strict_checks_a_wrong_sum_still_convicts(table: Table) -> None:
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(table.first, lambda name, package: mallory.plus_one(package))
    finish = table.alice.ceremony().finish
    convicted(table.alice, InvalidSecretShare, lambda: finish(table.alice.holder, inbox(second.values()), strict=False))


def test_the_share_of_another_recipient_convicts(table: Table) -> None:
    """K10: an envelope belongs to its place in the roster."""
    second = table.honest_round2()
    a, b, m = table.mallory.envelopes(table.first)
    hash_ = table.mallory.hash(table.first)
    second["mallory"] = table.mallory.say(Round2(table.mallory.seat.ceremony, hash_, (b, a, m)))
    convicted(table.alice, InvalidContents, lambda: table.finish(table.alice, *second.values()))


def test_too_few_envelopes_convict(table: Table) -> None:
    second = table.honest_round2()
    envelopes = table.mallory.envelopes(table.first)[:2]
    second["mallory"] = table.mallory.say(
        Round2(table.mallory.seat.ceremony, table.mallory.hash(table.first), envelopes)
    )
    convicted(table.alice, InvalidContents, lambda: table.finish(table.alice, *second.values()))


def test_the_envelope_of_another_sender_convicts_the_copyist(table: Table) -> None:
    """K21: Bob's envelope for Alice, put into Mallory's message, does not open as Mallory's."""
    second = table.honest_round2()
    bobs = signed.read(second["bob"], table.mallory.seat.roster).expect(Round2).message
    second["mallory"] = table.mallory.say(bobs)
    convicted(table.alice, InvalidContents, lambda: table.finish(table.alice, *second.values()))


def test_equivocation_in_round2_is_proven_by_two_messages(table: Table) -> None:
    """K12: other ciphertexts are another message, though the shares be the same."""
    second = table.honest_round2()
    one, other = table.mallory.round2(table.first), table.mallory.round2(table.first)
    second["mallory"] = one
    evidence = convicted(table.alice, Equivocation, lambda: table.finish(table.alice, *second.values(), other))
    assert evidence in (one + other, other + one)


def test_another_view_of_round1_is_found_in_round2(table: Table) -> None:
    """K12, K18: Mallory told Bob something else than Alice, and both find out before there is a key."""
    told_bob = dict(table.first, mallory=Mallory(table.mallory.party, table.proposal).round1())
    to_alice = table.round2(table.alice, *table.first.values())
    to_bob = table.round2(table.bob, *told_bob.values())
    second = [to_alice, to_bob, table.mallory.round2(table.first)]
    evidence = stopped(table.alice, lambda: table.finish(table.alice, *second))
    assert evidence == to_alice + to_bob
    stopped(table.bob, lambda: table.finish(table.bob, *second))


def test_nobody_else_can_open_an_envelope(table: Table) -> None:
    """K19, K20: what Mallory encrypted to Alice opens for Alice alone, and in its own place alone."""
    sealed = table.mallory.envelopes(table.first)
    hash_ = table.mallory.hash(table.first)
    said = signed.read(
        table.mallory.say(Round2(table.mallory.seat.ceremony, hash_, sealed)), table.mallory.seat.roster
    ).expect(Round2)
    seats = {party.name: replace(table.mallory.seat, me=party.public) for party in table.people}
    for reader in table.people:
        for place in table.people:
            with reader.holder() as holder:
                own = shares.decrypt(seats[reader.name], said, holder)
                assert own.signing_share is not None
                if place is not reader:
                    with pytest.raises(SealBroken):
                        shares.decrypt(seats[place.name], said, holder)


# ── Confirmation ──


def test_a_mismatched_confirmation_stops_everybody(table: Table) -> None:
    """K12, K13: two transcripts with the same group key are still two."""
    second = table.honest_round2()
    told_alice, told_bob = table.mallory.round2(table.first), table.mallory.round2(table.first)
    confirmations = {
        "alice": table.finish(table.alice, *second.values(), told_alice),
        "bob": table.finish(table.bob, *second.values(), told_bob),
    }
    assert table.alice.key().verifying_key == table.bob.key().verifying_key
    own = signed.read(confirmations["alice"], table.mallory.seat.roster).expect(Confirmation).message
    confirmations["mallory"] = table.mallory.say(own)
    evidence = stopped(table.alice, lambda: table.alice.ceremony().confirm(inbox(confirmations.values())))
    assert evidence == confirmations["alice"] + confirmations["bob"]
    assert table.alice.key().state is KeyState.STOPPED
    with pytest.raises(CeremonyStopped):
        parties.request([table.alice, table.bob], b"message")


def test_a_confirmation_covers_every_part_of_the_transcript(table: Table) -> None:
    """K13: with any of its hashes changed the confirmation is another one."""
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(table.first)
    alice = table.finish(table.alice, *second.values())
    bob = table.finish(table.bob, *second.values())
    own = signed.read(alice, table.mallory.seat.roster).expect(Confirmation).message
    assert own == signed.read(bob, table.mallory.seat.roster).expect(Confirmation).message
    for field in ("round1_hash", "round2_hash", "public_key_package_hash"):
        altered = replace(own, **{field: bytes(32)})
        assert altered.check_code != own.check_code
        with pytest.raises(Equivocation):
            table.bob.ceremony().compare(inbox([alice, table.mallory.say(altered)]))
        (table.bob.directory / "home/ceremonies/treasury/evidence.pem").unlink()


def test_an_active_key_is_not_stopped_by_a_late_contradiction(table: Table) -> None:
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(table.first)
    alice, bob = (table.finish(party, *second.values()) for party in (table.alice, table.bob))
    own = signed.read(alice, table.mallory.seat.roster).expect(Confirmation).message
    table.alice.ceremony().confirm(inbox([bob, table.mallory.say(own)]))
    before = table.alice.files()
    late = table.mallory.say(replace(own, round2_hash=bytes(32)))
    box = inbox([late])
    table.alice.ceremony().confirm(box)
    assert box.passed_over == ["file 0"]
    assert table.alice.files() == before
    assert table.alice.key().state is KeyState.ACTIVE


# ── Sealed records ──


def test_swapped_sealed_records_are_refused(tmp_path: Path) -> None:
    """P5: a record is bound to its ceremony, its kind and its owner."""
    trio = parties.gather(tmp_path)
    for name in ("one", "two"):
        parties.generate(trio, name=name)
    alice = trio[0]
    (one, first), (two, second) = alice.records().items()
    with alice.open_token() as token:
        for name, value in ((one, second), (two, first)):
            token.delete_record(name)
            token.write_record(name, value)
    for name in ("one", "two"):
        wanted = parties.request([trio[1], alice], b"message", name)
        with pytest.raises(SealBroken):
            parties.commit([alice], wanted)


def test_a_record_that_somebody_else_sealed_is_refused(tmp_path: Path) -> None:
    """P5: only our own sign key seals for us."""
    trio = parties.gather(tmp_path)
    key = parties.generate(trio)
    alice, bob, _ = trio
    [record], [bobs] = alice.records(), bob.records().values()
    with alice.open_token() as token:
        token.delete_record(record)
        token.write_record(record, bobs)
    wanted = parties.request([bob, alice], b"message")
    with pytest.raises(SealBroken):
        parties.commit([alice], wanted)
    assert key.state is KeyState.ACTIVE


def test_an_envelope_in_a_wrong_context_stays_closed(table: Table) -> None:
    """K23: any field of the context that differs keeps it closed."""
    sender, recipient = table.mallory.party.public.sign_key.digest, table.alice.public.agree_key.digest
    context = Context(b"c" * 32, Kind.ROUND2_SHARE, table.mallory.seat.suite.id, sender, recipient, binding=b"b" * 32)
    plaintext = Secret(b"plaintext")
    sealed = envelope.encrypt(context, plaintext, [table.alice.public])
    with table.alice.holder() as holder:
        assert len(envelope.decrypt(sealed, context, holder)) == len(plaintext)
        for change in ({"ceremony": bytes(32)}, {"epoch": 1}, {"binding": b""}, {"key": b"k"}, {"suite": "other"}):
            with pytest.raises(SealBroken):
                envelope.decrypt(sealed, replace(context, **change), holder)


def test_the_proposal_is_the_ceremony(table: Table) -> None:
    """K4, K16, K24: any other word in the proposal is another ceremony."""
    plan = signed.read(table.proposal).expect(Proposal)
    ids = {plan.content_digest}
    for change in ({"min_signers": 2}, {"name": "other"}, {"random": bytes(32)}, {"purpose": "tea"}):
        with table.alice.holder() as holder:
            data = signed.write(replace(plan.message, **change), holder)
        ids.add(signed.read(data).content_digest)
    assert len(ids) == 5
