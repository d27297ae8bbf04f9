"""Look for gross timing leaks: python tests/benchmarks/timing.py [MEASUREMENTS]

For each group backend and operation on a secret, times a fixed scalar against random ones, interleaved at random, and
prints Welch's t: for n - 1, and for 1. Beyond ±4.5 it is likely that the time depends on the scalar. Coarse: it runs in
Python on a machine that does other things, and finds nothing finer than that lets through. The last line, a Python
power, must leak, or the test is blind.

libcrypto keeps numbers without leading zero words, so that it shows whether a scalar has one: 1 is told apart there. Of
random scalars one in 2⁶⁴ has.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable

from frost_hsm.groups import Group, SecretScalar, libcrypto
from frost_hsm.groups.libcrypto.curves import P256Libcrypto
from frost_hsm.groups.native import curves, library
from frost_hsm.groups.pycryptodome import edwards, ristretto
from frost_hsm.groups.pycryptodome.koblitz import Secp256k1Libcrypto
from frost_hsm.groups.pycryptodome.weierstrass import P256Pycryptodome
from frost_hsm.groups.secret_hash import ExpandedHash, WideHash
from frost_hsm.secret import Secret

Operation = Callable[[SecretScalar], object]


def operations(group: Group) -> dict[str, Operation]:
    """Return what computes with secrets."""
    other = group.random_scalar()
    public = group.order // 3
    how = WideHash("sha512", 64, b"prefix") if group.byteorder == "little" else ExpandedHash(b"domain")
    return {
        "multiply_base": group.multiply_base,
        "multiply_add": lambda scalar: group.multiply_add(other, scalar, public),
        "add_scalars": lambda scalar: group.add_scalars((other, scalar)),
        "evaluate": lambda scalar: group.evaluate((other, scalar), (3,)),
        "commit": lambda scalar: group.commit((other, scalar)),
        "reveal_sum": lambda scalar: group.reveal_sum((other, scalar), (1, public)),
        "draw_nonces": lambda scalar: group.draw_nonces(how, scalar, 2),
        "encode_scalar": group.encode_scalar,
    }


def fixed_or_random(group: Group, value: int) -> Callable[[bool], SecretScalar]:
    """Return what makes the fixed scalar or a random one, both afresh and in the same way."""
    encoded = value.to_bytes(group.scalar_length, group.byteorder)

    def make(fixed: bool) -> SecretScalar:
        with group.encode_scalar(group.random_scalar()) as drawn, Secret(encoded) as given:
            return group.decode_scalar(given if fixed else drawn)

    return make


def welch(make: Callable[[bool], object], operation: Callable[..., object], count: int) -> float:
    """Time ``operation`` on make(True) and make(False) at random; the slowest tenth is left out as noise."""
    times: dict[bool, list[int]] = {True: [], False: []}
    for _ in range(count):
        kind = random.random() < 0.5
        argument = make(kind)
        start = time.perf_counter_ns()
        operation(argument)
        times[kind].append(time.perf_counter_ns() - start)
    cut = sorted(times[True] + times[False])[count * 9 // 10]
    a, b = ([value for value in values if value <= cut] for values in (times[True], times[False]))
    error = (statistics.variance(a) / len(a) + statistics.variance(b) / len(b)) ** 0.5
    return (statistics.mean(a) - statistics.mean(b)) / error


def main(count: int) -> None:
    """Print the table."""
    own = next(libcrypto.find())
    backends: dict[str, Group] = {
        "P-256, libcrypto": P256Libcrypto(own),
        "P-256, pycryptodome": P256Pycryptodome(),
        **{make.name: make(own) for make in (edwards.Ed25519, ristretto.Ristretto255, edwards.Ed448)},
        "secp256k1": Secp256k1Libcrypto(own),
    }
    native = library.find()
    if native:
        kinds = (curves.Ed25519, curves.Ristretto255, curves.Secp256k1, curves.Ed448)
        backends |= {f"{make.name}, native": make(native) for make in kinds}
    print(f"{'group':>20} {'operation':>14} {'n - 1':>8} {'1':>8}   ({count} measurements each)")
    for name, group in backends.items():
        for operation_name, operation in operations(group).items():
            large, one = (welch(fixed_or_random(group, value), operation, count) for value in (group.order - 1, 1))
            remark = "  leaks?" if abs(large) > 4.5 else ""
            print(f"{name:>20} {operation_name:>14} {large:8.1f} {one:8.1f}{remark}", flush=True)
    order = edwards.Ed25519.order
    t = welch(lambda kind: 1 if kind else random.randrange(order), lambda scalar: pow(3, scalar, order), count)
    verdict = "leaks" if abs(t) > 4.5 else "not seen: this test is blind"
    print(f"{'Python int':>20} {'pow':>14} {'':>8} {t:8.1f}  {verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20000)
