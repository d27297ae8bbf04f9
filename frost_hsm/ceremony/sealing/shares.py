"""Round-2 shares on their way: one envelope for every participant, oneself included.

Each is made from a seed of its own, all of them derived from one *root* that its sender keeps sealed until the shares
are active: should a recipient complain, the sender shows the seed of that one envelope, and all see what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from frost_hsm.ceremony.messages.making import Round2
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.sealing import envelope, seeds
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.frost.keys.round2 import Package
from frost_hsm.frost.values import Identifier
from frost_hsm.secret import Secret


def encrypt(seat: Seat, packages: Mapping[Identifier, Package], round1_hash: bytes, root: Secret) -> Envelopes:
    """Put each package into an envelope for its recipient, in roster order. The caller wipes packages and root.

    Our own is among them: with it, transcript and token alone can rebuild the key package. root: serves for these
    packages alone; the same again makes the same envelopes.
    """
    envelopes = []
    for identity in seat.roster:
        context = _context(seat, seat.me, identity, round1_hash)
        with packages[seat.identifier(identity.name)].serialize() as plaintext, _seed(root, context) as seed:
            envelopes.append(Enclosure.of(envelope.encrypt(context, plaintext, identity.addressees, seed=seed)))
    return Envelopes.of(envelopes)


def decrypt(seat: Seat, said: Signed[Round2], holder: Holder) -> Package:
    """Open the envelope that a message holds for us; one token operation. The caller wipes the package.

    Raises `SealBroken`, `DeserializationError`: the sender's fault, if the token is known to work.
    """
    context = _context(seat, said.sender, seat.me, said.message.round1_hash)
    data = said.message.envelopes[seat.position - 1].opened
    with envelope.decrypt(data, context, holder, seat.me.addressees) as plaintext:
        return Package.deserialize(seat.suite, plaintext)


def seed_of(seat: Seat, recipient: PublicIdentity, round1_hash: bytes, root: Secret) -> Secret:
    """Return the seed of one of our own envelopes: whoever has it can open that one, and knows nothing of another."""
    return _seed(root, _context(seat, seat.me, recipient, round1_hash))


def reopen(seat: Seat, said: Signed[Round2], recipient: PublicIdentity, seed: Secret) -> Package:
    """Open the envelope that a message holds for ``recipient`` with the seed that its sender shows. Needs no token.

    Raises `SealBroken`, `DeserializationError`: the sender's fault, either way.
    """
    context = _context(seat, said.sender, recipient, said.message.round1_hash)
    data = said.message.envelopes[seat.roster.position(recipient.name) - 1].opened
    with envelope.reopen(data, context, recipient.addressees, seed) as plaintext:
        return Package.deserialize(seat.suite, plaintext)


def require_addressed(seat: Seat, said: Signed[Round2], recipient: PublicIdentity, data: bytes) -> None:
    """Check what shows of an envelope without a key. Raises `MalformedMessage`, `SealBroken`: the sender's fault."""
    context = _context(seat, said.sender, recipient, said.message.round1_hash)
    envelope.require_addressed(data, context, recipient.addressees)


def _seed(root: Secret, context: Context) -> Secret:
    return seeds.expand(root, context.encode())


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
