"""Polynomials, secret ones in the exponent: evaluating commitments, interpolating.

Secrets are `SecretScalar`, in constant time; everything else is public, in variable time. Evaluating at small
numbers takes small multiples instead of full multiplications, and evaluating at 1, 2, 3, … takes additions
alone, by finite differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import log2

from frost_hsm.groups import Element, Group, SecretScalar

_SMALL = 1 << 16  # below it, multiplying by repeated doubling beats a multi-scalar multiplication
_DENSE = 4  # finite differences walk through every number up to the largest, so that one must not be far


def lagrange(order: int, numbers: Sequence[int], at: int, x: int = 0) -> int:
    """Return the Lagrange coefficient of ``at`` for interpolating at ``x`` (RFC 9591, section 4.2).

    numbers: distinct and not zero modulo ``order``, ``at`` among them.
    """
    numerator = denominator = 1
    for number in numbers:
        if number != at:
            numerator = numerator * (x - number) % order
            denominator = denominator * (at - number) % order
    return numerator * pow(denominator, -1, order) % order


def interpolate(group: Group, points: Mapping[int, Element], x: int = 0) -> Element:
    """Return the value at ``x`` of the polynomial through f(number)·G for each number, by Lagrange's formula."""
    numbers = list(points)
    factors = [lagrange(group.order, numbers, at, x) for at in numbers]
    return group.sum_products(factors, list(points.values()))


def interpolate_secret(group: Group, points: Mapping[int, SecretScalar], x: int = 0) -> SecretScalar:
    """Return the value at ``x`` of the polynomial through f(number) for each number, in constant time."""
    numbers = list(points)
    value = group.add_scalars(())
    for at, scalar in points.items():
        partial, value = value, group.multiply_add(value, scalar, lagrange(group.order, numbers, at, x))
        partial.wipe()
    return value


def add_commitments(group: Group, commitments: Iterable[Sequence[Element]]) -> list[Element]:
    """Add commitments of equal length, entry by entry (ZcashFoundation: ``sum_commitments``)."""
    first, *others = commitments
    total = [group.copy(element) for element in first]
    accumulate = group.accumulate
    for other in others:
        for target, element in zip(total, other, strict=True):
            accumulate(target, element)
    return total


def evaluate_commitment(group: Group, commitment: Sequence[Element], x: int) -> Element:
    """Evaluate at one number: x⁰·φ₀ + x¹·φ₁ + …."""
    if x >= _SMALL:
        return group.sum_products(powers(x, len(commitment), group.order), commitment)
    value = group.copy(commitment[-1])
    for element in reversed(commitment[:-1]):
        _multiply_small(group, value, x)
        group.accumulate(value, element)
    return value


def commits_to(group: Group, commitment: Sequence[Element], x: int, value: SecretScalar) -> bool:
    """Say whether ``value`` is the committed polynomial's at ``x``: value·G = Σ xᵏ·φ_k."""
    return group.equal(group.multiply_base(value), evaluate_commitment(group, commitment, x))


def evaluate_commitment_at_all(group: Group, commitment: Sequence[Element], numbers: Sequence[int]) -> list[Element]:
    """Evaluate at many numbers."""
    largest = max(numbers)
    if largest > _DENSE * len(numbers):
        return [evaluate_commitment(group, commitment, x) for x in numbers]
    at = _evaluate_from_one(group, commitment, largest)
    return [at[x - 1] for x in numbers]


def _evaluate_from_one(group: Group, commitment: Sequence[Element], count: int) -> list[Element]:
    """Evaluate at 1, 2, …, count.

    The polynomial is cut into blocks, f(x) = Σ x^(b·length)·f_b(x), because making a table of differences
    costs the square of its length, and joining blocks costs one more multiplication at each number.
    """
    length = _block_length(group, len(commitment), count)
    blocks = [
        _walk(group, _differences(group, commitment[start : start + length]), count)
        for start in range(0, len(commitment), length)
    ]
    values, *others = blocks
    for x, value in enumerate(values if others else (), start=1):
        factors = powers(pow(x, length, group.order), len(blocks), group.order)[1:]
        group.accumulate(value, group.sum_products(factors, [block[x - 1] for block in others]))
    return values


def _block_length(group: Group, terms: int, count: int) -> int:
    """Choose the length of blocks that takes the fewest additions, by and large."""

    def additions(blocks: int) -> float:
        length = terms / blocks
        tables = blocks * length**2 / 2 * 1.5 * log2(length + 1)
        return tables + count * (blocks - 1) * group.product_in_additions

    return -(-terms // min(range(1, terms + 1), key=additions))


def _differences(group: Group, commitment: Sequence[Element]) -> list[Element]:
    """Return the forward differences Δ⁰f(0), Δ¹f(0), ….

    By Horner's rule: in terms of binomials, x·C(x, k-1) = k·C(x, k) + (k-1)·C(x, k-1), so multiplying a
    polynomial by x makes its k-th difference k·(Δᵏ + Δᵏ⁻¹).
    """
    table: list[Element] = []
    for element in reversed(commitment):
        table.append(group.identity())
        for k in range(len(table) - 1, 0, -1):
            group.accumulate(table[k], table[k - 1])
            _multiply_small(group, table[k], k)
        if table:
            table[0] = group.copy(element)
    return table


def _walk(group: Group, table: list[Element], count: int) -> list[Element]:
    """Step from 0 to 1, 2, …, count, by one addition for each difference."""
    accumulate = group.accumulate
    pairs = list(pairwise(table))
    values = []
    for _ in range(count):
        for lower, higher in pairs:
            accumulate(lower, higher)
        values.append(group.copy(table[0]))
    return values


def _multiply_small(group: Group, target: Element, factor: int) -> None:
    """Multiply in place by a small positive number, by doubling and adding."""
    if factor == 1:
        return
    original = group.copy(target)
    for bit in bin(factor)[3:]:
        group.double(target)
        if bit == "1":
            group.accumulate(target, original)


def powers(x: int, count: int, order: int) -> list[int]:
    """Return x⁰, x¹, …: so many of them."""
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * x % order)
    return powers
