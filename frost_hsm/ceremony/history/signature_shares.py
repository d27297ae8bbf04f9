"""Whether signature shares are what their signers agreed to, by the messages alone.

A response names its request and, by their hash, the commitments that it answers. What its signer's own verifying share
is, the signer has confirmed at the end of the rounds; somebody whose share was repaired, by asking for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from frost_hsm.ceremony.history.dossier import Dossier
from frost_hsm.ceremony.messages.making import Commitment, Confirmation, Response, SigningRequest
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.upkeep import RepairRequest
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.errors import (
    DeserializationError,
    FrostHsmError,
    InvalidContents,
    InvalidSignatureShare,
    ProtocolViolation,
)
from frost_hsm.frost import repair, rerandomized, signing
from frost_hsm.frost.packages import PublicKeyPackage, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.secret import Secret

Wrong = tuple[Signed[Any], type[ProtocolViolation], str]
"""A message, what is wrong with it, and how that is said after its sender's name."""


def wrong(case: Dossier) -> Iterator[Wrong]:
    """List the commitments, responses and requests that convict their senders."""
    for request in case.of(SigningRequest):
        seat = _seat(case, request)
        if seat is not None:
            yield from _wrong(case, seat, request)


def _seat(case: Dossier, request: Signed[SigningRequest]) -> Seat | None:
    """Return where the shares were made that a request is for, with those who took part when it was made."""
    wanted, roster = request.message, case.rosters[request.content_digest]
    for seat in case.seats.values():
        if seat.epoch == wanted.epoch and seat.key in (b"", wanted.key) and wanted.signers[-1] <= len(roster):
            return replace(seat, roster=roster)
    return None


def _wrong(case: Dossier, seat: Seat, request: Signed[SigningRequest]) -> Iterator[Wrong]:
    commitments, responses = case.of(Commitment, request.content_digest), case.of(Response, request.content_digest)
    for said in commitments:
        try:
            SigningCommitments.deserialize(seat.suite, said.message.commitments, said.message.y_coordinates)
        except DeserializationError as error:
            yield said, InvalidContents, f"signed commitments that are none: {error}"
    package = _signing_package(seat, request, {said.sender: said for said in commitments})
    signers = [seat.roster.at(position) for position in request.message.signers]
    for response in responses:
        sender, message = response.sender, response.message
        try:
            share = SignatureShare.deserialize(seat.suite, message.share)
        except DeserializationError as error:
            yield response, InvalidContents, f"signed a share that is none: {error}"
            continue
        if package is None or sender not in signers or message.commitments_hash != package[1]:
            continue
        public = _confirmed(case, seat, request.message.key, sender)
        if public is not None and not _fits(seat, request.message, package[0], public, sender, share):
            yield response, InvalidSignatureShare, "signed a signature share that does not verify"


def _signing_package(
    seat: Seat, request: Signed[SigningRequest], said: Mapping[PublicIdentity, Signed[Commitment]]
) -> tuple[SigningPackage, bytes] | None:
    """Return what all signed, and the hash by which responses name the commitments; None if some are missing."""
    wanted = request.message
    signers = [seat.roster.at(position) for position in wanted.signers]
    found: list[tuple[bytes, bytes | None]]
    if wanted.commitments:
        found, hash_ = [(each, None) for each in wanted.commitments], transcript_hash(())
    elif all(signer in said for signer in signers):
        messages = [said[signer] for signer in signers]
        found = [(each.message.commitments, each.message.y_coordinates) for each in messages]
        hash_ = transcript_hash(messages)
    else:
        return None
    with suppress(DeserializationError):
        commitments = {
            seat.identifier(signer.name): SigningCommitments.deserialize(seat.suite, encoded, y_coordinates)
            for signer, (encoded, y_coordinates) in zip(signers, found, strict=True)
        }
        return SigningPackage(seat.suite, commitments, wanted.message), hash_
    return None


def _confirmed(case: Dossier, seat: Seat, key: bytes, signer: PublicIdentity) -> PublicKeyPackage | None:
    """Return the public key package of the dossier, if it is of this key and is what this signer has agreed to."""
    asked = {each.message.previous for each in case.of(RepairRequest) if each.message.receiver == signer}
    confirmed = {
        said.message.public_key_package_hash
        for said in case.of(Confirmation, seat.ceremony)
        if said.sender == signer or said.content_digest in asked
    }
    if case.package is None or hashlib.sha256(case.package).digest() not in confirmed:
        return None
    with suppress(FrostHsmError):
        package, identifier = PublicKeyPackage.deserialize(seat.suite, case.package), seat.identifier(signer.name)
        if identifier not in package.verifying_shares:
            package = repair.add_participant(package, identifier)
        return package if package.verifying_key.serialize() == key else None
    return None


def _fits(
    seat: Seat,
    request: SigningRequest,
    package: SigningPackage,
    public: PublicKeyPackage,
    signer: PublicIdentity,
    share: SignatureShare,
) -> bool:
    identifier = seat.identifier(signer.name)
    try:
        if request.randomizer_seed:
            with Secret(request.randomizer_seed) as seed:
                public = rerandomized.public_key_package(public, seed, package.signing_commitments)
        verifying_share = public.verifying_shares[identifier]
        signing.verify_signature_share(identifier, verifying_share, share, package, public.verifying_key)
    except InvalidSignatureShare:
        return False
    except FrostHsmError:  # commitments that cancel out, or the like: somebody else's doing
        return True
    return True
