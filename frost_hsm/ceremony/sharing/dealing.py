"""A dealer in place of the rounds: somebody shares out a key that exists, or refreshes its shares, and all confirm.

Whoever shares out a key knows it: as long as a copy of it exists anywhere, the threshold protects nothing. Whoever
deals a refresh learns no share, but can bring stolen old shares up to date, which a refresh by all is made against.

A proposal comes first, as ever; then one message of its author's takes the place of both rounds. That shows in the
confirmations, which are of one step and not of two, so that a dealt key is known as one for as long as it is used.

Nobody deals twice by one proposal, which would convict them: the dealing is kept here, then noted in the token, then it
leaves. A state directory that has lost it finds the note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Round1
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.marks import Marks
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
    StateRolledBack,
    StepConflict,
    UnchangedShare,
    UsageProblem,
)
from frost_hsm.frost.keys import dealer, refresh
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SecretShare
from frost_hsm.frost.values import Identifier, SigningKey, VerifyingKey
from frost_hsm.secret import Entropy, Secret, system_entropy

Ceremony = KeyGeneration | Refresh


def deal(
    ceremony: KeyGeneration, open_holder: OpenHolder, signing_key: SigningKey, *, entropy: Entropy = system_entropy
) -> bytes:
    """Share a key out among the participants of one's own proposal; returns the message for all, again the same.

    signing_key: its owner wipes it. ZcashFoundation: ``keys::split``. Raises `ForeignMessage` for a proposal of
    somebody else's, `StepConflict` if rounds were begun or another key was dealt, `StateRolledBack` if the token shows
    that one dealt before.
    """

    def split() -> Mapping[Identifier, SecretShare]:
        secret_shares, _ = dealer.split(
            signing_key,
            max_signers=len(ceremony.roster),
            min_signers=ceremony.min_signers,
            identifiers=_identifiers(ceremony),
            entropy=entropy,
        )
        return secret_shares

    return _deal(ceremony, open_holder, split, signing_key.verifying_key())


def deal_refresh(ceremony: Refresh, open_holder: OpenHolder, *, entropy: Entropy = system_entropy) -> bytes:
    """Deal everybody what refreshes their share, by one's own proposal; returns the message for all, again the same.

    ZcashFoundation: ``compute_refreshing_shares``. Raises as `deal` does.
    """
    before = ceremony.key.public_key_package

    def refreshing() -> Mapping[Identifier, SecretShare]:
        return refresh.compute_refreshing_shares(before, _identifiers(ceremony), entropy)[0]

    return _deal(ceremony, open_holder, refreshing, before.verifying_key)


def _deal(
    ceremony: Ceremony,
    open_holder: OpenHolder,
    make: Callable[[], Mapping[Identifier, SecretShare]],
    verifying_key: VerifyingKey,
) -> bytes:
    author = ceremony.proposal.sender
    if author != ceremony.me:
        raise ForeignMessage(f"{author.name} wrote this proposal, and alone can be its dealer")
    _require_no_rounds(ceremony)
    with ceremony.at_work(open_holder) as (holder, _):
        marks, sent = Marks(holder, ceremony.home), ceremony.transcript.sent(Dealing)
        if sent is None:
            _require_not_dealt(ceremony, marks)
            sent = ceremony.transcript.write(_sealed(ceremony, make()), holder)
        else:
            package, public = check(ceremony, holder, sent)
            package.wipe()
            if public.verifying_key != verifying_key:
                raise StepConflict(
                    f"another key was dealt by this proposal of {ceremony.title}",
                    hint="give it up, and propose anew: frost-hsm dkg abort, frost-hsm dkg propose",
                )
        marks.dealt(ceremony.id)
    return sent.to_pem()


def _require_not_dealt(ceremony: Ceremony, marks: Marks) -> None:
    """Raise `StateRolledBack` if one was the dealer of this before, or all went on from what it would follow."""
    if isinstance(ceremony, Refresh):
        now = ceremony.key
        marks.require_not_behind(now.ceremony, now.state.height, now.state.digest, now.overtaken)
    if marks.has_dealt(ceremony.id) or marks.newest(ceremony.id) is not None:
        raise StateRolledBack(
            f"your token shows that you dealt {ceremony.title} before, and nobody deals twice",
            hint="ask another participant for the file that you sent them, and accept that: frost-hsm dealer accept",
        )


def _require_no_rounds(ceremony: Ceremony) -> None:
    if ceremony.transcript.sent(Round1) is not None:
        raise StepConflict(f"round 1 of {ceremony.title} was done here: all make its shares")


def _sealed(ceremony: Ceremony, secret_shares: Mapping[Identifier, SecretShare]) -> Dealing:
    """Encrypt everybody's share to them, and wipe it."""
    seat, envelopes = ceremony.seat, []
    for identity in seat.roster:
        secret_share = secret_shares[seat.identifier(identity.name)]
        with secret_share.serialize() as plaintext:
            secret_share.wipe()
            sealed = envelope.encrypt(_context(seat, seat.me, identity), plaintext, identity.addressees)
            envelopes.append(Enclosure.of(sealed))
    return Dealing(seat.ceremony, Envelopes.of(envelopes))


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
        data = said.message.envelopes[ceremony.position - 1].opened
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
