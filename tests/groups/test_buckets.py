"""Pippenger's bucket method; sums of single products are the judge."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frost_hsm import groups
from frost_hsm.groups import Element, Group, buckets

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (groups.p256(), groups.secp256k1(), groups.ed25519(), groups.ristretto255(), groups.ed448())
}


@pytest.fixture(params=GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]


def multiple(group: Group, k: int) -> Element:
    return group.combine_base(k, 0, group.identity())


@pytest.mark.parametrize("name", GROUPS)
@settings(max_examples=15, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.one_of(st.integers(0, 3), st.integers(0, 2**250)), st.integers(-3, 3)), min_size=1, max_size=40
    )
)
def test_sums_of_products(name: str, pairs: list[tuple[int, int]]) -> None:
    """The elements are few, so that some are equal, opposite or the identity, and buckets vanish."""
    group = GROUPS[name]
    total = buckets.sum_products(group, [scalar for scalar, _ in pairs], [multiple(group, k) for _, k in pairs])
    assert group.equal(total, multiple(group, sum(scalar * k for scalar, k in pairs)))


def test_groups_use_it_for_many_elements(group: Group) -> None:
    numbers = range(1, 131)
    scalars = [(-1) ** k * 3 ** (2 * k) for k in numbers]
    elements = [multiple(group, k) for k in numbers]
    before = [group.encode(element) for element in elements]
    for count in (1, 19, 20, 79, 80, 127, 130):
        expected = multiple(group, sum(a * k for a, k in zip(scalars[:count], numbers, strict=False)))
        assert group.equal(group.sum_products(scalars[:count], elements[:count]), expected)
    assert [group.encode(element) for element in elements] == before  # nothing given was changed
