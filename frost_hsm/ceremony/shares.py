"""Round-2 shares on their way: one envelope for every participant, oneself included."""

from __future__ import annotations

from collections.abc import Mapping

from frost_hsm.ceremony import envelope
from frost_hsm.ceremony.context import Context, Kind
from frost_hsm.ceremony.identity import Holder, PublicIdentity
from frost_hsm.ceremony.messages import Round2
from frost_hsm.ceremony.seat import Seat
from frost_hsm.ceremony.signed import Signed
from frost_hsm.frost.round2 import Package
from frost_hsm.frost.values import Identifier


def encrypt(seat: Seat, packages: Mapping[Identifier, Package], round1_hash: bytes) -> tuple[bytes, ...]:
    """Put each package into an envelope for its recipient, in roster order. The caller wipes the packages.

    Our own is among them: with it, transcript and token alone can rebuild the key package.
    """
    envelopes = []
    for identity in seat.roster:
        with packages[seat.identifier(identity.name)].serialize() as plaintext:
            context = _context(seat, seat.me, identity, round1_hash)
            envelopes.append(envelope.encrypt(context, plaintext, [identity]))
    return tuple(envelopes)


def decrypt(seat: Seat, said: Signed[Round2], holder: Holder) -> Package:
    """Open the envelope that a message holds for us; one token operation. The caller wipes the package.

    Raises `SealBroken`, `DeserializationError`: the sender's fault, if the token is known to work.
    """
    context = _context(seat, said.sender, seat.me, said.message.round1_hash)
    with envelope.decrypt(said.message.envelopes[seat.position - 1], context, holder) as plaintext:
        return Package.deserialize(seat.suite, plaintext)


def _context(seat: Seat, sender: PublicIdentity, recipient: PublicIdentity, round1_hash: bytes) -> Context:
    return Context(
        seat.ceremony,
        Kind.ROUND2_SHARE,
        seat.suite.id,
        sender.sign_key.digest,
        recipient.agree_key.digest,
        seat.key,
        seat.epoch,
        binding=round1_hash,
    )
