"""Signing between people: repetition, refusals, rollback, and shares that are wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import parties
import pytest
from parties import Messages, Party, inbox

from frost_hsm.ceremony import signed, signing
from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.messages import Commitment, Message, Response, SigningRequest
from frost_hsm.ceremony.sealed_signer import SealedSigner
from frost_hsm.ceremony.signing import SigningSession
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import (
    Equivocation,
    ForeignMessage,
    FrostHsmError,
    IncorrectCommitment,
    IncorrectNumberOfSigners,
    InvalidContents,
    InvalidSignatureShare,
    MissingCommitment,
    NonceUsed,
    NotPossible,
    NotYet,
    SecretConsumed,
    UnknownIdentifier,
    UnknownSender,
)
from frost_hsm.frost.packages import Signature, SigningPackage
from frost_hsm.frost.signing import verify

MESSAGE = b"pay 5 to dave"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three people who have a key, and where it is put back to."""
    directory = tmp_path_factory.mktemp("signing") / "stage"
    parties.generate(parties.gather(directory))
    shutil.copytree(directory, directory.with_name("before"))
    return directory


@pytest.fixture
def trio(prepared: Path) -> list[Party]:
    shutil.rmtree(prepared)
    shutil.copytree(prepared.with_name("before"), prepared)
    names = ("alice", "bob", "carol")
    return [Party(name, prepared / name, f"software:{prepared / name / name}.token") for name in names]


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
            encoded = session.aggregate(inbox(commitments.values(), responses.values()))
            key = session.key
            package = key.public_key_package
            verify(MESSAGE, Signature.deserialize(key.suite, encoded), package.verifying_key)
            assert session.aggregate(inbox()) == encoded
            assert session.status().step == "done"
        assert [name.split(".")[0] for party in trio for name in party.records()] == ["signing-share"] * 3


def test_the_same_request_twice_has_different_nonces(trio: list[Party]) -> None:
    """S2, S3: nonces are drawn, not derived from what is signed."""
    signers = trio[:2]
    requests = [parties.request(signers, MESSAGE) for _ in range(2)]
    first, second = (parties.commit(signers, wanted) for wanted in requests)
    key = trio[0].key()
    said = [read(each["alice"], key).expect(Commitment).message.commitments for each in (first, second)]
    assert said[0] != said[1]


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
    assert wanted.message == MESSAGE
    # A fourth participant may have joined on Bob's side: naming them convicts nobody.
    for change in ({"key": b"\x02" + bytes(32)}, {"epoch": 1}, {"signers": (1, 4)}):
        data = say(bob, replace(wanted, **change))
        caught = refused(alice, ForeignMessage, lambda data=data: alice.session(data))
        assert caught.culprits == ()
    refused(alice, UnknownSender, lambda: alice.session(say(bob, replace(wanted, ceremony=bytes(32)))))
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
    try:
        alice.session(wanted).respond(alice.holder, inbox(mine.values(), again))
    finally:
        evidence = alice.directory / f"home/requests/{alice.session(wanted).id.hex()}/evidence.pem"
        assert evidence.read_bytes() in (mine["bob"] + again, again + mine["bob"])
        evidence.unlink()


def test_a_second_answer_with_other_commitments_is_refused(trio: list[Party]) -> None:
    """S1: whatever Bob commits to afterwards, Alice's nonces have served."""
    alice, bob, _ = trio
    wanted = parties.request(trio[:2], MESSAGE)
    commitments = parties.commit(trio[:2], wanted)
    parties.respond([alice], wanted, commitments)
    with bob.holder() as holder:
        fresh = SealedSigner(bob.key(), holder, bob.home).commit()
    other = say(bob, Commitment(alice.session(wanted).id, fresh.serialize(), fresh.y_coordinates()))
    for path in (alice.directory / "home/requests").glob("*/commit/bob.pem"):
        path.unlink()  # even if the first ones are forgotten
    refused(alice, NonceUsed, lambda: alice.session(wanted).respond(alice.holder, inbox(commitments["alice"], other)))


def test_garbage_signed_as_commitments_names_its_signer(trio: list[Party]) -> None:
    alice, bob, _ = trio
    wanted = parties.request(trio[:2], MESSAGE)
    mine = parties.commit([alice], wanted)
    bad = say(bob, Commitment(alice.session(wanted).id, b"nothing"))
    respond = alice.session(wanted).respond
    error = refused(alice, InvalidContents, lambda: respond(alice.holder, inbox(mine.values(), bad)))
    assert error.culprits == ("bob",)


# ── Aggregation ──


def test_a_bad_share_is_named_and_no_signature_let_out(trio: list[Party]) -> None:
    """S13, S14."""
    alice, bob, carol = trio
    wanted = parties.request(trio, MESSAGE)
    commitments = parties.commit(trio, wanted)
    responses = parties.respond(trio, wanted, commitments)
    key = alice.key()
    for liar, error in ((bob, 1), (carol, 2)):  # not such that they cancel out
        good = read(responses[liar.name], key).expect(Response).message
        share = bytearray(good.share)
        share[-1] ^= error
        responses[liar.name] = say(liar, replace(good, share=bytes(share)))
    with pytest.raises(InvalidSignatureShare) as caught:
        alice.session(wanted).aggregate(inbox(commitments.values(), responses.values()))
    assert caught.value.culprits == ("bob", "carol")
    assert alice.session(wanted).transcript.evidence() == responses["bob"] + responses["carol"]
    assert alice.session(wanted).status().step != "done"


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


# ── Rollback ──


@pytest.mark.parametrize("rolled_back_to", ["before the commitment", "before the response"])
def test_an_older_state_directory_revives_no_nonces(trio: list[Party], rolled_back_to: str) -> None:
    """S4: the token has destroyed them, whatever the state directory believes."""
    alice, bob, _ = trio
    wanted = parties.request(trio[:2], MESSAGE)
    alice.session(wanted)
    shutil.copytree(alice.directory / "home", alice.directory / "before the commitment")
    commitments = parties.commit(trio[:2], wanted)
    shutil.copytree(alice.directory / "home", alice.directory / "before the response")
    parties.respond([alice], wanted, commitments)
    shutil.rmtree(alice.directory / "home")
    shutil.copytree(alice.directory / rolled_back_to, alice.directory / "home")

    with bob.holder() as holder:
        fresh = SealedSigner(bob.key(), holder, bob.home).commit()
    other = say(bob, Commitment(alice.session(wanted).id, fresh.serialize(), fresh.y_coordinates()))
    for taken in (inbox(commitments.values()), inbox(commitments["alice"], other)):
        refused(alice, NonceUsed, lambda taken=taken: alice.session(wanted).respond(alice.holder, taken))
    if rolled_back_to == "before the commitment":
        anew = alice.session(wanted).commit(alice.holder)
        assert read(anew, alice.key()) != read(commitments["alice"], alice.key()), "new nonces, never the old ones"


def test_a_copy_of_the_public_state_holds_no_nonces(trio: list[Party]) -> None:
    """S5: what is backed up with the state directory cannot sign, with or without the token's share."""
    alice = trio[0]
    wanted = parties.request(trio[:2], MESSAGE)
    parties.commit(trio[:2], wanted)
    nonces = [value for name, value in alice.records().items() if name.startswith("signing-nonces")]
    assert len(nonces) == 1
    assert not any(nonces[0] in contents for contents in alice.files().values())
    assert not (alice.directory / "home/sealed").exists()


# ── The signer for programs ──


def _package(trio: list[Party], signers: list[Party], message: bytes) -> SigningPackage:
    key = trio[0].key()
    commitments = {}
    for party in signers:
        with party.holder() as holder:
            commitments[key.identifier(party.name)] = SealedSigner(party.key(), holder, party.home).commit()
    return SigningPackage(key.suite, commitments, message)


def test_a_signing_package_is_checked_before_nonces_are_spent(trio: list[Party]) -> None:
    """S10, S11: every signing package that is not for these nonces is refused, and they are still good."""
    alice, bob, carol = trio
    key = alice.key()
    good = _package(trio, [alice, bob], MESSAGE)
    of_others = _package(trio, [bob, carol], MESSAGE)
    me, him, her = (key.identifier(party.name) for party in trio)
    mine, his, hers = good.signing_commitments[me], *of_others.signing_commitments.values()
    stranger = type(me).from_u16(key.suite, 4)
    with alice.holder() as holder:
        signer = SealedSigner(key, holder, alice.home)
        for commitments, error in (
            ({me: mine}, IncorrectNumberOfSigners),
            ({him: his, her: hers}, MissingCommitment),
            ({me: his, him: his}, NonceUsed),  # nobody here has drawn nonces for these
            ({me: mine, stranger: his}, UnknownIdentifier),
        ):
            package = SigningPackage(key.suite, commitments, MESSAGE)
            refused(alice, error, lambda package=package: signer.sign(package))
        session_id = b"r" * 32
        signer.commit(session_id)
        refused(alice, IncorrectCommitment, lambda: signer.sign(good, session_id))
        assert signer.sign(good)


def test_nonces_sign_one_package_and_no_other(trio: list[Party]) -> None:
    """S1: across signers and openings of the token."""
    alice, bob, _ = trio
    good = _package(trio, [alice, bob], MESSAGE)
    other = SigningPackage(good.ciphersuite, good.signing_commitments, b"pay 5000 to mallory")
    with alice.holder() as holder:
        assert SealedSigner(alice.key(), holder, alice.home).sign(good)
    for package in (good, other):
        with alice.holder() as holder:
            signer = SealedSigner(alice.key(), holder, alice.home)
            refused(alice, NonceUsed, lambda package=package, signer=signer: signer.sign(package))


def test_nonces_that_are_bound_finish_the_same_package(trio: list[Party]) -> None:
    """S6: what fails after the binding can be done again, and nothing else can be done instead."""
    alice, bob, _ = trio
    good = _package(trio, [alice, bob], MESSAGE)
    other = SigningPackage(good.ciphersuite, good.signing_commitments, b"pay 5000 to mallory")

    def fail(share: object) -> None:
        raise SecretConsumed("the disk is full")

    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        with pytest.raises(SecretConsumed):
            signer.sign(good, keep=fail)
        refused(alice, NonceUsed, lambda: signer.sign(other))
        assert signer.sign(good)
        refused(alice, NonceUsed, lambda: signer.sign(good))


def test_two_state_directories_on_one_token_do_not_share_nonces(trio: list[Party]) -> None:
    """S4: a cloned state directory with the same token: whoever comes first has used them."""
    alice, bob, _ = trio
    good = _package(trio, [alice, bob], MESSAGE)
    other = SigningPackage(good.ciphersuite, good.signing_commitments, b"pay 5000 to mallory")
    shutil.copytree(alice.directory / "home", alice.directory / "clone")
    clone = StateDirectory.open(alice.directory / "clone")
    with alice.holder() as holder:
        assert SealedSigner(alice.key(), holder, alice.home).sign(good)
        with pytest.raises(NonceUsed):
            SealedSigner(alice.key(), holder, clone).sign(other)


def test_what_a_kill_leaves_of_used_nonces_is_swept(trio: list[Party]) -> None:
    alice = trio[0]
    wanted = parties.request(trio[:2], MESSAGE)
    commitments = parties.commit(trio[:2], wanted)
    with pytest.MonkeyPatch.context() as patch:  # as if killed after the response was kept
        destroy = "frost_hsm.ceremony.records.SealedRecords.destroy"
        patch.setattr(destroy, lambda self, name: None if "bound" in name else self._holder.token.delete_record(name))
        parties.respond([alice], wanted, commitments)
    assert any(name.startswith("bound-nonces") for name in alice.records())
    parties.commit([alice], parties.request(trio[:2], b"another message"))
    assert not any(name.startswith("bound-nonces") for name in alice.records())


def test_evidence_against_a_signer_hides_no_other_request(trio: list[Party]) -> None:
    """Somebody who only aggregates keeps the evidence, though they have not kept the request."""
    alice, bob, carol = trio
    wanted = parties.request([alice, bob], MESSAGE)
    commitments = parties.commit([alice, bob], wanted)
    with bob.holder() as holder:
        fresh = SealedSigner(bob.key(), holder, bob.home).commit()
    session = carol.session(wanted)
    other = say(bob, Commitment(session.id, fresh.serialize(), fresh.y_coordinates()))
    with pytest.raises(Equivocation):
        session.aggregate(inbox(commitments.values(), other))
    assert session.transcript.is_stopped
    assert SigningSession.names(carol.home) == []
    assert len(parties.sign([carol, alice], MESSAGE)) == 65
    assert len(SigningSession.names(carol.home)) == 1
    assert carol.run("sign", "status").status == 0
