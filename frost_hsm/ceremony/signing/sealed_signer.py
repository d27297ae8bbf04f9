"""A signer whose share lies in a token: commit, sign, and nonces that serve once whatever happens between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.store import StateDirectory, served_folder
from frost_hsm.errors import (
    IncorrectCommitment,
    IncorrectNumberOfSigners,
    KeyNotFound,
    MissingCommitment,
    NonceUsed,
    SealBroken,
)
from frost_hsm.frost import signing
from frost_hsm.frost.packages import KeyPackage, SignatureShare, SigningCommitments, SigningNonces, SigningPackage
from frost_hsm.frost.rerandomized import sign_with_randomizer_seed
from frost_hsm.secret import Entropy, OneProcess, Secret, system_entropy


class SealedSigner:
    """Signs with a share that is sealed in a token. For programs; safe for several threads and processes.

    Nonces wait in the token as a sealed record, and destroying a record is the one thing in a token that exactly one
    caller succeeds with. So only whoever has destroyed it, and noted in the state directory that it served, computes
    a signature share. A record that is found afterwards, because a disk lost power or somebody put a copy back, is
    refused by that note; a note without a record, likewise. A crash, or a token that fails, between destroying and
    answering loses the pair: `NonceUsed`, and a new request serves.

    It refuses in a process that was forked off after it was made.
    """

    def __init__(self, key: GroupKey, holder: Holder, home: StateDirectory) -> None:
        self.key = key
        self._records = SealedRecords(holder, home)
        self._served = Served(home, key.sharing, key.position)
        self._home = home
        self._holder = holder
        self._process = OneProcess()

    def commit(self, request: bytes = b"", *, entropy: Entropy = system_entropy) -> SigningCommitments:
        """Draw a pair of nonces, seal it and return its commitments (RFC 9591, section 5.1).

        request: the id of what the nonces are for, if there is one; the same again returns the same commitments. Raises
        `NonceUsed` if those have served.
        """
        [commitments] = self.commit_all(1, request, entropy=entropy)
        return commitments

    def commit_all(
        self, count: int, request: bytes = b"", *, entropy: Entropy = system_entropy
    ) -> list[SigningCommitments]:
        """As `commit`, of as many pairs as a request has items; in an order that is the same at each call."""
        with self._working():
            found = []
            if request:
                self._require_unserved(request)
                for name in self._waiting(request):
                    with self._records.get(name, self._context(request)) as waiting:
                        found.append(self._commitments(waiting))
            if len(found) < count:
                package = self._unseal()
                try:
                    for _ in range(count - len(found)):  # of a try that was cut short, no commitment has left
                        found.append(self._draw(package, request, entropy))
                finally:
                    package.wipe()
            return sorted(found, key=_hash)[:count]

    def _draw(self, package: KeyPackage, request: bytes, entropy: Entropy) -> SigningCommitments:
        nonces, commitments = signing.commit(package.signing_share, entropy=entropy)
        try:
            self._seal(nonces, request)
        finally:
            nonces.wipe()
        return commitments

    def preprocess(
        self,
        count: int,
        *,
        entropy: Entropy = system_entropy,
        keep: Callable[[Sequence[SigningCommitments]], None] = lambda made: None,
    ) -> list[SigningCommitments]:
        """Make many pairs of nonces at once, to sign in one round later (ZcashFoundation: ``preprocess``).

        Seals all of them or none and returns their commitments, each for one signature. keep: called with them before
        the first pair is sealed, so that one can know after a crash which pairs there may be. Raises `UsageProblem` for
        a ``count`` below 1, and what the token says that has no space left.
        """
        with self._working():
            package = self._unseal()
            try:
                pairs = signing.preprocess(count, package.signing_share, entropy)
            finally:
                package.wipe()
            try:
                keep([commitments for _, commitments in pairs])
                for nonces, _ in pairs:
                    self._seal(nonces)
            except BaseException:
                self.forget(_hash(commitments) for _, commitments in pairs)
                raise
            finally:
                for nonces, _ in pairs:
                    nonces.wipe()
            return [commitments for _, commitments in pairs]

    def are_prepared(self, commitments: Iterable[bytes]) -> list[bytes]:
        """Return those of these encoded commitments whose pair was made ahead and waits."""
        waiting = set(self._waiting())
        return [each for each in commitments if self._name(hashlib.sha256(each).digest()) in waiting]

    def prepared(self) -> list[str]:
        """List the records of the pairs that wait for no request that is kept here: they were made ahead."""
        requested = [self._name(bytes.fromhex(name)) for name in self._home.names("requests")]
        return [name for name in self._waiting() if not name.startswith(tuple(requested))]

    def discard_prepared(self) -> int:
        """Destroy the pairs that were made ahead; returns how many waited."""
        with self._home.lock():
            waiting = self.prepared()
            for name in waiting:
                self._records.discard(name)
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
        (`rerandomized`). keep: called with the share before it is returned, to store it: there is no second one.

        Raises `NonceUsed` if the nonces have served, `MissingCommitment`, `IncorrectCommitment`,
        `IncorrectNumberOfSigners`: all before anything has changed. What the token or the state directory raises once
        the nonces were touched may have cost them.
        """
        with self._working():
            [share] = self._sign([signing_package], request, randomizer_seed)
            keep(share)
            return share

    def sign_all(
        self, signing_packages: Sequence[SigningPackage], request: bytes = b"", *, randomizer_seed: Secret | None = None
    ) -> list[SignatureShare]:
        """As `sign`, of as many packages as a request has items: the share is opened once for all of them.

        Nothing has changed if the nonces of any of them have served or are not there.
        """
        with self._working():
            return self._sign(signing_packages, request, randomizer_seed)

    def _sign(
        self, packages: Sequence[SigningPackage], request: bytes, randomizer_seed: Secret | None
    ) -> list[SignatureShare]:
        own = [self._check(package) for package in packages]
        for mine in own:
            self._require_unserved(_hash(mine))
        with ExitStack() as secrets:
            waiting = [secrets.enter_context(self._find(request, mine)) for mine in own]
            share = self._unseal()
            secrets.callback(share.wipe)
            self._let_out(request, own)
            return [
                self._answer(package, plaintext, share, randomizer_seed)
                for package, plaintext in zip(packages, waiting, strict=True)
            ]

    def _answer(
        self, package: SigningPackage, plaintext: Secret, share: KeyPackage, randomizer_seed: Secret | None
    ) -> SignatureShare:
        nonces = SigningNonces.deserialize(self.key.suite, plaintext)
        try:
            if randomizer_seed is None:
                return signing.sign(package, nonces, share)
            return sign_with_randomizer_seed(package, nonces, share, randomizer_seed)
        finally:
            nonces.wipe()

    def forget_ended(self, ended: Callable[[set[str]], Iterable[bytes]]) -> None:
        """Destroy what is left of nonces for what has ended. All that wait are listed for it; so whoever keeps the
        token open does so only once a quarter as many were drawn as waited the last time.

        ended: names it, of all that nonces wait for: the first 16 bytes in hex are given, the whole is wanted.
        """
        unlooked = self._holder.unlooked
        if unlooked.get(self.key.sharing, 0) > 0:
            unlooked[self.key.sharing] -= 1
            return
        waiting = {name.removeprefix(f"{self._name()}.").partition(".")[0] for name in self._waiting()}
        self.forget(ended(waiting))
        unlooked[self.key.sharing] = len(waiting) // 4

    def forget(self, subjects: Iterable[bytes]) -> None:
        """Destroy what is left of nonces that nobody will use: a token that was full, or that a power cut put back.

        subjects: the ids of requests, or hashes of commitments.
        """
        with self._home.lock():
            over = tuple(map(self._name, subjects))
            for name in self._waiting() if over else ():
                if name.startswith(over):
                    self._records.discard(name)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Hold the lock, in the process and with the token that this was made for, while the key is active."""
        self._process.require("this SealedSigner")
        self.key.require_active()
        with self._home.lock():
            self._records.require_own()
            yield

    def _let_out(self, request: bytes, pairs: Sequence[SigningCommitments]) -> None:
        """Let nonces out to serve, once and for all: destroyed by us and nobody else, and that noted durably.

        SoftHSM2 syncs nothing, so a power cut may bring a record back; the note refuses it then. Until all are noted
        none of them serves.
        """
        try:
            for mine in pairs:
                self._records.destroy(self._name(request, mine))
        except KeyNotFound:
            raise NonceUsed("these nonces were used from another place at this instant") from None
        self._served.add(*filter(None, (request, *map(_hash, pairs))))

    def _unseal(self) -> KeyPackage:
        """Open the share. What would have settled a dispute about the rounds goes: the key is active."""
        package = self.key.unseal(self._records)
        if self.key.sharing not in self._holder.settled:
            try:
                self._records.discard(self.key.record_name(Kind.ROUND2_DONE))
            except BaseException:
                package.wipe()
                raise
            self._holder.settled.add(self.key.sharing)
        return package

    def _seal(self, nonces: SigningNonces, request: bytes = b"") -> None:
        with nonces.serialize() as plaintext:
            self._records.put(self._name(request, nonces.commitments), self._context(request), plaintext)

    def _waiting(self, request: bytes = b"") -> list[str]:
        """List the records of nonces that this key has, or has for one request."""
        return self._records.names(f"{self._name(request)}.")

    def _require_unserved(self, subject: bytes) -> None:
        if subject in self._served:
            raise NonceUsed("these nonces have been used")

    def _check(self, package: SigningPackage) -> SigningCommitments:
        """Find everything wrong with a signing package that can be found before nonces are touched."""
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

    def _find(self, request: bytes, mine: SigningCommitments) -> Secret:
        """Open the waiting nonces of these commitments."""
        waiting = self._records.find(self._name(request, mine), self._context(request))
        if waiting is None:
            if request and self._waiting(request):
                raise IncorrectCommitment(f"the signing package holds other commitments of {self.key.me.name}")
            raise NonceUsed("these nonces have been used, or are not in this token")
        if self._commitments(waiting) != mine:
            waiting.wipe()
            raise SealBroken(f"a record in the token holds other nonces of {self.key.me.name} than its name says")
        return waiting

    def _commitments(self, plaintext: Secret) -> SigningCommitments:
        nonces = SigningNonces.deserialize(self.key.suite, plaintext)
        commitments = nonces.commitments
        nonces.wipe()
        return commitments

    def _context(self, request: bytes) -> Context:
        return self.key.context(Kind.SIGNING_NONCES, request)

    def _name(self, request: bytes = b"", commitments: SigningCommitments | None = None) -> str:
        """Name the record of a pair, by request, if it is for one, and commitments: no other pair has the same."""
        name = self.key.record_name(Kind.SIGNING_NONCES, request)
        return f"{name}.{_hash(commitments)[:16].hex()}" if commitments is not None else name


class Served:
    """Which nonces of a share were let out to serve, in the state directory: a set that only grows.

    It is spread over files by the first byte of a subject, so that a new one costs little. Read and written under the
    state directory's lock.
    """

    def __init__(self, home: StateDirectory, sharing: bytes, position: int) -> None:
        self._home = home
        self._folder = served_folder(sharing, position)

    def __contains__(self, subject: bytes) -> bool:
        return _line(subject) in self._read(subject)

    def add(self, *subjects: bytes) -> None:
        """Note subjects; when this returns a power cut does not forget them."""
        files: dict[str, bytes] = {}
        for subject in subjects:
            path = self._path(subject)
            present = files.get(path, b"".join(self._read(subject)))
            if _line(subject) not in present.splitlines(keepends=True):
                files[path] = present + _line(subject)
        self._home.replace_all(files)

    def _read(self, subject: bytes) -> list[bytes]:
        return (self._home.read(self._path(subject)) or b"").splitlines(keepends=True)

    def _path(self, subject: bytes) -> str:
        return f"{self._folder}/{subject[:1].hex()}"


def _line(subject: bytes) -> bytes:
    return subject[:16].hex().encode() + b"\n"


def _hash(commitments: SigningCommitments) -> bytes:
    return hashlib.sha256(commitments.serialize()).digest()
