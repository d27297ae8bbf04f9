"""Sums of many products by Pippenger's bucket method, for groups whose library multiplies one by one.

Scalars are cut into windows of a few bits. For each window the elements are sorted by their digit into buckets and
each bucket is added up; Σ digit·bucket then takes two additions a digit; and the windows are joined by doubling. The
more elements there are, the more bits a window has, and the fewer additions it takes for each.
"""

from __future__ import annotations

from collections.abc import Sequence

from frost_hsm.groups import Element, Group


def sum_products(group: Group, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
    """Compute the sum of scalars[k]·elements[k], for scalars from 0 up."""
    bits = max(scalar.bit_length() for scalar in scalars)
    width = min(range(1, 16), key=lambda width: -(-bits // width) * (len(scalars) + (2 << width)))
    total = group.identity()
    for shift in reversed(range(0, bits, width)):
        for _ in range(width):
            group.double(total)
        digits = [scalar >> shift & (1 << width) - 1 for scalar in scalars]
        _add_window(group, total, digits, elements)
    return total


def _add_window(group: Group, total: Element, digits: Sequence[int], elements: Sequence[Element]) -> None:
    """Add Σ digit·element to ``total``."""
    accumulate = group.accumulate
    buckets: dict[int, Element] = {}
    for digit, element in zip(digits, elements, strict=True):
        if digit in buckets:
            accumulate(buckets[digit], element)
        elif digit:
            buckets[digit] = group.copy(element)
    running = group.identity()  # the sum of all buckets from a digit up: added once for each digit
    for digit in range(max(buckets, default=0), 0, -1):
        if digit in buckets:
            accumulate(running, buckets[digit])
        accumulate(total, running)
