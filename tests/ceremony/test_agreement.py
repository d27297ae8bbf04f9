"""The confirmations of all in one file: enough for somebody who was not there, and nothing less is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ceremony.people import openssl
from stage import parties, upkeep
from stage.parties import Party

from frost_hsm.ceremony.history import agreement, bundle, dossier
from frost_hsm.ceremony.history.agreement import Agreement
from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.using import Response
from frost_hsm.errors import ForeignMessage, FrostHsmError, InvalidSignatureShare, MalformedMessage, NotYet

PROPOSAL, ALICE, BOB, CAROL = range(4)


def written(party: Party) -> bytes:
    return agreement.write(party.home, party.key())


def verified(data: bytes) -> Agreement:
    return agreement.verify(dossier.read(data))


def rearranged(data: bytes, order: Sequence[int], package: bytes | None = None) -> bytes:
    """The same file with other messages, by their places."""
    case = dossier.read(data)
    parts = [case.messages[place].to_pem() for place in order]
    return b"".join(parts) + dossier.write((), package or case.package)


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    people = parties.gather(tmp_path / "people")
    parties.generate(people)
    return people


def test_all_confirm_the_same(trio: list[Party]) -> None:
    key = trio[0].key()
    for party in trio:
        shown = verified(written(party))
        assert shown.package == key.public_key_package
        assert shown.seat.roster == key.roster
        assert shown.confirmation.check_code == (party.directory / f"home/{party.folder()}/active").read_text().strip()
    assert judge(written(trio[0])).sentence == "this shows nothing against anybody"


def test_a_key_that_is_not_active_shows_nothing(tmp_path: Path) -> None:
    people = parties.gather(tmp_path)
    first = parties.round1(people, parties.propose(people))
    parties.finish(people, first, parties.round2(people, first))
    with pytest.raises(NotYet):
        written(people[0])


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ((PROPOSAL, ALICE, BOB), "no confirmation from carol of epoch 0"),
        ((PROPOSAL,), "no confirmation from alice, bob, carol"),
        ((PROPOSAL, ALICE, BOB, CAROL, BOB), "is in it twice"),
        ((PROPOSAL, ALICE, BOB, BOB), "no confirmation from carol"),
    ],
)
def test_what_is_missing_or_there_twice(trio: list[Party], order: Sequence[int], why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        verified(rearranged(written(trio[0]), order))


def test_what_belongs_elsewhere(trio: list[Party]) -> None:
    parties.generate(trio, name="other")
    data, other = (agreement.write(trio[0].home, trio[0].key(name)) for name in ("treasury", "other"))
    foreign = dossier.read(other)
    with pytest.raises(ForeignMessage):
        verified(
            rearranged(data, range(3)).replace(b"-----BEGIN FROST", foreign.messages[3].to_pem() + b"-----BEGIN FROST")
        )
    with pytest.raises(MalformedMessage, match="not the one that was confirmed"):
        verified(rearranged(data, range(4), foreign.package))
    with pytest.raises(MalformedMessage, match="no public key package"):
        verified(dossier.write(dossier.read(data).messages))


def test_confirmations_that_differ_are_evidence_instead(trio: list[Party]) -> None:
    """Everybody's may be good, and about something else."""
    case = dossier.read(written(trio[0]))
    with trio[2].holder() as holder:
        said = signed.write(Confirmation(case.proposal.content_digest, bytes(32), bytes(32), bytes(32)), holder)
    mixed = [*case.messages[:3], signed.read(said, case.proposal.message.roster)]
    data = dossier.write(mixed, case.package)
    with pytest.raises(MalformedMessage, match="differ"):
        verified(data)
    assert "carol confirms another transcript than alice" in judge(data).sentence


def test_the_chain_of_a_refreshed_and_repaired_key(trio: list[Party], tmp_path: Path) -> None:
    """Every epoch follows from the one before it, each confirmed by those who took part then."""
    alice, bob, carol = trio
    upkeep.refresh(trio)
    [new] = parties.gather(tmp_path / "new", ["carol"])
    for party in (alice, bob):
        new.home.put(f"peers/{party.name}.pem", party.public.to_pem())
        party.home.replace("peers/carol.pem", new.public.to_pem())
    upkeep.repair(new, 3, [alice, bob], [alice, bob])
    upkeep.refresh([alice, bob, new])
    data = written(alice)
    shown = verified(data)
    assert shown.seat.epoch == 2
    assert shown.seat.roster.at(3) == new.public
    assert shown.package == alice.key().public_key_package
    case = dossier.read(data)
    assert carol.public in case.proposal.message.roster
    for place in range(1, len(case.messages)):
        order = [each for each in range(len(case.messages)) if each != place]
        with pytest.raises(FrostHsmError):
            verified(rearranged(data, order))


def test_openssl_sees_it_step_by_step(trio: list[Party], tmp_path: Path) -> None:
    """Each message verifies with its sender's certificates, and all confirmations have the same contents."""
    blocks = [said.to_pem() for said in dossier.read(written(trio[0])).messages]
    contents = []
    for party, block in zip(trio, blocks[1:], strict=True):
        ran = openssl(
            tmp_path,
            *("cms", "-verify", "-binary", "-inform", "PEM", "-in", "message.pem"),
            *("-certfile", "identity.pem", "-CAfile", "identity.pem"),
            message=block,
            identity=party.public.to_pem(),
        )
        assert ran.returncode == 0, ran.stderr
        contents.append(ran.stdout)
    assert len(set(contents)) == 1


def test_the_chain_of_a_key_whose_second_token_took_over(tmp_path: Path) -> None:
    """Nobody has to agree to that: the first identity named it."""
    people = alice, bob = parties.gather(tmp_path / "first", ("alice", "bob"))
    [second] = parties.gather(tmp_path / "second", ("alice",))
    upkeep.name_second(alice, second, [bob])
    parties.generate(people)
    known = {"bob": bob.public}
    bundle.read(second.home, bundle.write(bob.home, bob.key(), with_rounds=True), second.public, known)
    upkeep.take_over(second, [bob])
    assert verified(written(bob)).seat.roster.at(1).is_recovered_by(second.public), (
        "they confirmed, not their successor"
    )
    upkeep.refresh([bob, second])
    assert verified(written(second)).seat.roster.at(1) == second.public
    wanted = parties.request([bob, second], b"message")
    commitments = parties.commit([bob, second], wanted)
    responses = parties.respond([bob, second], wanted, commitments)
    message = signed.decode(signed.parse(responses["alice"]))
    assert isinstance(message, Response)
    with second.holder() as holder:
        responses["alice"] = signed.write(replace(message, share=bytes(31) + b"\1"), holder)
    session = bob.session(wanted)
    with pytest.raises(InvalidSignatureShare):
        session.aggregate(parties.inbox(commitments.values(), responses.values()))
    evidence = session.transcript.evidence()
    assert evidence is not None
    assert judge(evidence).culprits == (second.public,)
