"""Time signing with min_signers signers: python tests/benchmarks/signing.py [SUITE …]

"sign" and "aggregate" include reading the packages they take, as a signer and a coordinator do.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import P256, Ciphersuite, by_name
from frost_hsm.frost.packages import (
    Identifier,
    KeyPackage,
    PublicKeyPackage,
    SignatureShare,
    SigningNonces,
    SigningPackage,
    SigningShare,
    VerifyingKey,
    VerifyingShare,
)
from frost_hsm.groups import libcrypto
from frost_hsm.groups.openssl import P256Libcrypto
from frost_hsm.groups.weierstrass import P256Pycryptodome

SIZES = ((3, 2), (5, 3), (10, 7), (100, 67))
P256_SUITES = {
    "p256, libcrypto": P256.with_group(P256Libcrypto(next(libcrypto.find()))),
    "p256, pycryptodome": P256.with_group(P256Pycryptodome()),
}
MESSAGE = b"a message to sign"


def make_group(suite: Ciphersuite, max_signers: int, min_signers: int) -> tuple[list[KeyPackage], PublicKeyPackage]:
    """Share a key among a group the short way, as a dealer would."""
    group = suite.group
    coefficients = [group.random_scalar() for _ in range(min_signers)]
    ids = [Identifier(suite, number) for number in range(1, max_signers + 1)]
    shares = group.evaluate(coefficients, range(1, max_signers + 1))
    key = VerifyingKey.from_element(suite, group.multiply_base(coefficients[0]))
    verifying_shares = {
        own: VerifyingShare.from_element(suite, group.multiply_base(share))
        for own, share in zip(ids, shares, strict=True)
    }
    packages = [
        KeyPackage(suite, own, SigningShare(suite, share), verifying_shares[own], key, min_signers)
        for own, share in zip(ids, shares, strict=True)
    ]
    return packages, PublicKeyPackage(suite, verifying_shares, key, min_signers)


def microseconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


class Session:
    """What the four steps of one signature take, for one suite and size."""

    def __init__(self, suite: Ciphersuite, max_signers: int, min_signers: int) -> None:
        self.suite = suite
        packages, self.public = make_group(suite, max_signers, min_signers)
        self.signers = packages[:min_signers]
        committed = {signer.identifier: signing.commit(signer) for signer in self.signers}
        package = SigningPackage(suite, {own: pair[1] for own, pair in committed.items()}, MESSAGE)
        self.package = package.serialize()
        self.shares = {
            signer.identifier: signing.sign(package, committed[signer.identifier][0], signer).serialize()
            for signer in self.signers[1:]
        }
        signer = self.signers[0]
        nonces = committed[signer.identifier][0]
        self.stored = nonces.serialize()  # so that a benchmark, and only that, can sign with them many times
        self.shares[signer.identifier] = signing.sign(package, nonces, signer).serialize()
        self.signature = self.aggregate()

    def commit(self) -> None:
        signing.commit(self.signers[0])

    def prepare_nonces(self) -> None:
        self.current = SigningNonces.deserialize(self.suite, self.stored)

    def sign(self) -> None:
        package = SigningPackage.deserialize(self.suite, self.package, (self.current.commitments,))
        signing.sign(package, self.current, self.signers[0]).serialize()

    def aggregate(self) -> object:
        package = SigningPackage.deserialize(self.suite, self.package)
        shares = {own: SignatureShare.deserialize(self.suite, data) for own, data in self.shares.items()}
        return signing.aggregate(package, shares, self.public)

    def verify(self) -> None:
        self.public.verifying_key.verify(MESSAGE, self.signature)


def main(names: list[str]) -> None:
    """Print the table."""
    suites = P256_SUITES if not names else {name: by_name(name) for name in names}
    print(f"{'n, t':>10} {'suite':>20} {'commit':>8} {'sign':>8} {'aggregate':>10} {'verify':>8}   (µs)")
    for size in SIZES:
        sessions = {name: Session(suite, *size) for name, suite in suites.items()}
        steps = ("commit", "sign", "aggregate", "verify")
        times: dict[tuple[str, str], list[float]] = {(name, step): [] for name in sessions for step in steps}
        for _ in range(30 if size[0] > 50 else 200):
            for name, session in sessions.items():  # interleaved, so that a busy moment hits both
                session.prepare_nonces()
                for step in steps:
                    times[name, step].append(microseconds(getattr(session, step)))
        for name in sessions:
            columns = [statistics.median(times[name, step]) for step in steps]
            print(f"{size!s:>10} {name:>20} {columns[0]:8.0f} {columns[1]:8.0f} {columns[2]:10.0f} {columns[3]:8.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
