"""Sums of several products by Straus' method, since pycryptodome multiplies one by one.

All products share their doublings. Each scalar is cut into odd numbers of a few bits, with zeros between them, so that
a table of few multiples serves and most bits take no addition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there

_WIDTH = 4  # bits
_WINDOW = re.compile(f"1(?:[01]{{0,{_WIDTH - 2}}}1)?")  # in binary


def sum_products(identity: EccPoint, scalars: Sequence[int], points: Sequence[EccPoint]) -> EccPoint:
    """Compute the sum of scalars[k]·points[k], for scalars from 0 up."""
    length = max(scalar.bit_length() for scalar in scalars)
    added: list[list[EccPoint]] = [[] for _ in range(length)]  # after the doubling for each bit, from the top
    for scalar, point in zip(scalars, points, strict=True):
        multiples = _odd_multiples(point)
        for window in _WINDOW.finditer(f"{scalar:0{length}b}"):
            added[window.end() - 1].append(multiples[window[0]])
    total = identity.copy()
    for several in added:
        total.double()
        for point in several:
            total += point
    return total


def _odd_multiples(point: EccPoint) -> dict[str, EccPoint]:
    """Return 1, 3, 5, … times a point, up to what a window holds, by the factor in binary."""
    twice = point.copy().double()
    multiples = {}
    for factor in range(1, 1 << _WIDTH, 2):
        multiples[f"{factor:b}"] = point
        point = point + twice
    return multiples
