"""frost_hsm beside ZcashFoundation's crates and noble: python tests/benchmarks/peers.py [SUITE...] [OPTION...]

One participant's whole key generation, and the four steps of a signature, each with reading what comes in and
writing what goes out. "y" is frost_hsm with the y coordinates that our own messages carry. All three are kept to one
core, take turns, and are timed by the processor time they take, so that a busy machine disturbs them little; times
are medians, and a ratio says how many times faster frost_hsm is. --large adds (255, 170) and (1000, 667). Noble is left
out of these, where it takes ten minutes and more, unless by --patient; of all by --without-noble. --json prints a line
for each row, with seconds.
"""

# ruff: noqa: E402  (the path comes first)

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # for the package of the peers, which has this file's name

from peers.noble_curves import public_fields, round1_fields, round2_fields, signing_fields
from peers.process import PeerProcess
from peers.zcash_foundation import key, public_bytes
from stage import building, memory_peak

from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import Ciphersuite, by_name
from frost_hsm.frost.keys import dealer, dkg, round1, round2
from frost_hsm.frost.packages import (
    KeyPackage,
    SignatureShare,
    SigningCommitments,
    SigningNonces,
    SigningPackage,
)
from frost_hsm.frost.values import Identifier, Signature
from frost_hsm.secret import Secret

ROUNDS = {(3, 2): 20, (5, 3): 20, (10, 7): 20, (100, 67): 5}
LARGEST = (1000, 667)
LARGE = {(255, 170): 3, LARGEST: 1}
A_TURN = 0.02
"""Seconds: what takes less is done up to ten times in a turn, so that it mostly finds its own code in the caches."""

LONG = 5.0
"""Seconds: what takes longer is done once."""

STEPS = ("commit", "sign", "aggregate", "verify")
MESSAGE = b"a message to sign"

Work = Callable[[], float]
"""Does something once; returns how many seconds that took."""


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def medians(contenders: Mapping[str, Work], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            if max(times[name], default=0) > LONG:
                continue
            first = work()
            times[name] += [first, *(work() for _ in range(min(9, int(A_TURN / first))))]
    return {name: statistics.median(measured) for name, measured in times.items()}


# ── key generation ──


@dataclass
class Others:
    """What all others send to participant 1."""

    suite_name: str
    max_signers: int
    min_signers: int
    packages: dict[int, bytes]
    y_coordinates: dict[int, bytes]
    shares: dict[int, bytes]

    @classmethod
    def make(cls, suite: Ciphersuite, max_signers: int, min_signers: int) -> Others:
        others = cls(suite.name, max_signers, min_signers, {}, {}, {})
        for number in range(2, max_signers + 1):
            own = Identifier(suite, number)
            secret, package = dkg.part1(suite, own, max_signers=max_signers, min_signers=min_signers)
            others.packages[number] = package.serialize()
            others.y_coordinates[number] = package.y_coordinates() if suite.group.y_length else b""
            scalars = [coefficient.scalar for coefficient in secret.coefficients]
            share = suite.group.encode_scalar(suite.group.evaluate(scalars, [1])[0])
            others.shares[number] = suite.header + public_bytes(share)
        return others

    def take_part(self, *, with_y: bool) -> float:
        """Be participant 1; return the seconds."""
        suite = by_name(self.suite_name)
        own, *senders = (Identifier(suite, number) for number in range(1, self.max_signers + 1))
        encoded = {sender: self.packages[sender.value] for sender in senders}
        shares = {sender: Secret(self.shares[sender.value]) for sender in senders}
        start = time.process_time()
        secret, package = dkg.part1(suite, own, max_signers=self.max_signers, min_signers=self.min_signers)
        package.serialize()
        if with_y:
            packages = {
                sender: round1.Package.deserialize(suite, encoded[sender], self.y_coordinates[sender.value])
                for sender in senders
            }
        else:
            packages = round1.deserialize_all(suite, encoded)
        kept, sent = dkg.part2(secret, packages)
        for share in sent.values():
            share.serialize()
        received = {sender: round2.Package.deserialize(suite, share) for sender, share in shares.items()}
        key_package, public_key_package = dkg.part3(kept, packages, received)
        key_package.serialize()
        public_key_package.serialize()
        return time.process_time() - start

    def work(self, *, with_y: bool) -> Work:
        return lambda: self.take_part(with_y=with_y)

    def rust(self, process: PeerProcess, suite: Ciphersuite) -> Work:
        process.ask(
            "prepare_key_generation",
            identifier=key(Identifier(suite, 1)),
            max_signers=self.max_signers,
            min_signers=self.min_signers,
            round1_packages={key(Identifier(suite, sender)): data.hex() for sender, data in self.packages.items()},
            round2_packages={key(Identifier(suite, sender)): data.hex() for sender, data in self.shares.items()},
        )
        return lambda: float(process.ask("time_key_generation")["seconds"])

    def noble(self, process: PeerProcess, suite: Ciphersuite) -> Work:
        own, *senders = (Identifier(suite, number) for number in range(1, self.max_signers + 1))
        first = {
            sender: round1.Package.deserialize(
                suite, self.packages[sender.value], self.y_coordinates[sender.value] or None
            )
            for sender in senders
        }
        second = {sender: round2.Package.deserialize(suite, Secret(self.shares[sender.value])) for sender in senders}
        process.ask(
            "prepare_key_generation",
            identifier=key(own),
            signers={"min": self.min_signers, "max": self.max_signers},
            round1_packages=round1_fields(first),
            round2_packages=round2_fields(second),
        )
        return lambda: float(process.ask("time", step="key_generation")["seconds"])


def peak_memory(others: Others) -> float:
    """Take part in a process that does nothing else; return the megabytes it took at most."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_take_part_alone, (replace(others, y_coordinates={}),))


def _take_part_alone(others: Others) -> float:
    others.take_part(with_y=False)
    return memory_peak.megabytes()


# ── signing ──


class Session:
    """What the four steps of one signature take, by min_signers signers."""

    def __init__(self, suite: Ciphersuite, max_signers: int, min_signers: int) -> None:
        self.suite, self.min_signers = suite, min_signers
        shares, self.public = dealer.generate_with_dealer(suite, max_signers=max_signers, min_signers=min_signers)
        signers = [KeyPackage.from_secret_share(share) for share in list(shares.values())[:min_signers]]
        committed = {signer.identifier: signing.commit(signer) for signer in signers}
        self.key = signers[0]
        self.package = SigningPackage(suite, {own: pair[1] for own, pair in committed.items()}, MESSAGE)
        self.nonces = public_bytes(committed[self.key.identifier][0].serialize())
        self.commitments = {
            own: (commitments.serialize(), commitments.y_coordinates() if suite.group.y_length else None)
            for own, (_, commitments) in committed.items()
        }
        made = {
            signer.identifier: signing.sign(self.package, committed[signer.identifier][0], signer) for signer in signers
        }
        self.shares = {own: share.serialize() for own, share in made.items()}
        self.signature = signing.aggregate(self.package, made, self.public).serialize()
        self.encoded = self.package.serialize()

    def ours(self, step: str, *, with_y: bool) -> Work:
        def read(known: Mapping[Identifier, SigningCommitments]) -> SigningPackage:
            if not with_y:
                return SigningPackage.deserialize(self.suite, self.encoded, known.values())
            commitments = {
                signer: known.get(signer) or SigningCommitments.deserialize(self.suite, data, y)
                for signer, (data, y) in self.commitments.items()
            }
            return SigningPackage(self.suite, commitments, MESSAGE)

        def commit() -> None:
            signing.commit(self.key)[1].serialize()

        def sign() -> None:
            own = {self.key.identifier: nonces.commitments}
            signing.sign(read(own), nonces, self.key).serialize()

        def aggregate() -> None:
            package = read({})
            shares = {own: SignatureShare.deserialize(self.suite, data) for own, data in self.shares.items()}
            signing.aggregate(package, shares, self.public).serialize()

        def verify() -> None:
            self.public.verifying_key.verify(MESSAGE, Signature.deserialize(self.suite, self.signature))

        nonces: SigningNonces
        work = {"commit": commit, "sign": sign, "aggregate": aggregate, "verify": verify}[step]

        def timed() -> float:
            nonlocal nonces  # serve once: a benchmark, and only that, signs with them many times
            nonces = SigningNonces.deserialize(self.suite, Secret(self.nonces))
            return seconds(work)

        return timed

    def rust(self, process: PeerProcess) -> Callable[[str], Work]:
        process.ask(
            "prepare_signing",
            key_package=public_bytes(self.key.serialize()).hex(),
            signing_nonces=self.nonces.hex(),
            public_key_package=self.public.serialize().hex(),
            signing_package=self.encoded.hex(),
            shares={key(own): share.hex() for own, share in self.shares.items()},
            message=MESSAGE.hex(),
            signature=self.signature.hex(),
        )
        return lambda step: lambda: float(process.ask("time_signing", step=step)["seconds"])

    def noble(self, process: PeerProcess) -> Callable[[str], Work]:
        nonces = SigningNonces.deserialize(self.suite, Secret(self.nonces))
        process.ask(
            "prepare_signing",
            secret={
                "identifier": key(self.key.identifier),
                "signingShare": public_bytes(self.key.signing_share.serialize()).hex(),
            },
            public=public_fields(self.public),
            nonces={name: public_bytes(getattr(nonces, name).serialize()).hex() for name in ("hiding", "binding")},
            shares={key(own): share.hex() for own, share in self.shares.items()},
            signature=self.signature.hex(),
            **signing_fields(self.package),
        )
        return lambda step: lambda: float(process.ask("time", step=step)["seconds"])


# ── the tables ──


@dataclass(frozen=True, slots=True)
class Row:
    """How long one step takes whom, in seconds; or, of the largest size, how many megabytes."""

    suite: str
    computed_by: str
    size: tuple[int, int]
    step: str
    times: dict[str, float]

    def text(self) -> str:
        """Lay it out for a terminal."""
        milliseconds = " ".join(self._column(10, 3, name) for name in ("ours", "y", "rust", "noble"))
        ratios = f"{self._column(10, 1, 'rust', 'ours')} {self._column(6, 1, 'rust', 'y')}"
        return f"{self.size!s:>12} {self.step:>15} {milliseconds} {ratios} {self._column(10, 1, 'noble', 'ours')}"

    def _column(self, width: int, digits: int, above: str, below: str | None = None) -> str:
        if above not in self.times or below not in (None, *self.times):
            return " " * width
        value = self.times[above] / self.times[below] if below else self.times[above] * 1e3
        return f"{value:{width}.{digits}f}"


HEADING = f"{'':>28} {'ours ms':>10} {'y':>10} {'rust':>10} {'noble':>10}  rust/ours      y noble/ours"
PEAK = "peak memory"


def compare(
    suite: Ciphersuite, sizes: Mapping[tuple[int, int], int], noble_sizes: Container[tuple[int, int]]
) -> Iterator[Row]:
    with ExitStack() as stack:
        rust = stack.enter_context(PeerProcess(building.rust(suite)))
        if noble_sizes:
            noble = stack.enter_context(PeerProcess(building.noble(suite)))
        for size, rounds in sizes.items():
            row = partial(Row, suite.name, suite.group.backend, size)
            others = Others.make(suite, *size)
            work = {"ours": others.work(with_y=False), "rust": others.rust(rust, suite)}
            if suite.group.y_length:
                work["y"] = others.work(with_y=True)
            if size in noble_sizes:
                work["noble"] = others.noble(noble, suite)
            yield row("key generation", medians(work, rounds))
            if size == LARGEST:
                yield row(PEAK, {"MB": peak_memory(others)})
            session = Session(suite, *size)
            steps = {"ours": partial(session.ours, with_y=False), "rust": session.rust(rust)}
            if size in noble_sizes:
                steps["noble"] = session.noble(noble)
            for step in STEPS:
                work = {name: make(step) for name, make in steps.items()}
                if suite.group.y_length and step in ("sign", "aggregate"):
                    work["y"] = session.ours(step, with_y=True)
                yield row(step, medians(work, max(5, rounds)))


def main() -> None:
    """Print a table for each suite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", metavar="SUITE", nargs="*", default=["p256"])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--patient", action="store_true")
    parser.add_argument("--without-noble", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the peers inherit it
    sizes = ROUNDS | (LARGE if arguments.large else {})
    noble_sizes = {} if arguments.without_noble else sizes if arguments.patient else ROUNDS
    for suite in map(by_name, arguments.suites):
        if not arguments.json:
            print(f"\n{suite.id}, {suite.group.backend}\n{HEADING}")
        for row in compare(suite, sizes, noble_sizes):
            if arguments.json:
                print(json.dumps(asdict(row)), flush=True)
            elif row.step == PEAK:
                print(f"{row.size!s:>12} {PEAK:>15} {row.times['MB']:10.0f} MB", flush=True)
            else:
                print(row.text(), flush=True)


if __name__ == "__main__":
    main()
