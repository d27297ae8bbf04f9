"""Whether signature shares are what their signers agreed to, by the messages alone.

A request names the state of the key that it is said in. A response names its request and, by their hash, the
commitments that it answers. What its signer's verifying share is, all have confirmed who made that state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, product
from typing import Any

from frost_hsm.ceremony.history.chain import History, Request
from frost_hsm.ceremony.history.state import State
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.using import Commitment, Derive, Response, SigningRequest
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.errors import (
    DeserializationError,
    FrostHsmError,
    InputProblem,
    InvalidContents,
    InvalidSignatureShare,
    ProtocolViolation,
    UsageProblem,
)
from frost_hsm.frost import rerandomized, signing
from frost_hsm.frost.packages import PublicKeyPackage, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.secret import Secret

Wrong = tuple[Signed[Any], type[ProtocolViolation], str]
"""A message, what is wrong with it, and how that is said after its sender's name."""

_MOST_VIEWS = 64  # sets of commitments that are tried; there is more than one only where somebody committed twice


def wrong(history: History, derive: Derive) -> Iterator[Wrong]:
    """List the commitments and responses that convict their senders. derive: the bytes to sign of an item."""
    for request in history.requests.values():
        if request.beginning.message.signers[-1] <= len(request.state.roster):
            yield from _wrong(request, history.package(request.state), derive)


def read_commitments(state: State, said: Signed[Commitment], items: int) -> list[SigningCommitments]:
    """Read the commitments of a message, one an item; raises `DeserializationError`, the sender's fault."""
    message = said.message
    if len(message.commitments) != items:
        raise DeserializationError(f"there are {len(message.commitments)} for {items} items")
    y_coordinates: Sequence[bytes | None] = message.y_coordinates or [None] * items
    return [
        SigningCommitments.deserialize(state.suite, encoded, y)
        for encoded, y in zip(message.commitments, y_coordinates, strict=True)
    ]


def read_shares(state: State, said: Signed[Response], items: int) -> list[SignatureShare]:
    """Read the signature shares of a message, one an item; raises `DeserializationError`, the sender's fault."""
    if len(said.message.shares) != items:
        raise DeserializationError(f"there are {len(said.message.shares)} for {items} items")
    return [SignatureShare.deserialize(state.suite, encoded) for encoded in said.message.shares]


def signing_packages(
    state: State, request: SigningRequest, messages: Sequence[bytes], said: Sequence[Signed[Commitment]]
) -> list[SigningPackage]:
    """Return what all sign, one package an item. messages: the bytes to sign. said: in the order of the signers.

    Where the request holds commitments made ahead, none are said. Raises `DeserializationError`.
    """
    signers = [state.identifier(state.roster.at(position).name) for position in request.signers]
    items = len(request.items)
    if request.commitments:
        ahead = [SigningCommitments.deserialize(state.suite, each) for each in request.commitments]
        of_items = [ahead[start : start + len(signers)] for start in range(0, len(ahead), len(signers))]
    else:
        read = [read_commitments(state, each, items) for each in said]
        of_items = [[each[item] for each in read] for item in range(items)]
    return [
        SigningPackage(state.suite, dict(zip(signers, commitments, strict=True)), message)
        for commitments, message in zip(of_items, messages, strict=True)
    ]


def _wrong(request: Request, public: PublicKeyPackage | None, derive: Derive) -> Iterator[Wrong]:
    state, wanted = request.state, request.beginning.message
    items = len(wanted.items)
    for said in request.commitments:
        try:
            read_commitments(state, said, items)
        except DeserializationError as error:
            yield said, InvalidContents, f"signed commitments that are none: {error}"
    signers = [state.roster.at(position) for position in wanted.signers]
    for response in request.responses:
        try:
            shares = read_shares(state, response, items)
        except DeserializationError as error:
            yield response, InvalidContents, f"signed a share that is none: {error}"
            continue
        if public is None or response.sender not in signers:
            continue
        packages = _answered(request, signers, response, public, derive)
        for package, share in zip(packages, shares, strict=False):
            if not _fits(state, wanted, package, public, response.sender, share):
                yield response, InvalidSignatureShare, "signed a signature share that does not verify"
                break


def _answered(
    request: Request,
    signers: list[PublicIdentity],
    response: Signed[Response],
    public: PublicKeyPackage,
    derive: Derive,
) -> list[SigningPackage]:
    """Return what somebody signed; none if it is not all here, or cannot be derived here."""
    wanted = request.beginning.message
    with suppress(InputProblem, UsageProblem):
        messages = [derive(item, public.verifying_key) for item in wanted.items]
        if wanted.commitments:
            is_meant = response.message.commitments_hash == transcript_hash(())
            return signing_packages(request.state, wanted, messages, ()) if is_meant else []
        said = [[each for each in request.commitments if each.sender == signer] for signer in signers]
        for view in islice(product(*said), _MOST_VIEWS):
            if transcript_hash(view) == response.message.commitments_hash:
                return signing_packages(request.state, wanted, messages, view)
    return []


def _fits(
    state: State,
    request: SigningRequest,
    package: SigningPackage,
    public: PublicKeyPackage,
    signer: PublicIdentity,
    share: SignatureShare,
) -> bool:
    identifier = state.identifier(signer.name)
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
