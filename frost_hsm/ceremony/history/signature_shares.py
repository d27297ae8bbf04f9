"""Whether signature shares are what their signers agreed to, by the messages alone.

A request names the state of the key that it is said in. A response names its request and, by their hash, the
commitments that it answers. What its signer's verifying share is, all have confirmed who made that state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Self, TypeAlias, TypeVar

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
    for said in request.commitments.values():
        try:
            read_commitments(state, said, wanted.signatures)
        except DeserializationError as error:
            yield said, InvalidContents, f"signed commitments that are none: {error}"
    signers = [state.roster.at(position) for position in wanted.signers]
    asked = None if public is None else _Asked.of(request, signers, public, derive)
    answers: tuple[tuple[Iterable[Signed[Any]], int], ...] = (
        (request.responses.values(), len(wanted.items)),
        (request.second_responses.values(), len(wanted.twice)),
    )
    for of_kind, items in answers:
        alike: dict[bytes, list[_Shares]] = {}
        for answer in of_kind:
            try:
                shares = read_shares(state, answer, items)
            except DeserializationError as error:
                yield answer, InvalidContents, f"signed a share that is none: {error}"
                continue
            alike.setdefault(answered_hash(answer.message), []).append((answer, shares))
        for same in alike.values():
            for answer in asked.misfits(same) if asked is not None else ():
                yield answer, InvalidSignatureShare, "signed a signature share that does not verify"


_Shares: TypeAlias = tuple[Signed[Any], list[SignatureShare]]
"""An answer, and what is in it."""


@dataclass(frozen=True)
class _Asked:
    """A request, with what its signers said that others answered: all who answered the same are judged at once.

    committed, responded: by the hash that answers name, of all signers one message.
    """

    request: Request
    signers: Sequence[PublicIdentity]
    public: PublicKeyPackage
    derive: Derive
    committed: Mapping[bytes, tuple[Signed[Commitment], ...]]
    responded: Mapping[bytes, tuple[Signed[Response], ...]]

    @classmethod
    def of(cls, request: Request, signers: Sequence[PublicIdentity], public: PublicKeyPackage, derive: Derive) -> Self:
        committed = _views(request.commitments.values(), signers)
        if request.beginning.message.commitments:  # made ahead, they stand in the request: the hash is that of none
            committed = {transcript_hash(()): ()}
        return cls(request, signers, public, derive, committed, _views(request.responses.values(), signers))

    def misfits(self, answers: Sequence[_Shares]) -> Iterator[Signed[Any]]:
        """List the answers that do not fit, of those that name the same hash."""
        packages: Sequence[SigningPackage] = ()
        with suppress(InputProblem, UsageProblem, ProtocolViolation):
            packages = self._packages(answers[0][0].message)
        for some in _two_of_each(answers, self.signers):
            shares = {self.request.state.identifier(answer.sender.name): shares for answer, shares in some}
            bad: set[Identifier] = set()
            for number, package in enumerate(packages):
                of_item = {identifier: each[number] for identifier, each in shares.items()}
                with suppress(FrostHsmError):  # commitments that cancel out, or the like: somebody else's doing
                    public = public_key_package(self.request.beginning.message, package, self.public)
                    bad.update(signing.find_cheaters(package, of_item, public))
            yield from (answer for (answer, _), identifier in zip(some, shares, strict=True) if identifier in bad)

    def _packages(self, answer: Answer) -> Sequence[SigningPackage]:
        """Return what somebody signed; none if it is not all here. Raises what says that it cannot be derived here."""
        if isinstance(answer, SecondResponse):
            return self._second_packages(answer)
        state, wanted = self.request.state, self.request.beginning.message
        said = self.committed.get(answer.commitments_hash)
        if said is None:
            return ()
        messages = [self.derive(item, self.public.verifying_key) for item in wanted.items]
        return signing_packages(state, commitments(state, wanted, said), messages)

    def _second_packages(self, answer: SecondResponse) -> Sequence[SigningPackage]:
        """As `_packages`, by the first signatures, which are made of the responses again."""
        state, wanted = self.request.state, self.request.beginning.message
        responses = self.responded.get(answer.responses_hash, ())
        answered = {each.message.commitments_hash for each in responses}
        said = self.committed.get(answered.pop()) if len(answered) == 1 else None
        if said is None:
            return ()
        packages = self._packages(responses[0].message)
        read = {state.identifier(each.sender.name): read_shares(state, each, len(packages)) for each in responses}
        messages = []
        for number in wanted.twice:
            of_item = {identifier: shares[number] for identifier, shares in read.items()}
            package = packages[number]
            first = signing.aggregate(package, of_item, public_key_package(wanted, package, self.public))
            messages.append(self.derive(wanted.items[number], self.public.verifying_key, first.serialize()))
        return signing_packages(state, commitments(state, wanted, said)[len(packages) :], messages)


def _views(said: Iterable[Signed[M]], signers: Sequence[PublicIdentity]) -> dict[bytes, tuple[Signed[M], ...]]:
    """Return the sets of messages, one of each signer, that somebody may have meant, by their hash."""
    by_signer: dict[PublicIdentity, list[Signed[M]]] = {signer: [] for signer in signers}
    for each in said:
        if each.sender in by_signer:
            by_signer[each.sender].append(each)
    return {transcript_hash(view): view for view in islice(product(*by_signer.values()), _MOST_VIEWS)}


def _two_of_each(answers: Sequence[_Shares], signers: Sequence[PublicIdentity]) -> list[list[_Shares]]:
    """Pick two answers of each signer, to be judged in turn: of two different ones to the same, one is bad already."""
    picked: tuple[dict[PublicIdentity, _Shares], ...] = ({}, {})
    among = frozenset(signers)
    for answer, shares in answers:
        place = next((each for each in picked if answer.sender not in each), None)
        if place is not None and answer.sender in among:
            place[answer.sender] = answer, shares
    return [list(each.values()) for each in picked]


def public_key_package(request: SigningRequest, package: SigningPackage, public: PublicKeyPackage) -> PublicKeyPackage:
    """Return what shares and signature are checked with, randomized if the request says so."""
    if not request.randomizer_seed:
        return public
    with Secret(request.randomizer_seed) as seed:
        return rerandomized.public_key_package(public, seed, package.signing_commitments)
