"""Time one participant's key generation: python tests/benchmarks/dkg.py

"parse" is reading the others' round 1 packages, "compute" the rest: part1, part2, part3 and writing what they send.
The last line compares everything at (100, 67) with the libcrypto calls it consists of, made from a bare loop.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from bare_calls import RecordedLibcrypto

from frost_hsm.frost import dkg, round1
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.packages import Identifier, SigningShare
from frost_hsm.frost.round2 import Package
from frost_hsm.groups import libcrypto
from frost_hsm.groups.openssl import P256Libcrypto
from frost_hsm.groups.weierstrass import P256Pycryptodome
from frost_hsm.secret import Secret

SIZES = ((3, 2), (5, 3), (10, 7), (100, 67))
ROUNDS = 5


@dataclass
class Others:
    """All others' secret polynomials and packages, made beforehand for the participant with identifier 1."""

    max_signers: int
    min_signers: int
    secrets: dict[int, round1.SecretPackage]
    packages: dict[int, bytes]
    y_coordinates: dict[int, bytes]
    shares: dict[int, bytes]

    @classmethod
    def make(cls, max_signers: int, min_signers: int) -> Others:
        """Run part1 for all others, and evaluate their polynomials at 1."""
        others = cls(max_signers, min_signers, {}, {}, {}, {})
        group = P256.group
        for number in range(2, max_signers + 1):
            secret, package = dkg.part1(
                P256, Identifier(P256, number), max_signers=max_signers, min_signers=min_signers
            )
            scalars = [coefficient.scalar for coefficient in secret.coefficients]
            others.packages[number] = package.serialize()
            others.y_coordinates[number] = package.y_coordinates()
            with group.encode_scalar(group.evaluate(scalars, [1])[0]).reveal() as view:
                others.shares[number] = bytes(view)
        return others


def run(suite: Ciphersuite, others: Others, *, with_y: bool = False) -> tuple[float, float]:
    """Run one participant; return the seconds of parsing and of computing."""
    own = Identifier(suite, 1)
    received = {
        Identifier(suite, number): Package(suite, SigningShare(suite, suite.group.decode_scalar(Secret(share))))
        for number, share in others.shares.items()
    }
    start = time.perf_counter()
    packages = {
        Identifier(suite, number): round1.Package.deserialize(
            suite, data, others.y_coordinates[number] if with_y else None
        )
        for number, data in others.packages.items()
    }
    parsed = time.perf_counter()
    secret, package = dkg.part1(suite, own, max_signers=others.max_signers, min_signers=others.min_signers)
    package.serialize()
    kept, sent = dkg.part2(secret, packages)
    for share in sent.values():
        share.serialize()
    key_package, public_key_package = dkg.part3(kept, packages, received)
    key_package.serialize()
    public_key_package.serialize()
    return parsed - start, time.perf_counter() - parsed


def compare_with_bare_calls(max_signers: int, min_signers: int) -> None:
    """Print the ratio of one whole run to its libcrypto calls, both timed in turn."""
    others = Others.make(max_signers, min_signers)
    library = RecordedLibcrypto(next(libcrypto.find()))
    recorded = P256.with_group(P256Libcrypto(library))
    run(recorded, others)
    library.recording = True
    run(recorded, others)
    library.recording = False
    suite = P256.with_group(P256Libcrypto(next(libcrypto.find())))
    whole, bare = [], []
    for _ in range(ROUNDS):
        whole.append(sum(run(suite, others)))
        bare.append(library.replay())
    ratio = statistics.median(whole) / statistics.median(bare)
    calls = ", ".join(f"{count} {name}" for name, count in library.counts.most_common(8))
    print(
        f"\nat ({max_signers}, {min_signers}) everything takes {statistics.median(whole) * 1e3:.1f} ms, its "
        f"{library.counts.total()} libcrypto calls alone {statistics.median(bare) * 1e3:.1f} ms: "
        f"ratio {ratio:.2f}\n({calls}, …)"
    )


def main() -> None:
    """Print the table."""
    suites = {
        "libcrypto": P256.with_group(P256Libcrypto(next(libcrypto.find()))),
        "libcrypto, y known": P256.with_group(P256Libcrypto(next(libcrypto.find()))),
        "pycryptodome": P256.with_group(P256Pycryptodome()),
    }
    print(f"{'n, t':>10} {'backend':>20} {'parse ms':>9} {'compute ms':>11} {'sum ms':>8}")
    for size in SIZES:
        others = Others.make(*size)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in suites}
        for _ in range(ROUNDS * (1 if size[0] > 50 else 20)):
            for name, suite in suites.items():  # interleaved, so that a busy moment hits all alike
                times[name].append(run(suite, others, with_y=name.endswith("known")))
        for name, pairs in times.items():
            parse, compute = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
            print(f"{size!s:>10} {name:>20} {parse:9.2f} {compute:11.2f} {parse + compute:8.2f}")
    compare_with_bare_calls(100, 67)


if __name__ == "__main__":
    main()
