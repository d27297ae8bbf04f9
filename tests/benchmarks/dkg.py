"""Time one participant's key generation: python tests/benchmarks/dkg.py [SUITE …] [--profile]

"parse" is reading the others' round 1 packages: one by one; all together; with the y coordinates known; and, only
here, without proving that they are in the group. "compute" is the rest: part1, part2, part3 and writing what they send.
For P-256 the last line compares everything at (100, 67) with the libcrypto calls it consists of, made from a bare loop.
--profile says instead how often each operation of the group is called, and what that takes: what bounds each suite.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bare_calls import RecordedLibcrypto

from frost_hsm.frost import dkg, round1
from frost_hsm.frost.ciphersuites import P256, Ciphersuite, by_name
from frost_hsm.frost.packages import Identifier, SigningShare
from frost_hsm.frost.round2 import Package
from frost_hsm.groups import Group, libcrypto
from frost_hsm.groups.openssl import P256Libcrypto
from frost_hsm.groups.weierstrass import P256Pycryptodome
from frost_hsm.secret import Secret

SIZES = ((3, 2), (5, 3), (10, 7), (100, 67))
ROUNDS = 5
WAYS = ("one by one", "together", "y known", "no proof")


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
    def make(cls, suite: Ciphersuite, max_signers: int, min_signers: int) -> Others:
        """Run part1 for all others, and evaluate their polynomials at 1."""
        others = cls(max_signers, min_signers, {}, {}, {}, {})
        group = suite.group
        for number in range(2, max_signers + 1):
            secret, package = dkg.part1(
                suite, Identifier(suite, number), max_signers=max_signers, min_signers=min_signers
            )
            scalars = [coefficient.scalar for coefficient in secret.coefficients]
            others.packages[number] = package.serialize()
            others.y_coordinates[number] = package.y_coordinates()
            with group.encode_scalar(group.evaluate(scalars, [1])[0]).reveal() as view:
                others.shares[number] = bytes(view)
        return others


def parse(suite: Ciphersuite, others: Others, way: str) -> dict[Identifier, round1.Package]:
    """Read all round 1 packages in one of the `WAYS`."""
    packages = {Identifier(suite, number): data for number, data in others.packages.items()}
    if way == "together":
        return round1.deserialize_all(suite, packages)
    if way == "y known":
        y = others.y_coordinates
        return {own: round1.Package.deserialize(suite, data, y[own.value]) for own, data in packages.items()}
    if way == "no proof":
        return {
            own: round1.Package._deserialize(suite, memoryview(data), prove=False) for own, data in packages.items()
        }
    return {own: round1.Package.deserialize(suite, data) for own, data in packages.items()}


def run(suite: Ciphersuite, others: Others, way: str = "one by one") -> tuple[float, float]:
    """Run one participant; return the seconds of parsing and of computing."""
    own = Identifier(suite, 1)
    received = {
        Identifier(suite, number): Package(suite, SigningShare(suite, suite.group.decode_scalar(Secret(share))))
        for number, share in others.shares.items()
    }
    start = time.perf_counter()
    packages = parse(suite, others, way)
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
    others = Others.make(P256, max_signers, min_signers)
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


class TimedGroup:
    """A group that notes how often each of its methods is called, and how long that takes."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self.calls: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._group, name)
        if not callable(method):
            return method

        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return method(*arguments, **options)
            finally:
                self.calls[name] += 1
                self.seconds[name] += time.process_time() - start

        return timed


def profile(name: str, suite: Ciphersuite) -> None:
    """Print what one run of each size consists of; of several runs, the fastest."""
    for size in SIZES:
        others = Others.make(suite, *size)
        fastest = (float("inf"), TimedGroup(suite.group))
        for _ in range(3 if size[0] > 50 else 20):
            group = TimedGroup(suite.group)
            start = time.process_time()
            run(suite.with_group(group), others, "together")  # type: ignore[arg-type]
            spent = time.process_time() - start
            fastest = min(fastest, (spent, group), key=lambda pair: pair[0])
        spent, group = fastest
        print(f"\n{name} at {size}: {spent * 1e3:.2f} ms, of which")
        for method, seconds in group.seconds.most_common(8):
            calls = group.calls[method]
            print(f"{calls:8} {method:<17} of {seconds / calls * 1e6:9.1f} µs are {seconds / spent:4.0%}")


def table(name: str, suite: Ciphersuite) -> None:
    """Print the lines of one suite."""
    for size in SIZES:
        others = Others.make(suite, *size)
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS * (1 if size[0] > 50 else 20)):
            for way, found in times.items():  # interleaved, so that a busy moment hits all alike
                found.append(run(suite, others, way))
        for way, pairs in times.items():
            parsing, computing = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
            line = f"{name:>20} {size!s:>10} {way:>11} {parsing:9.2f} {computing:11.2f} {parsing + computing:8.2f}"
            print(line, flush=True)


def main(arguments: list[str]) -> None:
    """Print the table, or the profiles."""
    names = [argument for argument in arguments if argument != "--profile"]
    if "--profile" in arguments:
        for name in names or ["p256"]:
            profile(name, by_name(name))
        return
    print(f"{'suite':>20} {'n, t':>10} {'parse':>11} {'parse ms':>9} {'compute ms':>11} {'sum ms':>8}")
    for name in names or ["p256"]:
        if name == "p256":
            table("p256, libcrypto", P256.with_group(P256Libcrypto(next(libcrypto.find()))))
            table("p256, pycryptodome", P256.with_group(P256Pycryptodome()))
            compare_with_bare_calls(100, 67)
        else:
            table(name, by_name(name))


if __name__ == "__main__":
    main(sys.argv[1:])
