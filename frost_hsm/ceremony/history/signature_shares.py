"""Whether signature shares are what their signers agreed to, by the messages alone.

A request names the state of the key that it is said in. A response names its request and, by their hash, the
commitments that it answers. What its signer's verifying share is, all have confirmed who made that state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, product
from typing import Any, TypeAlias, TypeVar

from frost_hsm.ceremony.history.chain import History, Request
from frost_hsm.ceremony.history.state import State
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.using import Commitment, Derive, Response, SecondResponse, SigningRequest
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
from frost_hsm.frost.packages import (
    Identifier,
    PublicKeyPackage,
    SignatureShare,
    SigningCommitments,
    SigningPackage,
)
from frost_hsm.secret import Secret

M = TypeVar("M", bound=Message)

Wrong = tuple[Signed[Any], type[ProtocolViolation], str]
"""A message, what is wrong with it, and how that is said after its sender's name."""

Answer: TypeAlias = Response | SecondResponse

_MOST_VIEWS = 64  # sets of commitments that are tried; there is more than one only where somebody committed twice


def wrong(history: History, derive: Derive) -> Iterator[Wrong]:
    """List the commitments and responses that convict their senders. derive: the bytes to sign of an item."""
    for request in history.requests.values():
        if request.beginning.message.signers[-1] <= len(request.state.roster):
            yield from _wrong(request, history.package(request.state), derive)


def read_commitments(state: State, said: Signed[Commitment], signatures: int) -> list[SigningCommitments]:
    """Read the commitments of a message, one a signature; raises `DeserializationError`, the sender's fault."""
    message = said.message
    if len(message.commitments) != signatures:
        raise DeserializationError(f"there are {len(message.commitments)} for {signatures} items")
    y_coordinates: Sequence[bytes | None] = message.y_coordinates or [None] * signatures
    return [
        SigningCommitments.deserialize(state.suite, encoded, y)
        for encoded, y in zip(message.commitments, y_coordinates, strict=True)
    ]


def answered_hash(answer: Answer) -> bytes:
    """Return the hash of the messages that somebody answered."""
    return answer.commitments_hash if isinstance(answer, Response) else answer.responses_hash


def read_shares(state: State, said: Signed[Response] | Signed[SecondResponse], items: int) -> list[SignatureShare]:
    """Read the signature shares of a message, one an item; raises `DeserializationError`, the sender's fault."""
    if len(said.message.shares) != items:
        raise DeserializationError(f"there are {len(said.message.shares)} for {items} items")
    return [SignatureShare.deserialize(state.suite, encoded) for encoded in said.message.shares]


def commitments(
    state: State, request: SigningRequest, said: Sequence[Signed[Commitment]]
) -> list[dict[Identifier, SigningCommitments]]:
    """Return the commitments of all signers, one after the other for each signature. said: in the signers' order.

    Where the request holds commitments made ahead, none are said. Raises `DeserializationError`.
    """
    signers = [state.identifier(state.roster.at(position).name) for position in request.signers]
    if request.commitments:
        ahead = [SigningCommitments.deserialize(state.suite, each) for each in request.commitments]
        of_each = [ahead[start : start + len(signers)] for start in range(0, len(ahead), len(signers))]
    else:
        read = [read_commitments(state, each, request.signatures) for each in said]
        of_each = [[each[number] for each in read] for number in range(request.signatures)]
    return [dict(zip(signers, each, strict=True)) for each in of_each]


def signing_packages(
    state: State, chosen: Sequence[dict[Identifier, SigningCommitments]], messages: Sequence[bytes]
) -> list[SigningPackage]:
    """Return what all sign. messages: the bytes to sign, by the first of the commitments that `commitments` gave."""
    return [SigningPackage(state.suite, of_all, message) for of_all, message in zip(chosen, messages, strict=False)]


def _wrong(request: Request, public: PublicKeyPackage | None, derive: Derive) -> Iterator[Wrong]:
    state, wanted = request.state, request.beginning.message
    for said in request.commitments:
        try:
            read_commitments(state, said, wanted.signatures)
        except DeserializationError as error:
            yield said, InvalidContents, f"signed commitments that are none: {error}"
    signers = [state.roster.at(position) for position in wanted.signers]
    answers = ((request.responses, len(wanted.items)), (request.second_responses, len(wanted.twice)))
    for of_kind, items in answers:
        for answer in of_kind:
            try:
                shares = read_shares(state, answer, items)
            except DeserializationError as error:
                yield answer, InvalidContents, f"signed a share that is none: {error}"
                continue
            if public is None or answer.sender not in signers:
                continue
            packages = _answered(request, signers, answer.message, public, derive)
            for package, share in zip(packages, shares, strict=False):
                if not _fits(state, wanted, package, public, answer.sender, share):
                    yield answer, InvalidSignatureShare, "signed a signature share that does not verify"
                    break


def _answered(
    request: Request, signers: list[PublicIdentity], answer: Answer, public: PublicKeyPackage, derive: Derive
) -> list[SigningPackage]:
    """Return what somebody signed; none if it is not all here, or cannot be derived here."""
    wanted = request.beginning.message
    with suppress(InputProblem, UsageProblem, ProtocolViolation):
        if isinstance(answer, SecondResponse):
            return _answered_again(request, signers, answer, public, derive)
        messages = [derive(item, public.verifying_key) for item in wanted.items]
        said = _committed(request, signers, answer.commitments_hash)
        if said is not None:
            return signing_packages(request.state, commitments(request.state, wanted, said), messages)
    return []


def _answered_again(
    request: Request, signers: list[PublicIdentity], answer: SecondResponse, public: PublicKeyPackage, derive: Derive
) -> list[SigningPackage]:
    """As `_answered`, by the first signatures, which are made of the responses again."""
    state, wanted = request.state, request.beginning.message
    responses = _view(request.responses, signers, answer.responses_hash)
    answered = {each.message.commitments_hash for each in responses or ()}
    said = _committed(request, signers, answered.pop()) if len(answered) == 1 else None
    if responses is None or said is None:
        return []
    packages = _answered(request, signers, responses[0].message, public, derive)
    read = {state.identifier(each.sender.name): read_shares(state, each, len(packages)) for each in responses}
    messages = []
    for number in wanted.twice:
        of_item = {identifier: shares[number] for identifier, shares in read.items()}
        first = signing.aggregate(packages[number], of_item, public_key_package(wanted, packages[number], public))
        messages.append(derive(wanted.items[number], public.verifying_key, first.serialize()))
    return signing_packages(state, commitments(state, wanted, said)[len(packages) :], messages)


def _committed(request: Request, signers: list[PublicIdentity], wanted: bytes) -> Sequence[Signed[Commitment]] | None:
    """As `_view`, of commitments; of those made ahead, which stand in the request, the hash is that of none."""
    if request.beginning.message.commitments:
        return () if wanted == transcript_hash(()) else None
    return _view(request.commitments, signers, wanted)


def _view(said: Sequence[Signed[M]], signers: list[PublicIdentity], wanted: bytes) -> tuple[Signed[M], ...] | None:
    """Return of all signers the message that somebody meant by its hash; None if that is not here."""
    by_signer = [[each for each in said if each.sender == signer] for signer in signers]
    views = islice(product(*by_signer), _MOST_VIEWS)
    return next((view for view in views if transcript_hash(view) == wanted), None)


def public_key_package(request: SigningRequest, package: SigningPackage, public: PublicKeyPackage) -> PublicKeyPackage:
    """Return what shares and signature are checked with, randomized if the request says so."""
    if not request.randomizer_seed:
        return public
    with Secret(request.randomizer_seed) as seed:
        return rerandomized.public_key_package(public, seed, package.signing_commitments)


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
        public = public_key_package(request, package, public)
        verifying_share = public.verifying_shares[identifier]
        signing.verify_signature_share(identifier, verifying_share, share, package, public.verifying_key)
    except InvalidSignatureShare:
        return False
    except FrostHsmError:  # commitments that cancel out, or the like: somebody else's doing
        return True
    return True
