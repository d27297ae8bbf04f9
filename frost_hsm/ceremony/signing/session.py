"""Signing between people: request → commit → respond → aggregate.

A request fixes the key, the message and the signers; every signer sees the message itself. There is no
coordinator: whoever holds all commitments and responses can aggregate, without a token. A request that holds
commitments made ahead (`SealedSigner.preprocess`) goes straight to respond.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.lineage import confirmed_package, lineage
from frost_hsm.ceremony.history.transcript import STEPS, Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import HASH_LENGTH, Commitment, Response, SigningRequest
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import REQUEST, SIGNATURE, StateDirectory, request_folder
from frost_hsm.errors import (
    DeserializationError,
    ForeignMessage,
    InvalidContents,
    InvalidSignatureShare,
    NonceUsed,
    NotKnown,
    NotPossible,
)
from frost_hsm.frost import rerandomized, signing
from frost_hsm.frost.packages import (
    Identifier,
    PublicKeyPackage,
    SignatureShare,
    SigningCommitments,
    SigningPackage,
    VerifyingKey,
)
from frost_hsm.frost.signing import CheaterDetection
from frost_hsm.secret import Entropy, Secret, system_entropy


@dataclass(frozen=True, slots=True)
class Status:
    """Where a request stands: the step that comes next, and who has not been heard for it."""

    step: str  # commit, respond, aggregate, done
    have: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def request(
    holder: Holder,
    key: GroupKey,
    message: bytes,
    signers: Sequence[str],
    *,
    commitments: Mapping[str, SigningCommitments] | None = None,
    is_rerandomized: bool = False,
    entropy: Entropy = system_entropy,
) -> bytes:
    """Write a request: which key signs which message, by whom. Any participant may; returns the signed message.

    commitments: one for each signer, made ahead; None if they are to commit. is_rerandomized: whether the signature is
    to verify under a key that nobody can link to the group's without request and commitments (`rerandomized`).
    """
    key.require_active()
    if len(set(signers)) < key.min_signers or len(set(signers)) != len(signers):
        raise NotPossible(f"{key.name} needs {key.min_signers} or more different signers, not {len(set(signers))}")
    if commitments is not None and commitments.keys() != set(signers):
        raise NotPossible("the commitments made ahead are not those of the signers")
    ordered = sorted(signers, key=key.roster.position)
    random = bytearray(HASH_LENGTH)
    entropy(memoryview(random))
    seed = bytearray(key.suite.group.scalar_length if is_rerandomized else 0)
    entropy(memoryview(seed))
    wanted = SigningRequest(
        key.ceremony,
        key.verifying_key,
        key.epoch,
        bytes(random),
        message,
        tuple(map(key.roster.position, ordered)),
        bytes(seed),
        tuple(commitments[name].serialize() for name in ordered) if commitments is not None else (),
    )
    return signed.write(wanted, holder)


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
            raise _invalid(request, f"a request with signers that {key.name} cannot have")
        if wanted.randomizer_seed and len(wanted.randomizer_seed) != key.suite.group.scalar_length:
            raise _invalid(request, f"a request with a randomizer seed that {key.suite.name} cannot have")
        self.home = home
        self.key = key
        self.request = request
        self.id = request.content_digest
        self.signers = tuple(key.roster.at(position).name for position in wanted.signers)
        self.is_rerandomized = bool(wanted.randomizer_seed)
        self.is_prepared = bool(wanted.commitments)
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
            beginning=lambda: [*lineage(home, key, is_confirmed=True), request],
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
        if self.is_prepared:
            raise NotPossible(
                "the request holds the commitments that its signers made ahead",
                hint="go on with: frost-hsm sign respond",
            )
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
        received = self._gather_commitments(inbox)
        commitments_hash = transcript_hash(received.values())
        sent = self.transcript.sent(Response)
        if sent is None:
            package = self._signing_package(received)
            with open_holder() as holder, self.home.lock():
                sent = self.transcript.sent(Response)
                if sent is None:
                    answers: list[Signed[Response]] = []

                    def keep(share: SignatureShare) -> None:
                        self.home.put(f"{self._folder}/{REQUEST}", self.request.to_pem())
                        self.transcript.keep(received)
                        said = Response(self.id, commitments_hash, share.serialize())
                        answers.append(self.transcript.write(said, holder))

                    SealedSigner(self.key, holder, self.home).sign(
                        package, b"" if self.is_prepared else self.id, randomizer_seed=self._seed, keep=keep
                    )
                    [sent] = answers
        if sent.message.commitments_hash != commitments_hash:
            raise NonceUsed(f"the nonces for request {self.id[:8].hex()} were used, with other commitments")
        return sent.to_pem()

    def check(self, inbox: Inbox) -> Status:
        """Check the signature shares that are here, before all have come in; needs no token.

        Returns whose are good, and who is missing. `InvalidSignatureShare` names every signer whose share is bad.
        """
        commitments = self._gather_commitments(inbox)
        responses = self.transcript.find(Response, inbox)
        self._require_answers_to(commitments, responses)
        package = self._signing_package(commitments)
        shares = {self.key.identifier(name): share for name, share in self._shares(responses).items()}
        bad = signing.find_cheaters(package, shares, self._public_key_package(package))
        if bad:
            raise self._convict(self.key.participants(bad), commitments, responses)
        return self._status("aggregate", responses)

    def aggregate(self, inbox: Inbox, *, cheater_detection: CheaterDetection = CheaterDetection.ALL) -> bytes:
        """Put the responses together and verify the signature before it is let out; needs no token.

        Returns the encoded signature, which verifies under `verifying_key`. `InvalidSignatureShare` names the signers
        whose share is bad, as many as ``cheater_detection`` looks for; `InvalidSignature` if it looks for none.
        """
        commitments = self._gather_commitments(inbox)
        responses = self.transcript.gather(Response, inbox)
        self._require_answers_to(commitments, responses)
        package = self._signing_package(commitments)
        shares = {self.key.identifier(name): share for name, share in self._shares(responses).items()}
        public = self._public_key_package(package)
        try:
            signature = signing.aggregate(package, shares, public, cheater_detection=cheater_detection)
        except InvalidSignatureShare as error:
            names = self.key.participants(each for each in error.culprits if isinstance(each, Identifier))
            raise self._convict(names, commitments, responses) from error
        encoded = signature.serialize()
        with self.home.lock():
            self.home.put(f"{self._folder}/{REQUEST}", self.request.to_pem())
            self.transcript.keep(commitments)
            self.transcript.keep(responses)
            self.home.replace(f"{self._folder}/{SIGNATURE}", encoded)
        return encoded

    @property
    def verifying_key(self) -> VerifyingKey:
        """The key under which the signature verifies: the group's, or one of its own if the request is re-randomized.

        For that the commitments of all signers have to be here; raises `NotYet`.
        """
        if not self.is_rerandomized:
            return self.key.public_key_package.verifying_key
        return self._public_key_package(self._signing_package(self._gather_commitments(Inbox()))).verifying_key

    def _answered(self) -> Iterator[bytes]:
        """Name the nonces of the requests that were answered here: they have served, whatever is left of them."""
        me = self.key.me.name
        for name in self.names(self.home):
            if self.home.exists(f"requests/{name}/{STEPS[Response]}/{me}.pem"):
                yield bytes.fromhex(name)

    def status(self) -> Status:
        """Say what comes next, and who has not been heard for it."""
        if self.home.exists(f"{self._folder}/{SIGNATURE}"):
            return Status("done")
        if self.transcript.sent(Response) is not None:
            return self._status("aggregate", self.transcript.known(Response))
        if self.transcript.sent(Commitment) is not None:
            return self._status("respond", self.transcript.known(Commitment))
        if self.is_prepared and self.key.me.name in self.signers:
            return Status("respond")
        return Status("commit" if self.key.me.name in self.signers else "aggregate")

    def _status(self, step: str, known: Mapping[str, object]) -> Status:
        have = tuple(name for name in self.signers if name in known)
        return Status(step, have, tuple(name for name in self.signers if name not in known))

    # ── What others signed ──

    def _gather_commitments(self, inbox: Inbox) -> dict[str, Signed[Commitment]]:
        """Return the commitments of all signers; none if they stand in the request, whose id then stands for them."""
        return {} if self.is_prepared else self.transcript.gather(Commitment, inbox)

    def _signing_package(self, received: Mapping[str, Signed[Commitment]]) -> SigningPackage:
        said: dict[str, tuple[Signed[Any], bytes, bytes | None]] = {
            name: (each, each.message.commitments, each.message.y_coordinates) for name, each in received.items()
        }
        if self.is_prepared:
            ahead = zip(self.signers, self.request.message.commitments, strict=True)
            said = {name: (self.request, commitments, None) for name, commitments in ahead}
        commitments = {}
        for name, (by, encoded, y_coordinates) in said.items():
            try:
                read = SigningCommitments.deserialize(self.key.suite, encoded, y_coordinates)
            except DeserializationError as error:
                self.transcript.stop([by])
                raise _invalid(by, f"commitments that are none: {error}") from error
            commitments[self.key.identifier(name)] = read
        return SigningPackage(self.key.suite, commitments, self.request.message.message)

    def _public_key_package(self, package: SigningPackage) -> PublicKeyPackage:
        """Return what shares and signature are checked with: the group's, randomized if the request says so."""
        public = self.key.public_key_package
        if self._seed is None:
            return public
        return rerandomized.public_key_package(public, self._seed, package.signing_commitments)

    @property
    def _seed(self) -> Secret | None:
        seed = self.request.message.randomizer_seed
        return Secret(seed) if seed else None

    def _shares(self, received: Mapping[str, Signed[Response]]) -> dict[str, SignatureShare]:
        shares = {}
        for name, said in received.items():
            try:
                shares[name] = SignatureShare.deserialize(self.key.suite, said.message.share)
            except DeserializationError as error:
                self.transcript.stop([said])
                raise _invalid(said, f"a share that is none: {error}") from error
        return shares

    def _require_answers_to(
        self, commitments: Mapping[str, Signed[Commitment]], responses: Mapping[str, Signed[Response]]
    ) -> None:
        commitments_hash = transcript_hash(commitments.values())
        for name, said in responses.items():
            if said.message.commitments_hash != commitments_hash:
                raise ForeignMessage(
                    f"{name} answered other commitments than these",
                    hint="compare the commitment files of all signers: frost-hsm inspect --digest",
                )

    def _convict(
        self,
        names: Sequence[str],
        commitments: Mapping[str, Signed[Commitment]],
        responses: Mapping[str, Signed[Response]],
    ) -> InvalidSignatureShare:
        proof: list[Signed[Any]] = [*commitments.values(), *(responses[name] for name in names)]
        self.transcript.stop(proof, confirmed_package(self.home, self.key))
        return InvalidSignatureShare(
            f"{' and '.join(names)} signed a signature share that does not verify", culprits=names
        )

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


def _invalid(said: Signed[Any], what: str) -> InvalidContents:
    return InvalidContents(f"{said.sender.name} signed {what}", culprits=[said.sender.name])
