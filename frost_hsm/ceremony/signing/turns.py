"""What the signers of a request answer: a share of the first signature on every item; then, of those that take two,
a share of the second, which is on something made of the first. The answers of one turn are checked in one way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frost_hsm.ceremony.history import signature_shares
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.signature_shares import Answer
from frost_hsm.ceremony.history.transcript import Transcript
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.using import Commitment, Response, SecondResponse, SigningRequest
from frost_hsm.errors import DeserializationError, ForeignMessage, InvalidContents, InvalidSignatureShare
from frost_hsm.frost import signing
from frost_hsm.frost.packages import (
    Identifier,
    PublicKeyPackage,
    SignatureShare,
    SigningPackage,
)
from frost_hsm.frost.signing import CheaterDetection


@dataclass(frozen=True, slots=True)
class Turn:
    """What all answer at once.

    kind: of their messages. answered: those that they answer, whose hash they name. before: those before these.
    packages: what is signed, one an item.
    """

    key: GroupKey
    request: SigningRequest
    transcript: Transcript
    kind: type[Answer]
    answered: Mapping[str, Signed[Any]]
    before: tuple[Signed[Any], ...]
    packages: list[SigningPackage]

    @property
    def answered_hash(self) -> bytes:
        """What an answer names."""
        return transcript_hash(self.answered.values())

    @property
    def public_key_packages(self) -> list[PublicKeyPackage]:
        """What shares and signature are checked with, one a package: the group's, or randomized as the request says."""
        public = self.key.public_key_package
        return [signature_shares.public_key_package(self.request, package, public) for package in self.packages]

    def check(self, answers: Mapping[str, Signed[Any]]) -> None:
        """Check the answers that are here. Raises `InvalidSignatureShare`, naming every signer whose share is bad."""
        for package, shares, public in self._checked(answers):
            bad = signing.find_cheaters(package, shares, public)
            if bad:
                raise self._convict(self.key.participants(bad), answers)

    def put_together(self, answers: Mapping[str, Signed[Any]], detection: CheaterDetection) -> list[bytes]:
        """Put the answers of all together to signatures, verified and encoded, one a package.

        Raises `InvalidSignatureShare`, naming as many as ``detection`` looks for; `InvalidSignature` if for none.
        """
        signatures = []
        for package, shares, public in self._checked(answers):
            try:
                signature = signing.aggregate(package, shares, public, cheater_detection=detection)
            except InvalidSignatureShare as error:
                names = self.key.participants(each for each in error.culprits if isinstance(each, Identifier))
                raise self._convict(names, answers) from error
            signatures.append(signature.serialize())
        return signatures

    def _checked(
        self, answers: Mapping[str, Signed[Any]]
    ) -> Iterator[tuple[SigningPackage, dict[Identifier, SignatureShare], PublicKeyPackage]]:
        """Go through what is signed, the shares of it that are here, and what they are checked with."""
        for name, said in answers.items():
            if signature_shares.answered_hash(said.message) != self.answered_hash:
                raise ForeignMessage(
                    f"{name} answered other {'responses' if self.before else 'commitments'} than these",
                    hint="compare these files of all signers: frost-hsm inspect --digest",
                )
        shares = {}
        for name, said in answers.items():
            try:
                shares[name] = signature_shares.read_shares(self.key.state, said, len(self.packages))
            except DeserializationError as error:
                self.transcript.stop([said])
                raise invalid(said, f"a share that is none: {error}") from error
        for number, (package, public) in enumerate(zip(self.packages, self.public_key_packages, strict=True)):
            yield package, {self.key.identifier(name): each[number] for name, each in shares.items()}, public

    def _convict(self, names: Sequence[str], answers: Mapping[str, Signed[Any]]) -> InvalidSignatureShare:
        proof = [*self.before, *self.answered.values(), *(answers[name] for name in names)]
        self.transcript.stop(proof, [self.key.public_key_package.serialize()])
        return InvalidSignatureShare(
            f"{' and '.join(names)} signed a signature share that does not verify", culprits=names
        )


def first(
    key: GroupKey,
    request: Signed[SigningRequest],
    transcript: Transcript,
    messages: Sequence[bytes],
    commitments: Mapping[str, Signed[Commitment]],
) -> Turn:
    """Return the first turn: commitments are answered, and what is none convicts its sender. messages: one an item."""
    for said in commitments.values():
        try:
            signature_shares.read_commitments(key.state, said, request.message.signatures)
        except DeserializationError as error:
            transcript.stop([said])
            raise invalid(said, f"commitments that are none: {error}") from error
    try:
        chosen = signature_shares.commitments(key.state, request.message, list(commitments.values()))
        packages = signature_shares.signing_packages(key.state, chosen, messages)
    except DeserializationError as error:
        transcript.stop([])
        raise invalid(request, f"commitments that are none: {error}") from error
    return Turn(key, request.message, transcript, Response, commitments, (), packages)


def second(first: Turn, messages: Sequence[bytes], responses: Mapping[str, Signed[Response]]) -> Turn:
    """Return the turn after that: responses are answered. messages: one an item that takes two signatures."""
    state, before = first.key.state, list(first.answered.values())
    chosen = signature_shares.commitments(state, first.request, before)[len(first.packages) :]
    packages = signature_shares.signing_packages(state, chosen, messages)
    return Turn(first.key, first.request, first.transcript, SecondResponse, responses, tuple(before), packages)


def invalid(said: Signed[Any], what: str) -> InvalidContents:
    """Return the error that names who signed what cannot be."""
    return InvalidContents(f"{said.sender.name} signed {what}", culprits=[said.sender.name])
