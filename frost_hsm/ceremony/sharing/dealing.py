"""A dealer in place of the rounds: somebody shares out a key that exists, or refreshes its shares, and all confirm.

Whoever shares out a key knows it: as long as a copy of it exists anywhere, the threshold protects nothing. Whoever
deals a refresh learns no share, but can bring stolen old shares up to date, which a refresh by all is made against.

A proposal comes first, as ever; then one message of its author's takes the place of both rounds. That shows in the
confirmations, which are of one step and not of two, so that a dealt key is known as one for as long as it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Proposal, Round1
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.records import own_context
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.ceremony.sharing.rounds import Finished
from frost_hsm.errors import (
    DeserializationError,
    ForeignMessage,
    IncorrectPackage,
    InvalidContents,
    ProtocolViolation,
    SealBroken,
    StepConflict,
    UnchangedShare,
    UsageProblem,
)
from frost_hsm.frost import dealer, refresh
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SecretShare
from frost_hsm.frost.values import Identifier, SigningKey
from frost_hsm.secret import Entropy, Secret, system_entropy

Ceremony = KeyGeneration | Refresh


def deal(
    holder: Holder, proposal: Signed[Proposal], signing_key: SigningKey, *, entropy: Entropy = system_entropy
) -> bytes:
    """Share a key out among the participants of one's own proposal; returns the message for all.

    signing_key: its owner wipes it. ZcashFoundation: ``keys::split``. Raises `ForeignMessage` for a proposal of
    somebody else's.
    """
    _require_author(proposal, holder)
    seat = Seat.take(proposal, holder.public)
    identifiers = [seat.identifier(each.name) for each in seat.roster]
    secret_shares, _ = dealer.split(
        signing_key,
        max_signers=len(seat.roster),
        min_signers=seat.min_signers,
        identifiers=identifiers,
        entropy=entropy,
    )
    return _send(holder, seat, secret_shares)


def deal_refresh(holder: Holder, ceremony: Refresh, *, entropy: Entropy = system_entropy) -> bytes:
    """Deal everybody what refreshes their share, by one's own proposal; returns the message for all.

    ZcashFoundation: ``compute_refreshing_shares``. Raises `ForeignMessage` for a proposal of somebody else's,
    `StepConflict` if rounds were begun.
    """
    _require_author(ceremony.proposal, holder)
    _require_no_rounds(ceremony)
    refreshing_shares, _ = refresh.compute_refreshing_shares(
        ceremony.key.public_key_package, _identifiers(ceremony), entropy
    )
    return _send(holder, ceremony.seat, refreshing_shares)


def _require_author(proposal: Signed[Any], holder: Holder) -> None:
    if proposal.sender != holder.public:
        raise ForeignMessage(f"{proposal.sender.name} wrote this proposal, and alone can be its dealer")


def _require_no_rounds(ceremony: Ceremony) -> None:
    if ceremony.transcript.sent(Round1) is not None:
        raise StepConflict(f"round 1 of {ceremony.title} was done here: all make its shares")


def _send(holder: Holder, seat: Seat, secret_shares: Mapping[Identifier, SecretShare]) -> bytes:
    envelopes = []
    for identity in seat.roster:
        secret_share = secret_shares[seat.identifier(identity.name)]
        with secret_share.serialize() as plaintext:
            secret_share.wipe()
            envelopes.append(envelope.encrypt(_context(seat, holder.public, identity), plaintext, identity.addressees))
    return signed.write(Dealing(seat.ceremony, tuple(envelopes)), holder)


def accept(ceremony: Ceremony, open_holder: OpenHolder, data: bytes) -> Finished:
    """Check one's share that a dealer made and seal it, as *pending*; returns the confirmation for all.

    The proposal has to be accepted. ``ceremony.confirm`` takes in everybody's confirmation. A share that does not fit
    convicts the dealer. Raises `StepConflict` if rounds were begun, or another dealing accepted.
    """
    said = signed.read(data, ceremony.roster).expect(Dealing)
    if said.message.ceremony != ceremony.id or said.sender != ceremony.proposal.sender:
        raise ForeignMessage(f"this is not the dealing of {ceremony.title} by {ceremony.proposal.sender.name}")
    _require_no_rounds(ceremony)
    sent = ceremony.transcript.sent(Confirmation)
    if sent is None:
        with ceremony.at_work(open_holder) as (holder, sealed):
            sent = ceremony.transcript.sent(Confirmation)
            if sent is None:
                package, public = check(ceremony, holder, said)
                digest = hashlib.sha256(public.serialize()).digest()
                confirmation = Confirmation(ceremony.id, (said.content_digest,), digest)
                sent = ceremony.seal(holder, sealed, package, public, confirmation, {said.sender.name: said})
    if sent.message.messages != (said.content_digest,):
        raise StepConflict(f"another dealing of {ceremony.title} was accepted here")
    return ceremony.finished(sent)


def check(ceremony: Ceremony, holder: Holder, said: Signed[Dealing]) -> tuple[KeyPackage, PublicKeyPackage]:
    """Open and check one's share; one that does not fit convicts the dealer. The caller wipes the key package.

    Group key, participants and threshold of a refresh stay: that is checked here by everybody, not taken from the
    dealer.
    """
    old = ceremony.old_share(holder) if isinstance(ceremony, Refresh) else None
    try:
        with _open(ceremony, holder, said) as plaintext:
            package, public = _read(ceremony, said, plaintext, old)
    finally:
        if old is not None:
            old.wipe()
    own = _identifiers(ceremony)[ceremony.position - 1]
    if (package.identifier, package.min_signers) != (own, ceremony.min_signers):
        package.wipe()
        raise _convict(ceremony, said, "it is another participant's, or of another threshold")
    return package, public


def _read(
    ceremony: Ceremony, said: Signed[Dealing], plaintext: Secret, old: KeyPackage | None
) -> tuple[KeyPackage, PublicKeyPackage]:
    identifiers = _identifiers(ceremony)
    try:
        share = SecretShare.deserialize(ceremony.suite, plaintext)
        try:
            if old is None or not isinstance(ceremony, Refresh):
                return KeyPackage.from_secret_share(share), dealer.public_key_package(share.commitment, identifiers)
            before = ceremony.key.public_key_package
            public = refresh.refresh_public_key_package(before, share.commitment, identifiers)
            refresh.check_every_share_changed(before, public)
            return refresh.refresh_share(share, old), public
        finally:
            share.wipe()
    except (DeserializationError, IncorrectPackage, ProtocolViolation, UnchangedShare, UsageProblem) as error:
        raise _convict(ceremony, said, str(error)) from error


def _open(ceremony: Ceremony, holder: Holder, said: Signed[Dealing]) -> Secret:
    if len(said.message.envelopes) != len(ceremony.roster):
        raise _convict(ceremony, said, "there is not one share for each participant")
    envelope.try_token(own_context(holder.public, ceremony.id, Kind.DEALT_SHARE, ceremony.suite.id), holder)
    try:
        data = said.message.envelopes[ceremony.position - 1]
        context = _context(ceremony.seat, said.sender, ceremony.me)
        return envelope.decrypt(data, context, holder, ceremony.me.addressees)
    except SealBroken as error:
        raise _convict(ceremony, said, str(error)) from error


def _identifiers(ceremony: Ceremony) -> list[Identifier]:
    return [ceremony.seat.identifier(each.name) for each in ceremony.roster]


def _convict(ceremony: Ceremony, said: Signed[Dealing], why: str) -> InvalidContents:
    ceremony.transcript.stop([said])
    name = said.sender.name
    return InvalidContents(
        f"{name} dealt {ceremony.me.name} no share: {why}",
        hint=f"nobody else can see what is in your envelope: ask {name}, then for another proposal",
        culprits=[name],
    )


def _context(seat: Seat, dealer: PublicIdentity, recipient: PublicIdentity) -> Context:
    return Context(
        seat.ceremony,
        Kind.DEALT_SHARE,
        seat.suite.id,
        dealer.sign_key.digest,
        recipient.agree_key.digest,
        seat.key,
        seat.epoch,
    )
