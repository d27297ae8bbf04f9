from __future__ import annotations

import pytest
from stage.p256 import SUITES
from stage.suites import sample

from frost_hsm.frost import polynomial
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.groups import Element

FAST = SUITES["libcrypto"]
ORDER = FAST.group.order


def committed(suite: Ciphersuite, coefficients: list[int]) -> list[Element]:
    generator = suite.group.decode(sample(suite, "element1"))
    return [suite.group.combine_base(c, 0, generator) for c in coefficients]


def expected(suite: Ciphersuite, coefficients: list[int], x: int) -> Element:
    order = suite.group.order
    return committed(suite, [sum(c * pow(x, k, order) for k, c in enumerate(coefficients)) % order])[0]


@pytest.mark.parametrize("terms", [1, 2, 3, 8, 9, 30])
@pytest.mark.parametrize("x", [1, 2, 3, 100, 65535, 65536, 2**200, -1])
def test_evaluation_at_one_number(suite: Ciphersuite, terms: int, x: int) -> None:
    coefficients = [(3**k << 150) + k for k in range(terms)]
    group = suite.group
    x %= group.order
    commitment = committed(suite, coefficients)
    value = polynomial.evaluate_commitment(group, commitment, x)
    assert group.equal(value, expected(suite, coefficients, x))
    assert all(group.equal(a, b) for a, b in zip(commitment, committed(suite, coefficients), strict=True))


@pytest.mark.parametrize("terms", [1, 2, 7, 8, 9, 16, 17, 40])
@pytest.mark.parametrize(
    "numbers", [(1, 2), (1,), (2, 1, 5), tuple(range(1, 31)), (7, 3, 12, 1), (1, 50), (2**40, 1), (65535, 65534)]
)
def test_evaluation_at_many_numbers(terms: int, numbers: tuple[int, ...]) -> None:
    coefficients = [(5**k << 100) + 1 for k in range(terms)]
    suite, group = FAST, FAST.group
    values = polynomial.evaluate_commitment_at_all(group, committed(suite, coefficients), numbers)
    assert len(values) == len(numbers)
    for x, value in zip(numbers, values, strict=True):
        assert group.equal(value, expected(suite, coefficients, x))


def test_evaluation_at_many_numbers_on_every_group(suite: Ciphersuite) -> None:
    coefficients = list(range(11, 31))
    group = suite.group
    values = polynomial.evaluate_commitment_at_all(group, committed(suite, coefficients), range(1, 26))
    assert all(group.equal(v, expected(suite, coefficients, x)) for x, v in enumerate(values, start=1))


def test_values_on_the_way_may_be_the_identity(suite: Ciphersuite) -> None:
    # (x - 1)(x - 2)(x - 3): f(1), f(2), f(3) and differences vanish
    coefficients = [-6, 11, -6, 1]
    group = suite.group
    values = polynomial.evaluate_commitment_at_all(group, committed(suite, coefficients), range(1, 7))
    assert [group.is_identity(value) for value in values] == [True] * 3 + [False] * 3
    assert group.equal(values[5], expected(suite, coefficients, 6))


def test_addition_of_commitments(suite: Ciphersuite) -> None:
    group = suite.group
    first, second, third = ([1, 2, 3], [10, 20, 30], [-11, 5, 2**250])
    vectors = [committed(suite, coefficients) for coefficients in (first, second, third)]
    total = polynomial.add_commitments(group, vectors)
    for element, value in zip(total, map(sum, zip(first, second, third, strict=True)), strict=True):
        assert group.equal(element, committed(suite, [value])[0])
    assert group.equal(vectors[0][0], group.decode(sample(suite, "element1")))  # nothing given was changed


def test_lagrange_coefficients_interpolate() -> None:
    coefficients = [77, 3**150, 5]

    def f(x: int) -> int:
        return sum(c * x**k for k, c in enumerate(coefficients)) % ORDER

    for numbers in ([1, 2, 3], [9, 2**100, ORDER - 1], [4, 70000, 2, 8]):
        for x in (0, 1, 12345):
            value = sum(polynomial.lagrange(ORDER, numbers, at, x) * f(at) for at in numbers) % ORDER
            assert value == f(x)
