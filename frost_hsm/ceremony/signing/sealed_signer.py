"""A signer whose share lies in a token: commit, sign, and nonces that serve once whatever happens between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import (
    IncorrectCommitment,
    IncorrectNumberOfSigners,
    KeyExists,
    KeyNotFound,
    MissingCommitment,
    NonceUsed,
    SealBroken,
)
from frost_hsm.frost import signing
from frost_hsm.frost.packages import KeyPackage, SignatureShare, SigningCommitments, SigningNonces, SigningPackage
from frost_hsm.frost.rerandomized import sign_with_randomizer_seed
from frost_hsm.secret import Entropy, Secret, system_entropy


class SealedSigner:
    """Signs with a share that is sealed in a token. For programs; safe for several threads and processes.

    Nonces wait in the token as a sealed record. To sign, they are sealed a second time, bound to the one signing
    package, and the first record is destroyed and seen to be gone; only then does a signature share exist. So a
    crash anywhere loses nothing: the same package can still be signed, with the same result, and no other can.
    The bound record goes once the share has been kept.

    The state directory's lock keeps two processes from binding the same nonces to two packages. Where two state
    directories share a token, the one that destroys the first record wins and the other gives up; but should that one
    be killed before it has cleared up, it could go on later. So give a token one state directory.
    """

    def __init__(self, key: GroupKey, holder: Holder, home: StateDirectory) -> None:
        self.key = key
        self._records = SealedRecords(holder, home)
        self._home = home
        self._are_rounds_over = False

    def commit(self, request: bytes = b"", *, entropy: Entropy = system_entropy) -> SigningCommitments:
        """Draw a pair of nonces, seal it and return its commitments (RFC 9591, section 5.1).

        request: the id of what the nonces are for, if there is one; the same again returns the same commitments. Raises
        `NonceUsed` if those are bound to a signing package already, which has to be signed first.
        """
        self.key.require_active()
        with self._home.lock():
            if request:
                waiting = self._records.find(self._loose(request), self._loose_context(request))
                if waiting is not None:
                    with waiting:
                        return self._commitments(waiting)
                if self._bound(request) in self._waiting(Kind.BOUND_NONCES):
                    raise NonceUsed("the nonces for this request are bound to a signing package")
            package = self._unseal()
            nonces, commitments = signing.commit(package.signing_share, entropy=entropy)
            package.wipe()
            try:
                self._seal(nonces, request)
            finally:
                nonces.wipe()
            return commitments

    def preprocess(self, count: int, *, entropy: Entropy = system_entropy) -> list[SigningCommitments]:
        """Make many pairs of nonces at once, to sign in one round later (ZcashFoundation: ``preprocess``).

        Seals all of them or none and returns their commitments, each for one signature. Raises `UsageProblem` for a
        ``count`` below 1, and what the token says that has no space left.
        """
        self.key.require_active()
        with self._home.lock():
            package = self._unseal()
            pairs = signing.preprocess(count, package.signing_share, entropy)
            package.wipe()
            try:
                for nonces, _ in pairs:
                    self._seal(nonces)
            except BaseException:
                self.forget(_hash(commitments) for _, commitments in pairs)
                raise
            finally:
                for nonces, _ in pairs:
                    nonces.wipe()
            return [commitments for _, commitments in pairs]

    def prepared(self) -> list[str]:
        """List the records of the pairs that wait for no request that is kept here: they were made ahead."""
        return self._unrequested(Kind.SIGNING_NONCES)

    def discard_prepared(self) -> int:
        """Destroy the pairs that were made ahead, and what a crash left of others; returns how many waited."""
        with self._home.lock():
            waiting = self.prepared()
            for name in (*waiting, *self._unrequested(Kind.BOUND_NONCES)):
                self._records.destroy(name)
        return len(waiting)

    def sign(
        self,
        signing_package: SigningPackage,
        request: bytes = b"",
        *,
        randomizer_seed: Secret | None = None,
        keep: Callable[[SignatureShare], None] = lambda share: None,
    ) -> SignatureShare:
        """Sign with the nonces of `commit` or `preprocess`, once (RFC 9591, section 5.2).

        request: as given to `commit`. randomizer_seed: the coordinator's, to sign under a randomized key
        (`rerandomized`); the nonces are bound to it as well. keep: called with the share before its nonces are
        destroyed for good; what it stores survives, and until it returns the same package can be signed again after a
        crash.

        Raises `NonceUsed` if the nonces have served or are bound to another package, `MissingCommitment`,
        `IncorrectCommitment`, `IncorrectNumberOfSigners`: all before anything has changed.
        """
        self.key.require_active()
        mine = self._check(signing_package)
        subject = request or _hash(mine)
        with self._home.lock():
            plaintext = self._bind(subject, request, _digest(signing_package, randomizer_seed), mine)
            with plaintext:
                nonces = SigningNonces.deserialize(self.key.suite, plaintext)
            package = self._unseal()
            try:
                if randomizer_seed is None:
                    share = signing.sign(signing_package, nonces, package)
                else:
                    share = sign_with_randomizer_seed(signing_package, nonces, package, randomizer_seed)
            finally:
                package.wipe()
                nonces.wipe()
            keep(share)
            with suppress(KeyNotFound):  # somebody who does not share our lock has lost the race and cleared up
                self._records.destroy(self._bound(subject))
            return share

    def forget(self, subjects: Iterable[bytes]) -> None:
        """Destroy what is left of nonces that nobody will use: a crash after `keep`, a token that was full.

        subjects: the ids of requests, or hashes of commitments.
        """
        with self._home.lock():
            left = set(self._waiting(Kind.SIGNING_NONCES, Kind.BOUND_NONCES))
            for subject in subjects if left else ():
                for name in left & {self._loose(subject), self._bound(subject)}:
                    self._records.destroy(name)

    def _unseal(self) -> KeyPackage:
        """Open the share. First of all goes what would have settled a dispute about the rounds: the key is active."""
        if not self._are_rounds_over:
            with suppress(KeyNotFound):
                self._records.destroy(self.key.record_name(Kind.ROUND2_DONE))
            self._are_rounds_over = True
        return self.key.unseal(self._records)

    def _seal(self, nonces: SigningNonces, request: bytes = b"") -> None:
        with nonces.serialize() as plaintext:
            subject = request or _hash(nonces.commitments)
            self._records.put(self._loose(subject), self._loose_context(request), plaintext)

    def _waiting(self, *kinds: Kind) -> list[str]:
        """List the records of some kinds that this key has."""
        beginnings = tuple(f"{self.key.record_name(kind)}." for kind in kinds)
        return [name for name in self._records.names() if name.startswith(beginnings)]

    def _unrequested(self, kind: Kind) -> list[str]:
        requested = {self.key.record_name(kind, bytes.fromhex(name)) for name in self._home.names("requests")}
        return [name for name in self._waiting(kind) if name not in requested]

    def _check(self, package: SigningPackage) -> SigningCommitments:
        """Find everything wrong with a signing package that can be found before nonces are bound to it."""
        signers = package.signing_commitments
        if len(signers) < self.key.min_signers:
            raise IncorrectNumberOfSigners(
                f"key {self.key.name} needs {self.key.min_signers} signers, not {len(signers)}"
            )
        self.key.participants(signers)  # raises for anybody else
        mine = signers.get(self.key.identifier(self.key.me.name))
        if mine is None:
            raise MissingCommitment(f"the signing package holds no commitments of {self.key.me.name}")
        return mine

    def _bind(self, subject: bytes, request: bytes, signed: bytes, mine: SigningCommitments) -> Secret:
        """Bind waiting nonces to the one thing that is signed with them, for good; returns them. signed: its digest."""
        context = self.key.context(Kind.BOUND_NONCES, signed)
        loose, bound = self._loose(subject), self._bound(subject)
        waiting = self._records.find(loose, self._loose_context(request))
        if waiting is not None and self._commitments(waiting) != mine:
            waiting.wipe()
            raise IncorrectCommitment(f"the signing package holds other commitments of {self.key.me.name}")
        try:
            nonces = self._records.find(bound, context)
        except SealBroken:
            raise NonceUsed("these nonces are bound to another signing package") from None
        if nonces is None:
            if waiting is None:
                raise NonceUsed("these nonces have been used, or are not in this token")
            try:
                self._records.put(bound, context, waiting)
            except KeyExists:
                raise self._lost_race(waiting) from None
            nonces = waiting
        if waiting is not None:
            try:
                self._records.destroy(loose)
            except KeyNotFound:
                with suppress(KeyNotFound):
                    self._records.destroy(bound)
                raise self._lost_race(waiting) from None
        return nonces

    def _lost_race(self, nonces: Secret) -> NonceUsed:
        """Give up: somebody who does not share our lock was faster, and these nonces are theirs."""
        nonces.wipe()
        return NonceUsed("these nonces were used from another place at this instant")

    def _commitments(self, plaintext: Secret) -> SigningCommitments:
        nonces = SigningNonces.deserialize(self.key.suite, plaintext)
        commitments = nonces.commitments
        nonces.wipe()
        return commitments

    def _loose_context(self, request: bytes) -> Context:
        return self.key.context(Kind.SIGNING_NONCES, request)

    def _loose(self, subject: bytes) -> str:
        return self.key.record_name(Kind.SIGNING_NONCES, subject)

    def _bound(self, subject: bytes) -> str:
        return self.key.record_name(Kind.BOUND_NONCES, subject)


def _hash(commitments: SigningCommitments) -> bytes:
    return hashlib.sha256(commitments.serialize()).digest()


def _digest(package: SigningPackage, randomizer_seed: Secret | None) -> bytes:
    """Hash all that decides what a signature share says: another seed is another key, and so another challenge."""
    hashed = hashlib.sha256(package.serialize())
    if randomizer_seed is not None:
        with randomizer_seed.reveal() as view:
            hashed.update(view)
    return hashed.digest()
