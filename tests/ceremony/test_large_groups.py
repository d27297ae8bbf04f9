"""As many people as a group may have: what one of them takes in and hands on stays within what a file may be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ceremony.memory_token import MemoryToken
from stage import parties, upkeep
from stage.mallory import Mallory, plus_one_for

from frost_hsm import P256
from frost_hsm.ceremony.history import dossier
from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Proposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS
from frost_hsm.ceremony.sealing import envelope, seeds, shares
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing import keygen
from frost_hsm.errors import InvalidSecretShare
from frost_hsm.frost.keys import dkg, many_commitments, round1, round2
from frost_hsm.frost.values import SigningShare
from frost_hsm.secret import system_entropy


def person(name: str) -> Holder:
    token = MemoryToken()
    return Holder(identity.create(token, name), token)


@pytest.mark.slow
def test_evidence_fits_into_a_file() -> None:
    """All have to sign, so that commitments are as long as they can be; Mallory's share for Alice is a wrong one."""
    alice, mallory, *others = (person(f"person-{number}") for number in range(MAX_PARTICIPANTS))
    data = keygen.propose(
        alice, "k", [each.public for each in (mallory, *others)], min_signers=MAX_PARTICIPANTS, suite="p256"
    )
    proposal = signed.read(data).expect(Proposal)
    seat = Seat.take(proposal, mallory.public)
    secret, package = dkg.part1(P256, seat.own_identifier, max_signers=MAX_PARTICIPANTS, min_signers=MAX_PARTICIPANTS)
    secret.wipe()
    first = signed.read(
        signed.write(Round1(seat.ceremony, package.serialize(), package.y_coordinates()), mallory), seat.roster
    )
    digests = [bytes(32)] * MAX_PARTICIPANTS
    digests[1] = first.content_digest
    listed = b"".join(digests)
    round1_hash = hashlib.sha256(listed).digest()
    context = shares._context(seat, mallory.public, alice.public, round1_hash)
    with seeds.draw(system_entropy) as seed, seed.reveal() as shown:
        wrong = round2.Package(P256, SigningShare(P256, P256.group.random_scalar(system_entropy)))
        with wrong.serialize() as plaintext:
            sealed = envelope.encrypt(context, plaintext, alice.public.addressees, seed=seed)
        opening = Opening(seat.ceremony, 1, bytes(shown))
    envelopes = [Enclosure.of(sealed), *[Enclosure(bytes(32))] * (MAX_PARTICIPANTS - 1)]
    second = signed.read(
        signed.write(Round2(seat.ceremony, round1_hash, Envelopes.of(envelopes)), mallory), seat.roster
    )
    complaint = Complaint(seat.ceremony, 2, second.content_digest, listed)
    claims = [signed.read(signed.write(complaint, alice), seat.roster)]
    claims.append(signed.read(signed.write(opening, mallory), seat.roster))
    data = dossier.write([proposal, first, second, *claims])
    assert len(data) < dossier.MAX_SIZE // 4
    assert judge(data).names == (mallory.public.name,)


def test_of_many_commitments_the_sum_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three do what a thousand do: a key, its refresh, a signature; a bad share still convicts its sender."""
    monkeypatch.setattr(round1, "_AT_ONCE", 40)
    kept: list[int] = []
    put_together = many_commitments.put_together
    monkeypatch.setattr(
        many_commitments, "put_together", lambda *these: kept.append(len(these[1])) or put_together(*these)
    )
    people = parties.gather(tmp_path)
    parties.generate(people)
    upkeep.refresh(people)
    assert len(parties.sign(people[:2], b"message")) == 65
    assert kept == [1] * 12 + [2] * 6, "by three, in two rounds: of each of the others; in the refresh of both together"
    proposal = parties.propose(people, name="other")
    first = parties.round1(people[:2], proposal)
    cheat = Mallory(people[2], proposal)
    first["carol"] = cheat.round1()
    second = parties.round2(people[:2], first, "other")
    second["carol"] = cheat.round2(first, plus_one_for("alice"))
    with pytest.raises(InvalidSecretShare) as caught:
        parties.finish(people[:1], first, second, "other")
    assert caught.value.culprits == ("carol",)
