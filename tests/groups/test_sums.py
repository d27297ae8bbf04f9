"""Sums of products by windows and by buckets; single products are the judge."""

from __future__ import annotations

from types import ModuleType

import pytest
from Crypto.PublicKey.ECC import EccPoint
from hypothesis import given, settings
from hypothesis import strategies as st

from frost_hsm.groups import Element, Group, libcrypto
from frost_hsm.groups.pycryptodome import buckets, windows
from frost_hsm.groups.pycryptodome.edwards import Ed448, Ed25519
from frost_hsm.groups.pycryptodome.ristretto import Ristretto255
from frost_hsm.groups.pycryptodome.weierstrass import Secp256k1

LIBRARY = next(libcrypto.find())
GROUPS: dict[str, Group] = {
    group.name: group for group in (Secp256k1(), Ed25519(LIBRARY), Ristretto255(LIBRARY), Ed448(LIBRARY))
}


@pytest.fixture(params=GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]


def multiple(group: Group, k: int) -> Element:
    return group.combine_base(k, 0, group.identity())


@pytest.mark.parametrize("method", [windows, buckets])
@pytest.mark.parametrize("name", ["secp256k1", "Ed25519", "Ed448"])
@settings(max_examples=15, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.one_of(st.integers(0, 40), st.integers(0, 2**250)), st.integers(-3, 3)), min_size=1, max_size=40
    )
)
def test_sums_of_products(method: ModuleType, name: str, pairs: list[tuple[int, int]]) -> None:
    """The points are few, so that some are equal, opposite or the identity, and buckets vanish."""
    group = GROUPS[name]
    points: list[EccPoint] = [multiple(group, k).handle for _, k in pairs]  # pycryptodome's
    total = method.sum_products(group.identity().handle, [scalar for scalar, _ in pairs], points)
    assert group.equal(Element(total), multiple(group, sum(scalar * k for scalar, k in pairs)))


def test_groups_sum_by_what_is_fastest(group: Group) -> None:
    numbers = range(1, 166)
    scalars = [(-1) ** k * 3 ** (2 * k) for k in numbers]
    elements = [multiple(group, k) for k in numbers]
    before = [group.encode(element) for element in elements]
    for count in (1, 2, 3, 4, 127, 128, 159, 160, 165):
        expected = multiple(group, sum(a * k for a, k in zip(scalars[:count], numbers, strict=False)))
        assert group.equal(group.sum_products(scalars[:count], elements[:count]), expected)
    assert [group.encode(element) for element in elements] == before  # nothing given was changed
