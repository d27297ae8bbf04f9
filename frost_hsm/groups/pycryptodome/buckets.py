"""Sums of many products by Pippenger's bucket method, since pycryptodome multiplies one by one.

Scalars are cut into windows of a few bits. For each window the points are sorted by their digit into buckets and
each bucket is added up; Σ digit·bucket then takes two additions a digit; and the windows are joined by doubling. The
more points there are, the more bits a window has, and the fewer additions it takes for each.
"""

from __future__ import annotations

from collections.abc import Sequence

from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there


def sum_products(identity: EccPoint, scalars: Sequence[int], points: Sequence[EccPoint]) -> EccPoint:
    """Compute the sum of scalars[k]·points[k], for scalars from 0 up."""
    bits = max(scalar.bit_length() for scalar in scalars)
    width = min(range(1, 16), key=lambda width: -(-bits // width) * (len(scalars) + (4 << width)))
    mask = (1 << width) - 1
    total = identity.copy()
    for shift in reversed(range(0, bits, width)):
        for _ in range(width):
            total.double()
        buckets = [identity.copy() for _ in range(mask + 1)]
        for scalar, point in zip(scalars, points, strict=True):
            buckets[scalar >> shift & mask] += point
        running = identity.copy()  # the sum of all buckets from a digit up: added once for each digit
        for bucket in reversed(buckets[1:]):
            running += bucket
            total += running
    return total
