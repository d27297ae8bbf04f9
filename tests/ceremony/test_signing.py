"""Signing between people: repetition, refusals, rollback, and shares that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from stage import parties
from stage.parties import Messages, Party, inbox

from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import Commitment, Response, SigningRequest
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.errors import (
    Equivocation,
    ForeignMessage,
    FrostHsmError,
    InvalidContents,
    NotPossible,
    NotYet,
    UnknownSender,
)
from frost_hsm.frost.packages import Signature
from frost_hsm.frost.signing import verify

MESSAGE = b"pay 5 to dave"


def refused(party: Party, error: type[FrostHsmError], step: Callable[[], object]) -> FrostHsmError:
    """Every file and every record is what it was, byte for byte."""
    before = party.files(), party.records()
    with pytest.raises(error) as caught:
        step()
    assert (party.files(), party.records()) == before
    return caught.value


def say(party: Party, message: Message) -> bytes:
    with party.holder() as holder:
        return signed.write(message, holder)


def read(data: bytes, key: GroupKey) -> signed.Signed[Message]:
    return signed.read(data, key.roster)


# ── Honest signers ──


def test_any_two_of_three_sign_and_every_step_repeats_itself(trio: list[Party]) -> None:
    for signers in (trio[:2], trio[1:], [trio[2], trio[0]]):
        wanted = parties.request(signers, MESSAGE)
        commitments = parties.commit(signers, wanted)
        assert parties.commit(signers, wanted) == commitments
        responses = parties.respond(signers, wanted, commitments)
        assert parties.respond(signers, wanted, commitments) == responses, "S6: the stored answer"
        for party in trio:  # anybody can aggregate
            session = party.session(wanted)
            encoded = session.aggregate(inbox(commitments.values(), responses.values()))[0]
            key = session.key
            package = key.public_key_package
            verify(MESSAGE, Signature.deserialize(key.suite, encoded), package.verifying_key)
            assert session.aggregate(inbox()) == [encoded]
            assert session.status().step == "done"
        assert not [name for party in trio for name in party.records() if "nonces" in name]


def test_a_signature_takes_the_place_of_another(trio: list[Party]) -> None:
    """Of a request that an attempt completed all may answer later: then there are two, and both are good."""
    wanted = parties.request(trio[:2], MESSAGE)
    commitments = parties.commit(trio[:2], wanted)
    responses = parties.respond(trio[:2], wanted, commitments)
    session = trio[2].session(wanted)
    session.adopt([other := parties.sign(trio[:2], MESSAGE)])
    encoded = session.aggregate(inbox(commitments.values(), responses.values()))
    assert encoded != [other]
    assert session.signature() == encoded[0]


def test_waiting_names_who_is_missing(trio: list[Party]) -> None:
    wanted = parties.request(trio, MESSAGE)
    commitments = parties.commit(trio[:2], wanted)
    alice = trio[0]
    error = refused(alice, NotYet, lambda: alice.session(wanted).respond(alice.holder, inbox(commitments.values())))
    assert "carol" in str(error)
    assert "bob" not in str(error)


# ── The message and the signers ──


def test_what_is_signed_is_what_was_requested(trio: list[Party]) -> None:
    """S12: a request carries the message; for another key, epoch or set of signers it is refused."""
    alice, bob, _ = trio
    key = alice.key()
    wanted = signed.read(parties.request(trio[:2], MESSAGE), key.roster).expect(SigningRequest).message
    assert [item.thing for item in wanted.items] == [MESSAGE]
    elsewhere = say(bob, replace(wanted, author=2, state=bytes(32)))
    assert refused(alice, ForeignMessage, lambda: alice.session(elsewhere)).culprits == ()
    nobody = say(bob, replace(wanted, author=2, signers=(1, 4)))  # the state says who the participants are
    assert refused(alice, InvalidContents, lambda: alice.session(nobody)).culprits == ("bob",)
    refused(alice, UnknownSender, lambda: alice.session(say(bob, replace(wanted, author=2, ceremony=bytes(32)))))
    not_asked = parties.request(trio[1:], MESSAGE)
    refused(alice, NotPossible, lambda: alice.session(not_asked).commit(alice.holder))
    with alice.holder() as holder:
        refused(alice, NotPossible, lambda: signing.request(holder, key, MESSAGE, ["alice"]))
        refused(alice, NotPossible, lambda: signing.request(holder, key, MESSAGE, ["alice", "alice"]))


def test_commitments_of_another_request_do_not_serve(trio: list[Party]) -> None:
    alice, bob, _ = trio
    one, other = (parties.request(trio[:2], message) for message in (MESSAGE, b"pay 5000 to mallory"))
    mine, theirs = parties.commit([alice, bob], one), parties.commit([bob], other)
    step = alice.session(one).respond
    refused(alice, ForeignMessage, lambda: step(alice.holder, inbox(mine["alice"], theirs["bob"])))
    refused(alice, Equivocation, lambda: _replayed(alice, bob, one, mine, theirs))


def _replayed(alice: Party, bob: Party, wanted: bytes, mine: Messages, theirs: Messages) -> None:
    """Bob signs, for this request, the commitments that he made for the other one, after the right ones."""
    key = alice.key()
    other = read(theirs["bob"], key).expect(Commitment).message
    again = say(bob, Commitment(alice.session(wanted).id, other.commitments, other.y_coordinates))
    alice.session(wanted).respond(alice.holder, inbox(mine.values(), again))


def test_garbage_signed_as_commitments_names_its_signer(trio: list[Party]) -> None:
    alice, bob, _ = trio
    wanted = parties.request(trio[:2], MESSAGE)
    mine = parties.commit([alice], wanted)
    bad = say(bob, Commitment(alice.session(wanted).id, (b"nothing",)))
    respond = alice.session(wanted).respond
    with pytest.raises(InvalidContents) as caught:
        respond(alice.holder, inbox(mine.values(), bad))
    assert caught.value.culprits == ("bob",)
    evidence = alice.session(wanted).transcript.evidence()
    assert evidence is not None
    assert evidence.endswith(bad)
    assert judge(evidence).names == ("bob",)


# ── Aggregation ──


def test_a_response_to_other_commitments_is_not_taken_for_a_bad_share(trio: list[Party]) -> None:
    alice, bob, _ = trio
    wanted = parties.request(trio[:2], MESSAGE)
    commitments = parties.commit(trio[:2], wanted)
    responses = parties.respond(trio[:2], wanted, commitments)
    bobs = read(responses["bob"], alice.key()).expect(Response).message
    responses["bob"] = say(bob, replace(bobs, commitments_hash=bytes(32)))
    taken = inbox(commitments.values(), responses.values())
    error = refused(alice, ForeignMessage, lambda: alice.session(wanted).aggregate(taken))
    assert error.culprits == ()


# ── What is left over ──


def test_used_nonces_that_come_back_are_swept(trio: list[Party]) -> None:
    alice = trio[0]
    wanted = parties.request(trio[:2], MESSAGE)
    commitments = parties.commit(trio[:2], wanted)
    [(name, nonces)] = [each for each in alice.records().items() if each[0].startswith("signing-nonces")]
    parties.respond([alice], wanted, commitments)
    with alice.open_token() as token:  # as after a power cut
        token.write_record(name, nonces)
    parties.commit([alice], parties.request(trio[:2], b"another message"))
    assert name not in alice.records()


def test_evidence_against_a_signer_hides_no_other_request(trio: list[Party]) -> None:
    """Somebody who only aggregates keeps the evidence, though they have not kept the request."""
    alice, bob, carol = trio
    wanted = parties.request([alice, bob], MESSAGE)
    commitments = parties.commit([alice, bob], wanted)
    session = carol.session(wanted)
    garbage = say(bob, Commitment(session.id, (b"garbage",)))
    with pytest.raises(InvalidContents):
        session.check(inbox([commitments["alice"], garbage]))
    assert session.transcript.is_stopped
    assert SigningSession.names(carol.home) == []
    assert len(parties.sign([carol, alice], MESSAGE)) == 65
    assert len(SigningSession.names(carol.home)) == 1
    assert carol.run("sign", "status").status == 0
