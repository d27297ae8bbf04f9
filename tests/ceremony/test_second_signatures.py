"""Items that take two signatures, of which the second is on something made of the first: in one request, asked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from stage import parties
from stage.parties import Messages, Party, inbox

from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import RAW, Commitment, Item, Response, SecondResponse, SigningRequest, raw
from frost_hsm.ceremony.signing import archiving
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli.files import things
from frost_hsm.errors import (
    CeremonyStopped,
    ForeignMessage,
    FrostHsmError,
    InvalidContents,
    InvalidSignatureShare,
    MalformedMessage,
    NonceUsed,
    NotKnown,
    NotPossible,
    NotYet,
)
from frost_hsm.frost.packages import Signature, SigningCommitments
from frost_hsm.frost.values import VerifyingKey

ITEMS = (Item("notary", "deed", b"a deed", True), Item(RAW, "note", b"a note"), Item("notary", "will", b"a will", True))


def derive(item: Item, key: VerifyingKey, first: bytes | None = None, /) -> bytes:
    """What is signed second is the first signature, and who saw it."""
    return item.thing if first is None else first + b" seen by a notary"


def ask(
    signers: Sequence[Party],
    items: Sequence[Item] = ITEMS,
    commitments: Mapping[str, Sequence[SigningCommitments]] | None = None,
    *,
    is_rerandomized: bool = False,
) -> bytes:
    names = [party.name for party in signers]
    with signers[0].holder() as holder:
        key = signers[0].key()
        return signing.request(holder, key, items, names, commitments=commitments, is_rerandomized=is_rerandomized)


def session(party: Party, wanted: bytes) -> SigningSession:
    return SigningSession.read(party.home, wanted, party.public, derive)


def commit(signers: Sequence[Party], wanted: bytes) -> Messages:
    return {party.name: session(party, wanted).commit(party.holder) for party in signers}


def respond(signers: Sequence[Party], wanted: bytes, commitments: Messages) -> Messages:
    taken = commitments.values()
    return {party.name: session(party, wanted).respond(party.holder, inbox(taken)) for party in signers}


def again(signers: Sequence[Party], wanted: bytes, *before: Messages) -> Messages:
    taken = [data for messages in before for data in messages.values()]
    return {party.name: session(party, wanted).respond_again(party.holder, inbox(taken)) for party in signers}


def nonces(party: Party) -> list[str]:
    return [name for name in party.records() if "nonces" in name]


def say(party: Party, message: Message) -> bytes:
    with party.holder() as holder:
        return signed.write(message, holder)


def require_signed(asked: SigningSession, signatures: Sequence[bytes]) -> None:
    suite = asked.key.suite
    length = len(signatures[1])
    for item, key, encoded in zip(asked.items, asked.verifying_keys, signatures, strict=True):
        key.verify(item.thing, Signature.deserialize(suite, encoded[:length]))
        assert bool(encoded[length:]) == item.is_twice
        if item.is_twice:
            key.verify(encoded[:length] + b" seen by a notary", Signature.deserialize(suite, encoded[length:]))


def test_both_signatures_are_made_and_every_step_repeats_itself(trio: list[Party]) -> None:
    signers = trio[:2]
    wanted = ask(signers)
    commitments = commit(signers, wanted)
    assert [len(nonces(party)) for party in trio] == [5, 5, 0]
    assert commit(signers, wanted) == commitments
    responses = respond(signers, wanted, commitments)
    assert [len(nonces(party)) for party in trio] == [2, 2, 0], "of the first signatures they are used up"
    assert respond(signers, wanted, commitments) == responses
    assert [session(party, wanted).status().step for party in signers] == ["respond-again"] * 2
    with pytest.raises(NotPossible, match="not finished"):
        archiving.archive(session(signers[1], wanted))
    seconds = again(signers, wanted, commitments, responses)
    assert again(signers, wanted, commitments, responses) == seconds
    assert [len(nonces(party)) for party in trio] == [0, 0, 0]
    assert [session(party, wanted).status().step for party in signers] == ["aggregate"] * 2
    taken = inbox(commitments.values(), responses.values(), seconds.values())
    for party in trio:  # anybody can aggregate
        asked = session(party, wanted)
        assert asked.check(taken).have == ("alice", "bob")
        signatures = asked.aggregate(taken)
        require_signed(asked, signatures)
        assert asked.aggregate(inbox()) == signatures
        assert [asked.signature(number) for number in range(3)] == signatures


def test_nonces_made_ahead_serve_both(trio: list[Party]) -> None:
    signers, made = trio[:2], {}
    for party in signers:
        with party.holder() as holder:
            made[party.name] = SealedSigner(party.key(), holder, party.home).preprocess(5)
    with pytest.raises(NotPossible, match="5 signatures"):
        ask(signers, commitments={name: each[:3] for name, each in made.items()})
    wanted = ask(signers, commitments=made)
    responses = respond(signers, wanted, {})
    seconds = again(signers, wanted, responses)
    asked = session(trio[2], wanted)
    require_signed(asked, asked.aggregate(inbox(responses.values(), seconds.values())))
    assert [len(nonces(party)) for party in trio] == [0, 0, 0]


def test_under_keys_that_nobody_can_link(trio: list[Party]) -> None:
    signers = trio[:2]
    wanted = ask(signers, is_rerandomized=True)
    commitments = commit(signers, wanted)
    responses = respond(signers, wanted, commitments)
    seconds = again(signers, wanted, commitments, responses)
    taken = inbox(commitments.values(), responses.values(), seconds.values())
    [_, note, _] = session(signers[0], wanted).aggregate(taken)
    suite = signers[0].key().suite
    session(signers[0], wanted).verifying_keys[1].verify(b"a note", Signature.deserialize(suite, note))


def test_what_is_signed_second_waits_for_all_first_answers(trio: list[Party]) -> None:
    signers = trio[:2]
    wanted = ask(signers)
    commitments = commit(signers, wanted)
    responses = respond(signers[:1], wanted, commitments)
    before = signers[0].records()
    with pytest.raises(NotYet, match="no response from bob"):
        again(signers[:1], wanted, commitments, responses)
    asked = session(trio[2], wanted)
    with pytest.raises(NotYet):
        asked.aggregate(inbox(commitments.values(), responses.values()))
    responses |= respond(signers[1:], wanted, commitments)
    with pytest.raises(NotYet, match="no second response from alice, bob"):
        asked.aggregate(inbox(commitments.values(), responses.values()))
    assert asked.check(inbox(commitments.values(), responses.values())).missing == ("alice", "bob")
    assert signers[0].records() == before


def test_another_request_in_between_takes_nothing_away(trio: list[Party]) -> None:
    """What is swept up are nonces of requests that I have answered: this one I have answered by half."""
    signers = trio[:2]
    wanted = ask(signers)
    commitments = commit(signers, wanted)
    responses = respond(signers, wanted, commitments)
    parties.sign(signers, b"in between")
    seconds = again(signers, wanted, commitments, responses)
    taken = inbox(commitments.values(), responses.values(), seconds.values())
    require_signed(session(trio[2], wanted), session(trio[2], wanted).aggregate(taken))


def test_nonces_that_come_back_serve_no_second_time(trio: list[Party]) -> None:
    """As after a power cut, or by somebody with a copy of the token: the note in the state directory refuses them."""
    alice = trio[0]
    signers = trio[:2]
    wanted = ask(signers)
    commitments = commit(signers, wanted)
    responses = respond(signers, wanted, commitments)
    waiting = {name: alice.records()[name] for name in nonces(alice)}
    again([alice], wanted, commitments, responses)
    with alice.open_token() as token:
        for name, data in waiting.items():
            token.write_record(name, data)
    asked = session(alice, wanted)
    said = inbox(commitments.values(), responses.values())
    turn, _ = asked._second(asked.transcript.gather(Commitment, said), asked.transcript.gather(Response, said))
    with alice.holder() as holder, pytest.raises(NonceUsed):
        SealedSigner(asked.key, holder, alice.home).sign_all(turn.packages, asked.id)


# ── Cheats ──


def test_a_bad_first_share_is_found_by_every_signer(trio: list[Party]) -> None:
    """Nobody signs a second time on a first signature that is none; and who spoilt it is named, by evidence."""
    alice, bob, _ = trio
    wanted = ask(trio[:2])
    commitments = commit(trio[:2], wanted)
    responses = respond(trio[:2], wanted, commitments)
    honest = signed.read(responses["bob"], alice.key().roster).expect(Response).message
    responses["bob"] = say(bob, replace(honest, shares=honest.shares[::-1]))
    before = alice.records()
    with pytest.raises(InvalidSignatureShare) as caught:
        again([alice], wanted, commitments, responses)
    assert caught.value.culprits == ("bob",)
    assert alice.records() == before
    evidence = session(alice, wanted).transcript.evidence()
    assert evidence is not None
    assert judge(evidence, derive).names == ("bob",)


@pytest.mark.parametrize("is_ahead", [False, True], ids=["committed", "ahead"])
@pytest.mark.parametrize("error", [InvalidSignatureShare, InvalidContents])
def test_a_bad_second_share_convicts_its_signer(trio: list[Party], is_ahead: bool, error: type[FrostHsmError]) -> None:
    alice, bob, carol = trio
    made = {}
    for party in trio[:2] if is_ahead else ():
        with party.holder() as holder:
            made[party.name] = SealedSigner(party.key(), holder, party.home).preprocess(5)
    wanted = ask(trio[:2], commitments=made or None)
    commitments = {} if is_ahead else commit(trio[:2], wanted)
    responses = respond(trio[:2], wanted, commitments)
    seconds = again(trio[:2], wanted, commitments, responses)
    honest = signed.read(seconds["bob"], alice.key().roster).expect(SecondResponse).message
    wrong = honest.shares[::-1] if error is InvalidSignatureShare else honest.shares[:1]
    forged = {**seconds, "bob": say(bob, replace(honest, shares=wrong))}
    taken = inbox(commitments.values(), responses.values(), forged.values())
    for step in ("check", "aggregate"):
        with pytest.raises(error) as caught:
            getattr(session(carol, wanted), step)(taken)
        assert caught.value.culprits == ("bob",)
    evidence = session(carol, wanted).transcript.evidence()
    assert evidence is not None
    assert judge(evidence, derive).names == ("bob",)
    good = inbox(commitments.values(), responses.values(), seconds.values())
    require_signed(session(alice, wanted), session(alice, wanted).aggregate(good))


def test_honest_answers_convict_nobody(trio: list[Party]) -> None:
    signers = trio[:2]
    wanted = ask(signers)
    commitments = commit(signers, wanted)
    responses = respond(signers, wanted, commitments)
    seconds = again(signers, wanted, commitments, responses)
    transcript = session(trio[2], wanted).transcript
    roster = trio[2].key().roster
    said = [signed.read(data, roster) for each in (commitments, responses, seconds) for data in each.values()]
    package = [trio[2].key().public_key_package.serialize()]
    assert judge(transcript.file_of(said, package), derive).names == ()
    assert judge(transcript.file_of(said, package), raw).names == (), "what cannot be derived is not judged"
    assert judge(transcript.file_of(said[:-1][::2], package), derive).names == ()


def test_a_second_answer_to_other_responses_is_not_taken_for_a_bad_share(trio: list[Party]) -> None:
    alice, bob, carol = trio
    wanted = ask(trio[:2])
    commitments = commit(trio[:2], wanted)
    responses = respond(trio[:2], wanted, commitments)
    seconds = again(trio[:2], wanted, commitments, responses)
    honest = signed.read(seconds["bob"], alice.key().roster).expect(SecondResponse).message
    for other in (replace(honest, responses_hash=bytes(32)), replace(honest, request=bytes(32))):
        forged = {**seconds, "bob": say(bob, other)}
        taken = inbox(commitments.values(), responses.values(), forged.values())
        with pytest.raises((ForeignMessage, NotYet)) as caught:
            session(carol, wanted).aggregate(taken)
        assert not caught.value.culprits
        assert not session(carol, wanted).transcript.is_stopped


@pytest.mark.parametrize("item", [ITEMS[:1], (Item(RAW, "", b"one"), Item(RAW, "", b"two"))], ids=["turns", "items"])
def test_one_pair_serves_one_signature_whatever_who_asks_says(trio: list[Party], item: Sequence[Item]) -> None:
    """Alice names one pair of Bob's for both signatures: on one item in two turns, or on two items in one."""
    alice, bob, _ = trio
    made = {}
    for party, count in ((alice, 2), (bob, 1)):
        with party.holder() as holder:
            made[party.name] = SealedSigner(party.key(), holder, party.home).preprocess(count)
    wanted = ask(trio[:2], item, {"alice": made["alice"], "bob": made["bob"] * 2})
    with pytest.raises(NonceUsed):
        again([bob], wanted, respond(trio[:2], wanted, {}))
    assert nonces(bob) == []
    assert session(bob, wanted).transcript.sent(SecondResponse) is None
    assert (session(bob, wanted).transcript.sent(Response) is None) == (len(item) == 2)


def test_nobody_is_second_before_they_were_first(trio: list[Party]) -> None:
    """Bob's first answer is not made: whatever others send him, his second nonces stay where they are."""
    alice, bob, _ = trio
    wanted = ask(trio[:2])
    commitments = commit(trio[:2], wanted)
    responses = respond([alice], wanted, commitments)
    of_alice = signed.read(responses["alice"], alice.key().roster).expect(Response).message
    early = say(alice, SecondResponse(of_alice.request, of_alice.commitments_hash, of_alice.shares[:2]))
    before = bob.records()
    for others in (responses, {**responses, "early": early}, {**responses, "bob": say(bob, of_alice)}):
        with pytest.raises((NotKnown, NotYet, InvalidSignatureShare)):
            again([bob], wanted, commitments, others)
        assert bob.records() == before


def test_who_asked_may_end_it_after_the_first_answers(trio: list[Party]) -> None:
    """And so may a signer, for their last answer is not made."""
    alice, bob, _ = trio
    wanted = ask(trio[:2])
    commitments = commit(trio[:2], wanted)
    responses = respond(trio[:2], wanted, commitments)
    said = session(bob, wanted).aborting.abort(bob.holder)
    assert nonces(bob) == []
    taken = inbox(commitments.values(), responses.values(), said)
    with pytest.raises(CeremonyStopped, match="bob will not sign"):
        session(alice, wanted).respond_again(alice.holder, taken)


def test_what_asks_for_another_number_of_signatures_is_refused(trio: list[Party]) -> None:
    key = trio[0].key().public_key_package.verifying_key
    with pytest.raises(MalformedMessage, match="one signature, and not two"):
        things.derive(Item(RAW, "note", b"a note", True), key)
    with pytest.raises(NotPossible):
        raw(Item(RAW, "note", b"a note"), key, bytes(64))


def test_how_many_signatures_a_request_asks_for() -> None:
    items = tuple(Item(RAW, "", b"", number % 2 == 0) for number in range(683))
    with pytest.raises(NotPossible, match="not 1025"):
        SigningRequest(bytes(32), bytes(32), 1, bytes(32), items, (1, 2))
    request = SigningRequest(bytes(32), bytes(32), 1, bytes(32), items[:682], (1, 2))
    assert request.signatures == 1023
    assert SigningRequest.decode(request.encode()) == request
    with pytest.raises(MalformedMessage):
        SigningRequest.decode(request.encode().replace(b"\x05\x00", b"\x01\x00", 1))
