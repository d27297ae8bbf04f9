"""Values that are no values: the identity, points outside the group, other spellings, impossible numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from attacks.table import Table, convicted
from attacks.test_polynomials import Dice, all_refuse, with_polynomial
from stage import bip340, parties, plain_curves
from stage.mallory import Mallory
from stage.parties import Party, inbox
from stage.plain_curves import Edwards, multiply

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal, Round1
from frost_hsm.ceremony.messages.using import Commitment
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.envelope import Envelope
from frost_hsm.ceremony.sealing.recipients import KeyAgreement
from frost_hsm.errors import (
    InvalidContents,
    InvalidIdentityElement,
    MalformedElement,
    MalformedMessage,
    SealBroken,
    UsageProblem,
)
from frost_hsm.forms import der
from frost_hsm.frost.ciphersuites import P256, SECP256K1_TR
from frost_hsm.frost.keys import round1
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.groups.libcrypto.curves import P256Libcrypto
from frost_hsm.secret import Secret

P = plain_curves.CURVES["P-256"].p
Spelling = Callable[[bytes], bytes]

SPELLINGS: dict[str, Spelling] = {
    "identity": lambda point: bytes(33),
    "hybrid": lambda point: bytes([point[0] + 4]) + point[1:],
    "uncompressed": lambda point: b"\4" + point[1:],
    "x not below p": lambda point: b"\2" + P.to_bytes(32, "big"),
    "off the curve": lambda point: b"\2" + bytes(31) + b"\1",
}


def spelt(cheat: Mallory, place: int, spelling: Spelling) -> bytes:
    """Have Mallory write one element of her commitment in another way."""
    package = cheat.package.serialize()
    element = cheat.seat.suite.group.encode(cheat.package.commitment.elements[place])
    return cheat.say(Round1(cheat.seat.ceremony, package.replace(element, spelling(element), 1)))


def test_k25_identity_in_round1(table: Table) -> None:
    """Mallory contributes nothing to the key: her C₀ is the identity."""
    said = spelt(table.mallory, 0, SPELLINGS["identity"])
    convicted(table.alice, InvalidContents, lambda: table.round2(table.alice, table.first["bob"], said))


def test_k25_identity_as_group_key(tmp_path: Path) -> None:
    """Mallory, who can predict the others' draws, cancels the key itself out."""
    dice = Dice()
    table = Table(tmp_path, entropy=dice)
    table.first["mallory"] = with_polynomial(table.mallory, [-(dice.drawn[0] + dice.drawn[4]), 5, 6])
    all_refuse(table, InvalidIdentityElement)


def test_k25_identity_as_nonce_commitment(group: list[Party]) -> None:
    """Bob commits to a nonce of zero."""
    alice, bob, _ = group
    wanted = parties.request([alice, bob], b"message")
    said = parties.commit([alice, bob], wanted)
    honest = signed.read(said["bob"], alice.key().roster).expect(Commitment).message
    [encoded] = honest.commitments
    zero = replace(honest, commitments=(encoded[:5] + bytes(33) + encoded[38:],), y_coordinates=())
    with bob.holder() as holder:
        said["bob"] = signed.write(zero, holder)
    with pytest.raises(InvalidContents) as caught:
        alice.session(wanted).respond(alice.holder, inbox(said.values()))
    assert caught.value.culprits == ("bob",)


@pytest.mark.parametrize("point", [b"", b"\0", b"\4" + bytes(64), b"\4" + b"\1" * 64, b"\2" + b"\1" * 32])
def test_k25_points_that_a_token_never_sees(table: Table, point: bytes) -> None:
    """Mallory's ephemeral key is the identity, or off the curve, to learn something of Alice's key from the answer."""
    sender, recipient = table.mallory.party.public.sign_key.digest, table.alice.public.agree_key.digest
    context = Context(bytes(32), Kind.ROUND2_SHARE, P256.id, sender, recipient)
    sealed = Envelope.decode(envelope.encrypt(context, Secret(b"share"), [table.alice.public]))
    [honest] = sealed.recipients
    assert isinstance(honest, KeyAgreement)
    forged = replace(sealed, recipients=(replace(honest, ephemeral=point),)).encode()
    with table.alice.holder() as holder:
        watched = replace(holder, token=_NeverAgrees(holder.token))  # type: ignore[type-var]
        with pytest.raises(SealBroken):
            envelope.decrypt(forged, context, watched)


class _NeverAgrees:
    def __init__(self, token: object) -> None:
        self._token = token

    def __getattr__(self, name: str) -> object:
        assert name != "agree", "the token saw the point"
        return getattr(self._token, name)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_k26_other_spellings(table: Table, spelling: str) -> None:
    """Mallory writes a point in another way than the one, so that people hash different things."""
    said = spelt(table.mallory, 1, SPELLINGS[spelling])
    convicted(table.alice, InvalidContents, lambda: table.round2(table.alice, table.first["bob"], said))


def test_k26_a_scalar_that_is_not_reduced(table: Table) -> None:
    """Mallory adds the order to a scalar, which changes the bytes and not the number, and bytes after the end."""
    package = table.mallory.package.serialize()
    too_large = P256.group.order.to_bytes(32, "big")
    for altered, party in ((package[:-32] + too_large, table.alice), (package + b"\0", table.bob)):
        said = table.mallory.say(Round1(table.mallory.seat.ceremony, altered))
        others = [each for name, each in table.first.items() if name not in ("mallory", party.name)]
        step = lambda party=party, said=said, others=others: table.round2(party, *others, said)  # noqa: E731
        convicted(party, InvalidContents, step)


def test_k26_y_coordinates_of_another_point(table: Table) -> None:
    """Mallory sends y coordinates that save others the square root, of other points."""
    package = table.mallory.package
    y = bytearray(package.y_coordinates())
    y[-1] ^= 2
    said = table.mallory.say(Round1(table.mallory.seat.ceremony, package.serialize(), bytes(y)))
    convicted(table.alice, InvalidContents, lambda: table.round2(table.alice, table.first["bob"], said))


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_k27_small_subgroups(tmp_path: Path, suite: str) -> None:
    """Mallory adds a point of small order to her commitment: half the time, or for some people, it all fits."""
    table = Table(tmp_path, suite=suite)
    package, group = table.mallory.package, table.mallory.seat.suite.group
    curve = plain_curves.CURVES[group.name]
    assert isinstance(curve, Edwards)
    small = curve.small_order_point()
    for place, point, party in (
        (1, curve.add(multiply(curve, 77), small), table.alice),
        (1, small, table.bob),
    ):
        element = group.encode(package.commitment.elements[place])
        data = package.serialize().replace(element, curve.encode(point), 1)
        said = table.mallory.say(Round1(table.mallory.seat.ceremony, data))
        others = [each for name, each in table.first.items() if name not in ("mallory", party.name)]
        step = lambda party=party, said=said, others=others: table.round2(party, *others, said)  # noqa: E731
        convicted(party, InvalidContents, step)


def test_k29_taproot_commitment_in_the_group_key(trio: list[Party]) -> None:
    """Carol chooses her part so that the sum of all hides a script that she alone can spend by."""
    proposal = parties.propose(trio, suite="secp256k1-tr")
    first = parties.round1(trio, proposal)
    second = parties.round2(trio, first)
    parties.confirm(trio, parties.finish(trio, first, second))
    group, key = SECP256K1_TR.group, trio[0].key()
    total = group.identity()
    for said in first.values():
        package = signed.read(said, key.roster).expect(Round1).message.package
        group.accumulate(total, round1.Package.deserialize(SECP256K1_TR, package).commitment.elements[0])
    internal = VerifyingKey.from_element(SECP256K1_TR, total)
    assert key.public_key_package.verifying_key.encoded[1:] == bip340.output_key(internal.encoded[1:], b"")


def test_k33_signers_are_not_their_place_in_a_list(tmp_path: Path) -> None:
    """Participants 2, 4 and 5 sign: whoever takes places in the list for identifiers makes no signature of it."""
    people = parties.gather(tmp_path, ["ann", "ben", "cid", "dot", "eve"])
    parties.generate(people, 3)
    for chosen in ((1, 3, 4), (4, 0, 2)):
        assert len(parties.sign([people[place] for place in chosen], b"message")) == 65


@pytest.mark.parametrize("min_signers", [0, 1, 4, 1 << 20])
def test_k34_impossible_thresholds(table: Table, min_signers: int) -> None:
    """Mallory proposes a key for which nobody, everybody alone, or more people than there are, must sign."""
    honest = signed.read(table.proposal).expect(Proposal).message
    possible = honest.encode()
    position = possible.index(honest.roster.encode()) - 6
    assert possible[position : position + 3] == der.integer(3)
    inner = der.Reader(possible, "it").contents(der.SEQUENCE)
    offset = len(possible) - len(inner)
    altered = inner[: position - offset] + der.integer(min_signers) + inner[position - offset + 3 :]
    with pytest.raises(MalformedMessage):
        Proposal.decode(der.element(der.SEQUENCE, altered))
    with pytest.raises(UsageProblem):
        replace(honest, min_signers=min_signers)


def test_k26_only_one_spelling_is_read_whatever_the_library() -> None:
    """Somebody finds a spelling that libcrypto would take."""
    group = P256.group
    assert isinstance(group, P256Libcrypto)
    generator = group.encode(group.multiply_base(group.decode_scalar(Secret(bytes(31) + b"\1"))))
    for name, spelling in SPELLINGS.items():
        with pytest.raises((MalformedElement, InvalidIdentityElement)):
            group.decode(spelling(generator))
        assert name
