"""What a cheat commits to, and the shares that should belong to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacks.table import Table, convicted, refused
from stage import mallory, parties, upkeep
from stage.mallory import Mallory
from stage.p256 import scalar
from stage.parties import Party

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal, Round1
from frost_hsm.ceremony.messages.using import SigningRequest
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import (
    CeremonyStopped,
    DeserializationError,
    Equivocation,
    ForeignMessage,
    FrostHsmError,
    IncorrectNumberOfCommitments,
    InvalidContents,
    InvalidIdentityElement,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    MalformedMessage,
    ProtocolViolation,
    UsageProblem,
)
from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import P256
from frost_hsm.frost.keys import round1
from frost_hsm.frost.keys.refresh import prove_coefficients, refresh_dkg_part1
from frost_hsm.frost.values import (
    Coefficient,
    Identifier,
    Signature,
    SigningKey,
    VerifiableSecretSharingCommitment,
    VerifyingKey,
)

GROUP = P256.group


class Dice:
    """Entropy whose draws the attacker knows."""

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def __call__(self, buffer: memoryview) -> None:
        self.drawn.append(1000 + len(self.drawn))
        buffer[:] = self.drawn[-1].to_bytes(len(buffer), "big")


def with_polynomial(cheat: Mallory, coefficients: list[int]) -> bytes:
    """Have Mallory commit to this polynomial, and share it out later; returns the message."""
    scalars = [scalar(GROUP, value % GROUP.order) for value in coefficients]
    elements = [GROUP.multiply_base(each) for each in scalars]
    commitment = VerifiableSecretSharingCommitment.from_elements(P256, elements)
    own, seat = cheat.seat.identifier(cheat.party.name), cheat.seat
    key = SigningKey(P256, scalars[0])
    proof = Signature.make(
        P256, key.scalar, lambda r: P256.hdkg(own.serialize() + commitment.constant_term + r), entropy=Dice()
    )
    secret = [Coefficient(P256, each) for each in scalars]
    cheat.secret = round1.SecretPackage(P256, own, secret, commitment, seat.min_signers, len(seat.roster))
    cheat.package = round1.Package(P256, commitment, proof)
    return cheat.round1()


def all_refuse(table: Table, error: type[FrostHsmError]) -> None:
    """Nobody has a key after round 2, and nobody is named."""
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(table.first)
    for party in (table.alice, table.bob):
        refused(party, error, lambda party=party: table.finish(party, *second.values()))  # type: ignore[misc]


def rogue(table: Table, target: int) -> VerifiableSecretSharingCommitment:
    """Choose C₀ after all others did, so that the group key would be target·G."""
    chosen = GROUP.multiply_base(scalar(GROUP, target))
    for name in ("alice", "bob"):
        theirs = signed.read(table.first[name], table.mallory.seat.roster).expect(Round1).message
        first = round1.Package.deserialize(P256, theirs.package).commitment.elements[0]
        GROUP.accumulate(chosen, GROUP.combine_base(0, -1, first))
    elements = (chosen, *table.mallory.package.commitment.elements[1:])
    return VerifiableSecretSharingCommitment.from_elements(P256, elements)


@pytest.mark.parametrize("length", [2, 4])
def test_k01_threshold_raising(table: Table, length: int) -> None:
    """Mallory commits to a polynomial of another degree, so that more signers would be needed, or fewer."""
    _, package = table.mallory.draw(length)
    said = table.mallory.round1(package)
    step = lambda: table.round2(table.alice, table.first["bob"], said)  # noqa: E731
    assert said in convicted(table.alice, IncorrectNumberOfCommitments, step)


def test_k01_no_commitment_at_all(table: Table) -> None:
    """Mallory commits to nothing."""
    package = table.mallory.package.serialize()
    said = table.mallory.say(Round1(table.mallory.seat.ceremony, package[:5] + b"\0" + package[6 + 33 * 3 :]))
    step = lambda: table.round2(table.alice, table.first["bob"], said)  # noqa: E731
    assert said in convicted(table.alice, ProtocolViolation, step)


def test_k01_threshold_raising_in_a_refresh(group: list[Party]) -> None:
    """Carol commits to a longer polynomial when the shares are made anew."""
    alice, bob, carol = group
    proposal = upkeep.propose(alice)
    first = upkeep.round1(group, proposal)
    secret, longer = refresh_dkg_part1(P256, carol.key().identifier("carol"), max_signers=3, min_signers=3)
    id_ = upkeep.load(carol).id
    said = Round1(id_, longer.serialize(), longer.y_coordinates(), prove_coefficients(secret, id_))
    with carol.holder() as holder:
        first["carol"] = signed.write(said, holder)
    for party in (alice, bob):
        with pytest.raises(IncorrectNumberOfCommitments) as caught:
            upkeep.round2([party], first)
        assert caught.value.culprits == ("carol",)
    assert len(parties.sign([alice, bob], b"message")) == 65


def test_k01b_a_failed_check_leaves_nothing(table: Table) -> None:
    """Mallory hopes that what came in before her bad package was refused is kept, and used, all the same."""
    _, package = table.mallory.draw(4)
    said = table.mallory.round1(package)
    step = lambda: table.round2(table.alice, table.first["bob"], said)  # noqa: E731
    convicted(table.alice, IncorrectNumberOfCommitments, step)  # compares every file and record
    with pytest.raises(CeremonyStopped):
        table.round2(table.alice, *table.first.values())
    assert not (table.alice.directory / f"home/{table.alice.folder()}/round2").exists()


def test_k02_top_coefficient_identity(table: Table) -> None:
    """Mallory's highest coefficient is zero: the length is right and the degree is not."""
    package = table.mallory.package.serialize()
    position = package.index(GROUP.encode(table.mallory.package.commitment.elements[-1]))
    said = table.mallory.say(
        Round1(table.mallory.seat.ceremony, package[:position] + bytes(33) + package[position + 33 :])
    )
    convicted(table.alice, InvalidContents, lambda: table.round2(table.alice, table.first["bob"], said))


def test_k02_top_coefficients_that_cancel_out(tmp_path: Path) -> None:
    """Mallory, who can predict the others' draws, cancels the highest coefficient out: two of three could sign."""
    dice = Dice()
    table = Table(tmp_path, entropy=dice)
    alices, bobs = dice.drawn[:3], dice.drawn[4:7]  # each draws three coefficients and the proof's nonce
    table.first["mallory"] = with_polynomial(table.mallory, [5, 6, -(alices[2] + bobs[2])])
    all_refuse(table, InvalidIdentityElement)


def test_k03_rogue_key(table: Table) -> None:
    """Mallory speaks last and chooses her part so that the group key is hers alone; she cannot prove to know it."""
    commitment, own = rogue(table, 42), table.mallory.package.proof_of_knowledge
    alices = signed.read(table.first["alice"], table.mallory.seat.roster).expect(Round1).message.package
    copied = round1.Package.deserialize(P256, alices).proof_of_knowledge
    for party, other, proof in ((table.alice, "bob", own), (table.bob, "alice", copied)):
        said = table.mallory.round1(round1.Package(P256, commitment, proof))
        step = lambda party=party, other=other, said=said: table.round2(party, table.first[other], said)  # noqa: E731
        assert said in convicted(party, InvalidProofOfKnowledge, step)


def test_k04_proof_of_knowledge_of_another_session(table: Table) -> None:
    """Mallory brings a good round 1 of another run of the same people, or somebody else's as her own."""
    other = parties.propose(table.people, 3, name="other")
    foreign = Mallory(table.mallory.party, other).round1()
    refused(table.alice, ForeignMessage, lambda: table.round2(table.alice, table.first["bob"], foreign))
    copied = table.mallory.repeat(table.first["bob"])
    convicted(table.alice, InvalidProofOfKnowledge, lambda: table.round2(table.alice, table.first["bob"], copied))


def test_k04_every_word_of_the_proposal_is_the_session(table: Table) -> None:
    """Mallory reuses messages where threshold, name, roster, purpose, suite or randomness differ."""
    plan = signed.read(table.proposal).expect(Proposal)
    swapped = Roster(tuple(reversed(plan.message.roster.members)))
    changes: list[dict[str, object]] = [
        {"min_signers": 2},
        {"name": "other"},
        {"random": bytes(32)},
        {"purpose": "tea"},
        {"suite": "FROST-ED25519-SHA512-v1"},
        {"roster": swapped, "author": 3},
    ]
    ids = {plan.content_digest}
    for change in changes:
        with table.alice.holder() as holder:
            ids.add(signed.read(signed.write(replace(plan.message, **change), holder)).content_digest)  # type: ignore[arg-type]
    assert len(ids) == 7


def test_k05_a_signature_is_no_proof_of_knowledge(table: Table) -> None:
    """Mallory has whoever knows the logarithm of C₀ sign something innocent, and shows the signature as her proof."""
    package = table.mallory.package
    own = table.mallory.seat.identifier("mallory")
    constant = table.mallory.secret.coefficients[0].scalar
    key = VerifyingKey.from_element(P256, package.commitment.elements[0])
    innocent = own.serialize()
    signature = Signature.make(P256, constant, lambda r: key.challenge(r, innocent), entropy=Dice())
    signing.verify(innocent, signature, key)
    said = table.mallory.round1(replace(package, proof_of_knowledge=signature))
    convicted(table.alice, InvalidProofOfKnowledge, lambda: table.round2(table.alice, table.first["bob"], said))


def test_k06_proof_forged_backwards(table: Table) -> None:
    """Mallory fixes the challenge first, which a challenge without R would let her, and solves for R."""
    commitment, response = rogue(table, 42), 7
    own = table.mallory.seat.identifier("mallory")
    challenge = P256.hdkg(own.serialize() + commitment.constant_term)
    nonce = GROUP.combine_base(response, -challenge, commitment.elements[0])
    forged = Signature(P256, GROUP.encode(nonce), response)
    said = table.mallory.round1(round1.Package(P256, commitment, forged))
    convicted(table.alice, InvalidProofOfKnowledge, lambda: table.round2(table.alice, table.first["bob"], said))


def test_k07_a_retry_is_another_ceremony(table: Table) -> None:
    """Mallory makes runs fail until she likes the key: each is another ceremony, for which all are asked again."""
    table.alice.ceremony().abort(table.alice.holder)
    refused(table.alice, CeremonyStopped, lambda: table.alice.join(table.proposal))
    again = parties.propose(table.people, 3)
    assert signed.read(again).content_digest != signed.read(table.proposal).content_digest
    assert len(list((table.alice.directory / "home/given-up").iterdir())) == 1, "a failed run is kept"


@pytest.mark.parametrize("value", [0, -1, GROUP.order, 2 * GROUP.order])
def test_k08_zero_identifier(value: int) -> None:
    """Somebody is given the number at which the polynomial is the secret itself."""
    with pytest.raises(UsageProblem):
        Identifier(P256, value)
    if 0 <= value < 1 << 256:
        with pytest.raises(DeserializationError):
            Identifier.deserialize(P256, value.to_bytes(32, "big"))


def test_k08_no_message_has_place_for_one(group: list[Party]) -> None:
    """Bob asks position 0 of the roster to sign."""
    alice, bob, _ = group
    wanted = signed.read(parties.request([alice, bob], b"message"), alice.key().roster).expect(SigningRequest).message
    zeroth = object.__new__(SigningRequest)
    for field in SigningRequest.__slots__:
        object.__setattr__(zeroth, field, (0, 1) if field == "signers" else getattr(wanted, field))
    with bob.holder() as holder:
        data = signed.write(zeroth, holder)
    with pytest.raises((InvalidContents, MalformedMessage)):
        alice.session(data)


def test_k09_duplicate_identifiers(table: Table) -> None:
    """Mallory proposes a roster that holds herself twice, to count double."""
    plan = signed.read(table.proposal).expect(Proposal).message
    doubled = object.__new__(Roster)
    object.__setattr__(doubled, "members", (*plan.roster.members[:2], plan.roster.members[1]))
    with pytest.raises(MalformedMessage):
        Proposal.decode(replace(plan, roster=doubled).encode())


@pytest.mark.parametrize("strict", [True, False])
def test_k10_wrong_share(table: Table, strict: bool) -> None:
    """Mallory sends Alice a share that is one too large: only Alice could ever notice."""
    second = table.honest_round2()
    second["mallory"] = table.mallory.round2(
        table.first, lambda name, package: mallory.plus_one(package) if name == "alice" else package
    )
    finish = table.alice.ceremony().finish
    evidence = convicted(
        table.alice,
        InvalidSecretShare,
        lambda: finish(table.alice.holder, parties.inbox(second.values()), strict=strict),
    )
    assert table.first["mallory"] in evidence
    assert second["mallory"] in evidence
    assert table.finish(table.bob, *second.values()), "Bob's share is good, and he cannot know"


def test_k10_the_share_of_another_recipient(table: Table) -> None:
    """Mallory sends Alice the share that is Bob's."""
    second = table.honest_round2()
    to_bob = table.mallory.share(2)
    second["mallory"] = table.mallory.round2(table.first, lambda name, package: to_bob if name == "alice" else package)
    convicted(table.alice, InvalidSecretShare, lambda: table.finish(table.alice, *second.values()))


def test_k11_share_overwrite(table: Table) -> None:
    """Mallory sends a second, different message after the first was taken in, hoping that the later one counts."""
    table.honest_round2()
    kept = table.alice.files()[f"{table.alice.folder()}/round1/mallory.pem"]
    other = Mallory(table.mallory.party, table.proposal).round1()
    evidence = convicted(table.alice, Equivocation, lambda: table.round2(table.alice, other))
    assert kept in evidence
    assert other in evidence


def test_k11_a_message_in_the_name_of_another(table: Table) -> None:
    """Mallory puts Bob's message, signed by herself, under Bob's name: who signed counts, whatever a file is called."""
    table.first["mallory"] = table.mallory.repeat(table.first["bob"])
    convicted(table.alice, InvalidProofOfKnowledge, lambda: table.round2(table.alice, *table.first.values()))
