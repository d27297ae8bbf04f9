"""What a second processor brings, with Python's lock and without: python tests/benchmarks/threads.py [--json]

One participant's key generation, which decodes points on two threads where that pays, kept to one processor and on two;
and signature shares, half of them by each of two threads, beside all of them by one. Seconds of a clock, the least of
some runs: on a machine that does nothing else. FROST_HSM_PYTHON names another interpreter to be measured as well, such
as a free-threaded one; it needs no packages.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import bounds
from table import Table, show

from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import Ciphersuite, by_name
from frost_hsm.frost.keys import dealer
from frost_hsm.frost.packages import KeyPackage, SigningPackage

SUITES = ("p256", "ed25519")
SIZE = (255, 170)
SHARES = 2000
RUNS = 3
COLUMNS = (
    "Python",
    "suite",
    f"key generation of {SIZE[0]}, on one processor, s",
    "on two",
    "ratio",
    f"{SHARES} shares, by one thread, s",
    "by two",
    "ratio",
)


def main() -> None:
    """Print the table, or with ``--here`` the rows of this interpreter."""
    if sys.argv[1:] == ["--here"]:
        print(json.dumps([row(by_name(name)) for name in SUITES]))
        return
    rows = []
    for python in filter(None, (sys.executable, os.environ.get("FROST_HSM_PYTHON"))):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [python, __file__, "--here"]
        rows += json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    show(Table("Threads", COLUMNS, rows))


def row(suite: Ciphersuite) -> list[str]:
    """Measure a suite on this interpreter."""
    name = platform.python_version() + (" free-threaded" if not getattr(sys, "_is_gil_enabled", lambda: True)() else "")
    others = bounds.Others.make(suite, *SIZE)
    with _on_one_processor():
        one = _least(lambda: bounds.run(suite, others))
    two = _least(lambda: bounds.run(suite, others))
    sign = _signer(suite)
    by_one = _least(lambda: sign(SHARES))
    with ThreadPoolExecutor(2) as pool:
        by_two = _least(lambda: list(pool.map(sign, [SHARES // 2] * 2)))
    return [name, suite.name, *_compared(one, two), *_compared(by_one, by_two)]


def _signer(suite: Ciphersuite) -> Callable[[int], None]:
    """Return what commits and signs so many times, each time with one other who has committed."""
    dealt, _ = dealer.generate_with_dealer(suite, max_signers=3, min_signers=2)
    mine, others, _ = map(KeyPackage.from_secret_share, dealt.values())
    _, theirs = signing.commit(others)

    def sign(count: int) -> None:
        for _ in range(count):
            nonces, own = signing.commit(mine)
            package = SigningPackage(suite, {mine.identifier: own, others.identifier: theirs}, b"message")
            signing.sign(package, nonces, mine)

    return sign


@contextmanager
def _on_one_processor() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _least(work: Callable[[], object]) -> float:
    seen = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        seen.append(time.perf_counter() - begun)
    return min(seen)


def _compared(one: float, two: float) -> list[str]:
    return [f"{one:.2f}", f"{two:.2f}", f"{one / two:.1f}"]


if __name__ == "__main__":
    main()
