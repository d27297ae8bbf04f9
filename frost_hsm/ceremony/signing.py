"""Signing between people: request → commit → respond → aggregate.

A request fixes the key, the message and the signers; every signer sees the message itself. There is no
coordinator: whoever holds all commitments and responses can aggregate, without a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frost_hsm.ceremony import signed
from frost_hsm.ceremony.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.inbox import Inbox
from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.messages import HASH_LENGTH, Commitment, Response, SigningRequest
from frost_hsm.ceremony.sealed_signer import SealedSigner
from frost_hsm.ceremony.signed import Signed, transcript_hash
from frost_hsm.ceremony.store import REQUEST, SIGNATURE, StateDirectory, request_folder
from frost_hsm.ceremony.transcript import STEPS, Transcript
from frost_hsm.errors import (
    DeserializationError,
    ForeignMessage,
    InvalidContents,
    InvalidSignatureShare,
    NonceUsed,
    NotKnown,
    NotPossible,
)
from frost_hsm.frost import signing
from frost_hsm.frost.packages import Identifier, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.signing import CheaterDetection
from frost_hsm.secret import Entropy, system_entropy


@dataclass(frozen=True, slots=True)
class Status:
    """Where a request stands: the step that comes next, and who has not been heard for it."""

    step: str  # commit, respond, aggregate, done
    have: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def request(
    holder: Holder, key: GroupKey, message: bytes, signers: list[str], *, entropy: Entropy = system_entropy
) -> bytes:
    """Write a request: which key signs which message, by whom. Any participant may; returns the signed message."""
    key.require_active()
    if len(set(signers)) < key.min_signers or len(set(signers)) != len(signers):
        raise NotPossible(f"{key.name} needs {key.min_signers} or more different signers, not {len(set(signers))}")
    positions = tuple(sorted(key.roster.position(name) for name in signers))
    random = bytearray(HASH_LENGTH)
    entropy(memoryview(random))
    return signed.write(
        SigningRequest(key.ceremony, key.verifying_key, key.epoch, bytes(random), message, positions), holder
    )


class SigningSession:
    """One request, as one of the participants sees it."""

    def __init__(self, home: StateDirectory, key: GroupKey, request: Signed[SigningRequest]) -> None:
        wanted = request.message
        if (wanted.ceremony, wanted.key) != (key.ceremony, key.verifying_key):
            raise ForeignMessage(f"the request is not for key {key.name}")
        if wanted.epoch != key.epoch:
            raise ForeignMessage(
                f"the request is for epoch {wanted.epoch} of {key.name}, which is in epoch {key.epoch} here",
                hint=f"somebody has not finished the refresh: frost-hsm refresh status {key.name}",
            )
        if wanted.signers[-1] > len(key.roster):  # no fault of the sender: somebody may have joined the others
            raise ForeignMessage(
                f"the request names participant {wanted.signers[-1]} of {key.name}, which has {len(key.roster)} here",
                hint="if somebody joined, take in their repair first: frost-hsm repair confirm",
            )
        if len(wanted.signers) < key.min_signers:
            raise InvalidContents(
                f"{request.sender.name} signed a request with signers that {key.name} cannot have",
                culprits=[request.sender.name],
            )
        self.home = home
        self.key = key
        self.request = request
        self.id = request.content_digest
        self.signers = tuple(key.roster.at(position).name for position in wanted.signers)
        self._folder = request_folder(self.id)
        self.transcript = Transcript(
            home,
            self._folder,
            key.roster,
            key.me,
            self._belongs,
            title=f"request {self.id[:8].hex()}",
            stem=self.id[:8].hex(),
            expected=self.signers,
        )

    @classmethod
    def read(cls, home: StateDirectory, data: bytes, me: PublicIdentity) -> SigningSession:
        """Take a request file; its sender and its key have to be known here."""
        wanted = signed.peek(data, SigningRequest)
        key = GroupKey.find(home, wanted.ceremony, me)
        if wanted.epoch < key.epoch:
            key = GroupKey.load(home, key.name, me, epoch=wanted.epoch)
        return cls(home, key, signed.read(data, key.roster).expect(SigningRequest))

    @classmethod
    def names(cls, home: StateDirectory) -> list[str]:
        """List the ids, in hex, of the requests that are kept here. Evidence may be kept without its request."""
        return [name for name in home.names("requests") if home.exists(f"requests/{name}/{REQUEST}")]

    @classmethod
    def load(cls, home: StateDirectory, prefix: str, me: PublicIdentity) -> SigningSession:
        """Take up a request that was kept before, by the first digits of its id."""
        names = [name for name in cls.names(home) if prefix and name.startswith(prefix)]
        data = home.read(f"requests/{names[0]}/{REQUEST}") if len(names) == 1 else None
        if data is None:
            raise NotKnown(f'there is no one request "{prefix}" here', hint="see: frost-hsm sign status")
        return cls.read(home, data, me)

    # ── The steps ──

    def commit(self, open_holder: OpenHolder, *, entropy: Entropy = system_entropy) -> bytes:
        """Agree to sign: draw nonces and publish their commitments; returns the message for the other signers."""
        self._require_signer()
        self.key.require_active()
        sent = self.transcript.sent(Commitment)
        if sent is None:
            with open_holder() as holder, self.home.lock():
                sent = self.transcript.sent(Commitment)
                if sent is None:
                    signer = SealedSigner(self.key, holder, self.home)
                    signer.forget(self._answered())
                    self.home.put(f"{self._folder}/{REQUEST}", self.request.to_pem())
                    commitments = signer.commit(self.id, entropy=entropy)
                    said = Commitment(self.id, commitments.serialize(), commitments.y_coordinates())
                    sent = self.transcript.write(said, holder)
        return sent.to_pem()

    def respond(self, open_holder: OpenHolder, inbox: Inbox) -> bytes:
        """Sign with the commitments of all signers; returns the message for whoever aggregates.

        The same again returns the stored answer; with other commitments, `NonceUsed`.
        """
        self._require_signer()
        self.key.require_active()
        received = self.transcript.gather(Commitment, inbox)
        commitments_hash = transcript_hash(received.values())
        sent = self.transcript.sent(Response)
        if sent is None:
            package = self._signing_package(received)
            with open_holder() as holder, self.home.lock():
                sent = self.transcript.sent(Response)
                if sent is None:
                    answers: list[Signed[Response]] = []

                    def keep(share: SignatureShare) -> None:
                        self.transcript.keep(received)
                        said = Response(self.id, commitments_hash, share.serialize())
                        answers.append(self.transcript.write(said, holder))

                    SealedSigner(self.key, holder, self.home).sign(package, self.id, keep=keep)
                    [sent] = answers
        if sent.message.commitments_hash != commitments_hash:
            raise NonceUsed(f"the nonces for request {self.id[:8].hex()} were used, with other commitments")
        return sent.to_pem()

    def aggregate(self, inbox: Inbox) -> bytes:
        """Put the responses together and verify the signature before it is let out; needs no token.

        Returns the encoded signature. `InvalidSignatureShare` names every signer whose share is bad.
        """
        commitments = self.transcript.gather(Commitment, inbox)
        responses = self.transcript.gather(Response, inbox)
        commitments_hash = transcript_hash(commitments.values())
        for name, said in responses.items():
            if said.message.commitments_hash != commitments_hash:
                raise ForeignMessage(
                    f"{name} answered other commitments than these",
                    hint="compare the commitment files of all signers: frost-hsm inspect --digest",
                )
        package = self._signing_package(commitments)
        shares = self._shares(responses)
        try:
            signature = signing.aggregate(
                package, shares, self.key.public_key_package, cheater_detection=CheaterDetection.ALL
            )
        except InvalidSignatureShare as error:
            names = [self.key.participant(culprit) for culprit in error.culprits if isinstance(culprit, Identifier)]
            self.transcript.stop([responses[name] for name in names])
            raise InvalidSignatureShare(
                f"{' and '.join(names)} signed a signature share that does not verify", culprits=names
            ) from error
        encoded = signature.serialize()
        with self.home.lock():
            self.home.put(f"{self._folder}/{REQUEST}", self.request.to_pem())
            self.transcript.keep(commitments)
            self.transcript.keep(responses)
            self.home.replace(f"{self._folder}/{SIGNATURE}", encoded)
        return encoded

    def _answered(self) -> list[bytes]:
        """List the requests that were answered here: their nonces have served, whatever is left of them."""
        answer = f"{STEPS[Response]}/{self.key.me.name}.pem"
        names = self.names(self.home)
        return [bytes.fromhex(name) for name in names if self.home.exists(f"requests/{name}/{answer}")]

    def status(self) -> Status:
        """Say what comes next, and who has not been heard for it."""
        if self.home.exists(f"{self._folder}/{SIGNATURE}"):
            return Status("done")
        if self.transcript.sent(Response) is not None:
            return self._status("aggregate", self.transcript.known(Response))
        if self.transcript.sent(Commitment) is not None:
            return self._status("respond", self.transcript.known(Commitment))
        return Status("commit" if self.key.me.name in self.signers else "aggregate")

    def _status(self, step: str, known: Mapping[str, object]) -> Status:
        return Status(step, tuple(known), tuple(name for name in self.signers if name not in known))

    # ── What others signed ──

    def _signing_package(self, received: Mapping[str, Signed[Commitment]]) -> SigningPackage:
        commitments = {}
        for name, said in received.items():
            message = said.message
            try:
                commitments[self.key.identifier(name)] = SigningCommitments.deserialize(
                    self.key.suite, message.commitments, message.y_coordinates
                )
            except DeserializationError as error:
                raise InvalidContents(f"{name} signed commitments that are none: {error}", culprits=[name]) from error
        return SigningPackage(self.key.suite, commitments, self.request.message.message)

    def _shares(self, received: Mapping[str, Signed[Response]]) -> dict[Identifier, SignatureShare]:
        shares = {}
        for name, said in received.items():
            try:
                shares[self.key.identifier(name)] = SignatureShare.deserialize(self.key.suite, said.message.share)
            except DeserializationError as error:
                raise InvalidContents(f"{name} signed a share that is none: {error}", culprits=[name]) from error
        return shares

    def _belongs(self, said: Signed[Any]) -> bool:
        if isinstance(said.message, Commitment | Response):
            return said.message.request == self.id and said.sender.name in self.signers
        return said.content_digest == self.id  # the request itself, lying among the others

    def _require_signer(self) -> None:
        if self.key.me.name not in self.signers:
            raise NotPossible(
                f"{self.key.me.name} is not among the signers of this request: {', '.join(self.signers)}",
                hint="ask for a request that names you",
            )
