"""Messages of a participant who cheats: signed by their own key, made with the library's own parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stage.parties import Party

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Round1, Round2
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.messages.using import Commitment, Response
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.forms import cms, oids, pem
from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import P256
from frost_hsm.frost.keys import dkg, round2
from frost_hsm.frost.keys.round1 import Package
from frost_hsm.frost.packages import Identifier, SignatureShare, SigningShare, VerifiableSecretSharingCommitment
from frost_hsm.secret import Secret


def said(message: bytes) -> Any:
    """Read a message without verifying it."""
    return signed.decode(signed.parse(message))


def resign(party: Party, message: Any) -> bytes:
    with party.holder() as holder:
        return signed.write(message, holder)


def otherwise(party: Party, message: bytes) -> bytes:
    """Say something else of the same kind, as well formed as the first."""
    changed: Any = said(message)
    if isinstance(changed, Round1):
        _, package = dkg.part1(P256, Identifier.from_u16(P256, 3), max_signers=3, min_signers=2)
        changed = replace(changed, package=package.serialize(), y_coordinates=package.y_coordinates())
    elif isinstance(changed, Commitment):
        _, other = signing.commit(SigningShare.deserialize(P256, Secret(bytes(31) + b"\1")))
        changed = replace(changed, commitments=(other.serialize(),), y_coordinates=(other.y_coordinates(),))
    elif isinstance(changed, Confirmation):
        changed = replace(changed, public_key_package_hash=bytes(32))
    else:
        raise AssertionError(f"no other way is known here to say {type(changed)}")
    return resign(party, changed)


def bad_commitment(party: Party, message: bytes, length: int) -> bytes:
    """Commit to a polynomial of another length; the proof stays good, because it is of the constant term."""
    first = Package.deserialize(P256, said(message).package)
    elements = (*first.commitment.elements, *first.commitment.elements)[:length]
    commitment = VerifiableSecretSharingCommitment.from_elements(P256, elements)
    return _round1(party, message, replace(first, commitment=commitment))


def bad_proof(party: Party, message: bytes) -> bytes:
    """Prove knowledge of something else."""
    _, other = dkg.part1(P256, Identifier.from_u16(P256, 3), max_signers=3, min_signers=2)
    first = Package.deserialize(P256, said(message).package)
    return _round1(party, message, replace(first, proof_of_knowledge=other.proof_of_knowledge))


def bad_shares(party: Party, everybody: Sequence[Party], message: bytes) -> bytes:
    """Encrypt to everybody a share that is not on the polynomial."""
    honest: Round2 = said(message)
    envelopes = []
    for other in everybody:
        context = Context(
            honest.ceremony,
            Kind.ROUND2_SHARE,
            P256.id,
            party.public.sign_key.digest,
            other.public.agree_key.digest,
            binding=honest.round1_hash,
        )
        share = round2.Package(P256, SigningShare.deserialize(P256, Secret(bytes(31) + b"\7")))
        envelopes.append(Enclosure.of(envelope.encrypt(context, share.serialize(), [other.public])))
    return resign(party, replace(honest, envelopes=Envelopes.of(envelopes)))


def bad_signature_share(party: Party, message: bytes) -> bytes:
    """Answer with a share that is none of this signature."""
    honest: Response = said(message)
    value = SignatureShare.deserialize(P256, honest.shares[0])
    return resign(party, replace(honest, shares=(value.serialize()[:-1] + bytes([value.serialize()[-1] ^ 1]),)))


def sealed(party: Party) -> bytes:
    """A sealed record, as it lies in the token."""
    return next(iter(party.records().values()))


def signed_nonsense(party: Party) -> bytes:
    """Something signed that is no message."""
    with party.holder() as holder:
        return pem.encode(cms.PEM_LABEL, cms.sign(oids.ROUND1, b"nonsense", holder))


def _round1(party: Party, message: bytes, package: Package) -> bytes:
    honest: Round1 = said(message)
    return resign(party, replace(honest, package=package.serialize(), y_coordinates=package.y_coordinates() or None))
