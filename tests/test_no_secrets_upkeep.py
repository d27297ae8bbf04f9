"""No secret of what is done with a key in use is seen outside a token; found by the search of `test_no_secrets`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import inbox
from stage.recording import Recorder
from test_no_secrets import files, search

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import RefreshProposal, Round1
from frost_hsm.ceremony.messages.signed import transcript_hash
from frost_hsm.ceremony.messages.using import Response, SigningRequest
from frost_hsm.ceremony.sharing import dealing
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.frost.keys import round1
from frost_hsm.secret import Secret


def points(secrets: Iterable[bytes], key: GroupKey) -> set[bytes]:
    group = key.suite.group
    scalars = [int.from_bytes(secret, "big") for secret in secrets if len(secret) == 32]
    valid = [scalar.to_bytes(32, "big") for scalar in scalars if 0 < scalar < group.order]
    return {group.encode(group.multiply_base(group.decode_scalar(Secret(secret)))) for secret in valid}


def test_no_secret_of_a_refresh_or_a_repair_leaves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    people = parties.gather(tmp_path / "people")
    parties.generate(people)
    alice, bob, _ = people
    [dave] = parties.gather(tmp_path / "later", ["dave"])
    recorder = Recorder()
    with recorder.recording():
        proposal = upkeep.propose(alice)
        first = upkeep.round1(people, proposal)
        second = upkeep.round2(people, first)
        third = upkeep.finish(people, first, second)
        upkeep.confirm(people, third)
        upkeep.hand_over(bob, dave, people)
        request = upkeep.ask(dave, 4, [alice, bob])
        deltas = upkeep.deltas([alice, bob], request)
        sigmas = upkeep.sigmas([alice, bob], request, deltas)
        done = upkeep.repairing(dave, request).finish(dave.holder, inbox(sigmas.values()))
        confirmed = upkeep.confirm_repair([*people, dave], request, *sigmas.values(), done)

    key = alice.key()
    known = points(recorder.secrets, key)
    assert known.issuperset(share.serialize() for share in key.public_key_package.verifying_shares.values())
    rounds = {name: signed.read(data, key.roster).expect(Round1).message for name, data in first.items()}
    packages = {name: round1.Package.deserialize(key.suite, said.package) for name, said in rounds.items()}
    for package in packages.values():
        assert known.issuperset(key.suite.group.encode(element) for element in package.commitment.elements)

    asked = signed.read(request)
    proofs = [package.proof_of_knowledge.serialize() for package in packages.values()]
    public = {
        signed.read(proposal, key.roster).expect(RefreshProposal).message.random,
        asked.message.random,
        asked.content_digest,
        transcript_hash(signed.read(first[name], key.roster) for name in ("alice", "bob", "carol")),
        *proofs,
        *(proof[-32:] for proof in proofs),
        *(said.proofs[-32:] for said in rounds.values()),
    }
    messages = [proposal, *first.values(), *second.values(), *third.values()]
    messages += [request, *deltas.values(), *sigmas.values(), done, *confirmed.values()]
    places = files(tmp_path) | {f"message {number}": data for number, data in enumerate(messages)}
    places["stdout"], places["stderr"] = (text.encode() for text in capfd.readouterr())
    places["exceptions and logs"] = "\n".join(recorder.seen).encode()
    searched = recorder.secrets - public
    assert len(searched) > 60
    assert search(searched, places) == []


@pytest.mark.slow
def test_no_secret_of_a_dealt_refresh_or_of_nonces_made_ahead_leaves(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    people = parties.gather(tmp_path / "people")
    parties.generate(people)
    alice, bob, carol = people
    recorder = Recorder()
    with recorder.recording():
        proposal = upkeep.propose(alice)
        ceremonies = [upkeep.join(party, proposal) for party in people]
        dealt = dealing.deal_refresh(ceremonies[0], alice.holder)
        third = {
            party.name: dealing.accept(ceremony, party.holder, dealt).message
            for party, ceremony in zip(people, ceremonies, strict=True)
        }
        upkeep.confirm(people, third)
        ahead = {}
        for party in (alice, bob):
            with party.holder() as holder:
                ahead[party.name] = SealedSigner(party.key(), holder, party.home).preprocess(3)
        with carol.holder() as holder:
            chosen = {name: [made[1]] for name, made in ahead.items()}
            request = signing.request(
                holder, carol.key(), b"message", ["alice", "bob"], commitments=chosen, is_rerandomized=True
            )
        responses = parties.respond([alice, bob], request, {})
        carol.session(request).aggregate(inbox(responses.values()))

    key = alice.key()
    known = points(recorder.secrets, key)
    assert known.issuperset(share.serialize() for share in key.public_key_package.verifying_shares.values())
    for commitments in (each for made in ahead.values() for each in made):
        assert known.issuperset(each.serialize() for each in (commitments.hiding, commitments.binding))

    asked = signed.read(request, key.roster).expect(SigningRequest)
    proposed = signed.read(proposal, key.roster).expect(RefreshProposal)
    public = {
        proposed.message.random,
        proposed.content_digest,
        asked.message.random,
        asked.message.randomizer_seed,  # known to the group: it links the signature, and opens nothing
        *(
            share
            for data in responses.values()
            for share in signed.read(data, key.roster).expect(Response).message.shares
        ),
    }
    messages = [proposal, dealt, *third.values(), request, *responses.values()]
    places = files(tmp_path) | {f"message {number}": data for number, data in enumerate(messages)}
    places["stdout"], places["stderr"] = (text.encode() for text in capfd.readouterr())
    places["exceptions and logs"] = "\n".join(recorder.seen).encode()
    searched = recorder.secrets - public
    assert len(searched) > 60
    assert search(searched, places) == []
