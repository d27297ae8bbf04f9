"""Time sealing, unsealing and signing with a SoftHSM2 token: python tests/benchmarks/sealed_signing.py

Each row compares one of our operations with the token's calls that it makes, timed inside the very same runs, and with
the mathematics of signing where there is any. What is above the sum is ours: CMS, encryption on the host, checks.
The last rows are of a token each of whose operations with a private key takes 50 milliseconds (`stage.slow_backend`).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parent.parent))

import sealed
from sealed import TimedToken
from stage import parties, softhsm
from stage.slow_backend import SlowToken
from table import Table, milliseconds, show

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.frost import signing
from frost_hsm.frost.packages import SigningPackage
from frost_hsm.secret import Secret

ROUNDS = 30
SLOW_ROUNDS = 10
SLOW = 0.05
"""Seconds."""


def measure(token: TimedToken, work: Callable[[], Any]) -> tuple[float, float]:
    """Run once; return the seconds of all of it, and those in the token."""
    token.seconds = 0.0
    start = time.perf_counter()
    work()
    return time.perf_counter() - start, token.seconds


COLUMNS = ("", "ours, ms", "its token calls", "signing mathematics", "ratio to their sum")


def table() -> Table:
    """Time every operation."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOFTHSM2_CONF"] = str(softhsm.configure(Path(folder)))
        module = softhsm.module_path()
        if module is None:
            raise SystemExit("SoftHSM2 is not installed")
        rows = _rows(Path(folder), module)
    return Table(
        "Sealed signing",
        COLUMNS,
        [
            (name, *map(milliseconds, (ours, in_token)), milliseconds(maths) if maths else "", f"{ratio:.2f}")
            for name, ours, in_token, maths in rows
            for ratio in (ours / (in_token + maths),)
        ],
    )


class Note(Protocol):
    """Times work under a name, beside seconds of mathematics, and returns what it returns."""

    def __call__(self, name: str, work: Callable[[], Any], maths: float = 0.0) -> Any: ...


def _rows(folder: Path, module: str) -> list[tuple[str, float, float, float]]:
    people = sealed.gather(folder / "people", module, ("alice", "bob", "carol"))
    key = parties.generate(people)
    alice, bob = people[0], people[1]
    runs: dict[str, list[tuple[float, float, float]]] = {}
    with alice.holder() as holder, bob.holder() as other:
        theirs = SealedSigner(bob.key(), other, bob.home)

        def measured(token: Any, words: str, rounds: int, sign_only: bool) -> None:
            timing = TimedToken(token, time.perf_counter)
            timed = Holder(holder.identity, timing)  # type: ignore[arg-type]

            def note(name: str, work: Callable[[], Any], maths: float = 0.0) -> Any:
                results: list[Any] = []
                seconds = measure(timing, lambda: results.append(work()))
                runs.setdefault(name + words, []).append((*seconds, maths))
                return results[0]

            for _ in range(rounds):
                if not sign_only:
                    _seal(key, SealedRecords(timed, alice.home), timed, note)
                _sign(key, SealedSigner(key, timed, alice.home), theirs, SealedRecords(timed, alice.home), note)

        measured(holder.token, "", ROUNDS, sign_only=False)
        slow = SlowToken(holder.token, SLOW, folder / "counted")
        measured(slow, f", {1000 * SLOW:.0f} ms a private operation", SLOW_ROUNDS, sign_only=True)
    return [(name, *(statistics.median(column) for column in zip(*each, strict=True))) for name, each in runs.items()]


def _seal(key: GroupKey, records: SealedRecords, holder: Holder, note: Note) -> None:
    secret = Secret(bytes(range(32)))
    context = key.context(Kind.SIGNING_NONCES, b"benchmark")
    note("seal a record into the token", lambda: records.put("benchmark", context, secret))
    note("unseal it", lambda: records.get("benchmark", context))
    note("destroy it", lambda: records.destroy("benchmark"))
    data = note("seal only (one token signature)", lambda: envelope.seal(context, secret, holder))
    note("unseal only (one token ECDH)", lambda: envelope.unseal(data, context, holder))


def _sign(key: GroupKey, mine: SealedSigner, theirs: SealedSigner, records: SealedRecords, note: Note) -> None:
    key_package = key.unseal(records)
    commitments = note("sign commit", mine.commit, _commit_seconds(key_package))
    answer = theirs.commit()
    package = SigningPackage(
        key.suite, {key.identifier("alice"): commitments, key.identifier("bob"): answer}, b"message"
    )
    note("sign respond", lambda: mine.sign(package), _sign_seconds(key_package, package))


def _commit_seconds(key_package: Any) -> float:
    start = time.perf_counter()
    signing.commit(key_package)
    return time.perf_counter() - start


def _sign_seconds(key_package: Any, package: SigningPackage) -> float:
    """Time the mathematics of one signature share over the same number of signers."""
    nonces, own = signing.commit(key_package)
    replaced = {**package.signing_commitments, key_package.identifier: own}
    ready = SigningPackage(package.ciphersuite, replaced, package.message)
    start = time.perf_counter()
    signing.sign(ready, nonces, key_package)
    return time.perf_counter() - start


if __name__ == "__main__":
    show(table())
