"""What no program on the same libraries can spare: python tests/benchmarks/bounds.py [SUITE…]

Without SUITE, what single operations of the groups take, each timed alone: with the native library, if it is wanted
and there, and without. With SUITE, how often one participant's key generation calls each operation of the group, and
what that takes of the whole; for p256 also the whole beside the libcrypto calls it consists of, made from a bare loop.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bare_calls import RecordedLibcrypto

from frost_hsm.frost.ciphersuites import P256, Ciphersuite, by_name
from frost_hsm.frost.keys import dkg, round1
from frost_hsm.frost.keys.round2 import Package
from frost_hsm.frost.packages import Identifier, SigningShare
from frost_hsm.groups import Group, libcrypto
from frost_hsm.groups.libcrypto.curves import P256Libcrypto
from frost_hsm.secret import Secret

SIZES = ((3, 2), (5, 3), (10, 7), (100, 67))
ROUNDS = 101
RUNS = 5


@dataclass
class Others:
    """All others' secret polynomials and packages, made beforehand for the participant with identifier 1."""

    max_signers: int
    min_signers: int
    secrets: dict[int, round1.SecretPackage]
    packages: dict[int, bytes]
    shares: dict[int, bytes]

    @classmethod
    def make(cls, suite: Ciphersuite, max_signers: int, min_signers: int) -> Others:
        """Run part1 for all others, and evaluate their polynomials at 1."""
        others = cls(max_signers, min_signers, {}, {}, {})
        group = suite.group
        for number in range(2, max_signers + 1):
            secret, package = dkg.part1(
                suite, Identifier(suite, number), max_signers=max_signers, min_signers=min_signers
            )
            scalars = [coefficient.scalar for coefficient in secret.coefficients]
            others.packages[number] = package.serialize()
            with group.encode_scalar(group.evaluate(scalars, [1])[0]).reveal() as view:
                others.shares[number] = bytes(view)
        return others


def run(suite: Ciphersuite, others: Others) -> float:
    """Run one participant; return the seconds."""
    own = Identifier(suite, 1)
    received = {
        Identifier(suite, number): Package(suite, SigningShare(suite, suite.group.decode_scalar(Secret(share))))
        for number, share in others.shares.items()
    }
    start = time.process_time()
    encoded = {Identifier(suite, number): data for number, data in others.packages.items()}
    packages = round1.deserialize_all(suite, encoded)
    secret, package = dkg.part1(suite, own, max_signers=others.max_signers, min_signers=others.min_signers)
    package.serialize()
    kept, sent = dkg.part2(secret, packages)
    for share in sent.values():
        share.serialize()
    key_package, public_key_package = dkg.part3(kept, packages, received)
    key_package.serialize()
    public_key_package.serialize()
    return time.process_time() - start


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
    for _ in range(RUNS):
        whole.append(run(suite, others))
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
            run(suite.with_group(group), others)  # type: ignore[arg-type]
            spent = time.process_time() - start
            fastest = min(fastest, (spent, group), key=lambda pair: pair[0])
        spent, group = fastest
        print(f"\n{name} at {size}: {spent * 1e3:.2f} ms, of which")
        for method, seconds in group.seconds.most_common(8):
            calls = group.calls[method]
            print(f"{calls:8} {method:<17} of {seconds / calls * 1e6:9.1f} µs are {seconds / spent:4.0%}")


SUITES = ("p256", "ed25519", "ristretto255", "secp256k1", "ed448")  # secp256k1-tr has the group of secp256k1
MANY = 67


def operations(suite: Ciphersuite) -> dict[str, float]:
    """Time single operations of a group; returns the seconds of each."""
    group = suite.group
    secrets = [group.random_scalar() for _ in range(MANY)]
    elements, encoded = group.commit(secrets)
    length = group.element_length
    y = [group.y_coordinate(element) for element in elements] if group.y_length else []
    a, b = group.order // 3, group.order // 5
    work: dict[str, tuple[int, Callable[[], object]]] = {
        "a secret times G": (1, lambda: group.multiply_base(secrets[0])),
        "z·G - c·Y": (1, lambda: group.combine_base(a, b, elements[0])),
        f"one of {MANY} products": (MANY, lambda: group.sum_products([a] * MANY, elements)),
        "reading": (1, lambda: group.decode(encoded[:length])),
        f"one of {MANY}": (MANY, lambda: group.decode_all(encoded)),
        "one of them with y": (MANY, lambda: group.decode_all(encoded, b"".join(y)) if y else None),
    }
    return {name: _median(each) / count for name, (count, each) in work.items()}


def _median(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def main(arguments: list[str]) -> None:
    """Print the operations, or the profiles."""
    if arguments == ["--json"]:
        print(json.dumps({name: operations(by_name(name)) for name in SUITES}))
        return
    for name in arguments:
        profile(name, by_name(name))
        if name == "p256":
            compare_with_bare_calls(100, 67)
    if not arguments:
        for name in SUITES:
            said = ", ".join(f"{what} {seconds * 1e6:.1f}" for what, seconds in operations(by_name(name)).items())
            print(f"{name}, µs: {said}")


if __name__ == "__main__":
    main(sys.argv[1:])
