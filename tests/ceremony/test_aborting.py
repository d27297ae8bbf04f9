"""A request that ends without a signature: by who asked for it, or by those who will not sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
from stage import parties
from stage.parties import Party, inbox

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox, Incoming
from frost_hsm.ceremony.messages.using import Abort, Response, raw
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.attempts import Attempts
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.errors import CeremonyStopped, NotPossible
from frost_hsm.frost.packages import SigningCommitments

MESSAGE = b"pay 5 to dave"


def abort(party: Party, wanted: bytes) -> bytes:
    return party.session(wanted).aborting.abort(party.holder)


def nonces(party: Party) -> list[str]:
    return [name for name in party.records() if "nonces" in name]


def refused(party: Party, error: type[Exception], step: Callable[[], object], match: str) -> None:
    before = (party.files(), party.records())
    with pytest.raises(error, match=match):
        step()
    assert (party.files(), party.records()) == before


def test_who_asked_ends_it_for_all(trio: list[Party]) -> None:
    alice, _, carol = trio
    wanted = parties.request([alice, carol], MESSAGE)
    commitments = parties.commit([alice, carol], wanted)
    said = abort(alice, wanted)
    assert nonces(alice) == []
    assert abort(alice, wanted) == said, "the same again"
    session = carol.session(wanted)
    with pytest.raises(CeremonyStopped, match="alice has ended it"):
        session.respond(carol.holder, inbox(commitments.values(), [said]))
    assert (session.status().step, session.status().why) == ("aborted", "alice has ended it")
    refused(carol, CeremonyStopped, lambda: session.respond(carol.holder, inbox(commitments.values())), "alice has")
    refused(carol, CeremonyStopped, lambda: session.commit(carol.holder), "alice has ended it")
    assert nonces(carol), "until the next request"
    again = parties.request([alice, carol], MESSAGE)
    abort(carol, wanted)
    parties.commit([carol], again)
    assert len(nonces(carol)) == 1


def test_a_signer_ends_it_for_themselves(trio: list[Party]) -> None:
    alice, bob, carol = trio
    wanted = parties.request([alice, carol], MESSAGE)
    session = carol.session(wanted)
    session.aborting.decline()
    assert session.status().why == "you will not sign"
    refused(carol, CeremonyStopped, lambda: session.commit(carol.holder), "you will not sign")
    said = abort(carol, wanted)
    heard = alice.session(wanted)
    assert heard.aborting.why_over() == ""
    assert heard.aborting.why_over(inbox([said])) == "carol will not sign"
    heard.aborting.keep(inbox([said]))
    assert heard.status().why == "carol will not sign"
    refused(bob, NotPossible, lambda: abort(bob, wanted), "not among the signers")


def test_what_others_say_ends_nothing(trio: list[Party]) -> None:
    alice, bob, carol = trio
    wanted = parties.request([alice, carol], MESSAGE)
    with bob.holder() as holder:
        foreign = signed.write(Abort(alice.session(wanted).id), holder)
    thrown = Inbox([Incoming("bob's", foreign, named=False)])
    assert alice.session(wanted).aborting.why_over(thrown) == ""


def test_an_answer_that_is_on_its_way_is_not_taken_back(trio: list[Party]) -> None:
    alice, _, carol = trio
    wanted = parties.request([alice, carol], MESSAGE)
    commitments = parties.commit([alice, carol], wanted)
    responses = parties.respond([alice, carol], wanted, commitments)
    refused(carol, NotPossible, lambda: abort(carol, wanted), "your answer is made")
    session = alice.session(wanted)
    session.aggregate(inbox(commitments.values(), responses.values()))
    refused(alice, NotPossible, lambda: abort(alice, wanted), "it is signed")


def test_an_answer_to_an_attempt_is_not_taken_back(trio: list[Party]) -> None:
    """The others may sign with it: who said that they will not sign would have signed."""
    alice, bob, _ = trio
    with alice.holder() as holder:
        wanted = signing.request(holder, alice.key(), MESSAGE, [party.name for party in trio], is_any=True)
    offers = [party.session(wanted).offer(party.holder) for party in (alice, bob)]
    asking = Attempts(alice.session(wanted), inbox(offers), raw)
    assert asking.choose(alice.holder) == ["alice", "bob"]
    [attempt] = Attempts(alice.session(wanted), inbox(), raw).sent()
    heard = Inbox([Incoming(str(number), data, named=False) for number, data in enumerate([*offers, attempt])])
    answering = Attempts(bob.session(wanted), heard, raw)
    to_answer = answering.to_answer()
    assert to_answer is not None
    answering.respond(to_answer, bob.holder)
    refused(bob, NotPossible, lambda: abort(bob, wanted), "your answer is made")
    assert abort(alice, wanted), "who asked may"


@pytest.mark.parametrize("is_ahead", [True, False])
@pytest.mark.parametrize("ends", ["abort", "decline"])
def test_who_says_no_while_the_token_is_waited_for_does_not_sign(trio: list[Party], is_ahead: bool, ends: str) -> None:
    """One process asks for the PIN, and in another its owner says no: nothing is answered, nor committed to."""
    alice, _, carol = trio
    signers, ahead = [alice, carol], None
    if is_ahead:
        ahead = {party.name: prepare(party) for party in signers}
    with alice.holder() as holder:
        names = [party.name for party in signers]
        wanted = signing.request(holder, alice.key(), MESSAGE, names, commitments=ahead)
    commitments = inbox([] if is_ahead else parties.commit(signers, wanted).values())
    session = carol.session(wanted)

    @contextmanager
    def waiting() -> Iterator[Holder]:
        with carol.holder() as opened:
            aborting = carol.session(wanted).aborting
            if ends == "decline":
                aborting.decline()
            else:
                aborting.abort(lambda: nullcontext(opened))
            yield opened

    with pytest.raises(CeremonyStopped, match="will not sign"):
        session.respond(waiting, commitments)
    assert session.transcript.sent(Response) is None


def prepare(party: Party) -> list[SigningCommitments]:
    with party.holder() as holder:
        return SealedSigner(party.key(), holder, party.home).preprocess(1)


def test_who_says_no_while_the_token_is_waited_for_commits_to_nothing(trio: list[Party]) -> None:
    alice, _, carol = trio
    wanted = parties.request([alice, carol], MESSAGE)

    @contextmanager
    def waiting() -> Iterator[Holder]:
        with carol.holder() as opened:
            carol.session(wanted).aborting.abort(lambda: nullcontext(opened))
            yield opened

    with pytest.raises(CeremonyStopped, match="will not sign"):
        carol.session(wanted).commit(waiting)
    assert nonces(carol) == []
