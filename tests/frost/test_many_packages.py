"""Reading many round 1 packages at once, for every suite: none with a point outside the group gets through."""

from __future__ import annotations

import pytest
from stage import plain_curves
from stage.plain_curves import Edwards
from stage.suites import SUITES

from frost_hsm.errors import InvalidNonPrimeOrderElement, MalformedElement
from frost_hsm.frost import dkg, round1
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Identifier


def encoded(suite: Ciphersuite, max_signers: int, min_signers: int) -> dict[Identifier, bytes]:
    """Run part1 for two, whose packages stand for everybody's."""
    ids = [Identifier(suite, k) for k in range(1, max_signers + 1)]
    made = [dkg.part1(suite, own, max_signers=max_signers, min_signers=min_signers)[1].serialize() for own in ids[:2]]
    return {own: made[own.value % 2] for own in ids}


@pytest.mark.parametrize(("max_signers", "min_signers"), [(3, 2), (10, 7), (40, 15)])
def test_reading_all_is_reading_each(suite: Ciphersuite, max_signers: int, min_signers: int) -> None:
    packages = encoded(suite, max_signers, min_signers)
    found = round1.deserialize_all(suite, packages)
    assert list(found) == list(packages)
    assert all(package.serialize() == packages[own] for own, package in found.items())


@pytest.mark.parametrize("name", ["ed25519", "ed448"])
@pytest.mark.parametrize(("max_signers", "min_signers"), [(3, 2), (30, 20)])
def test_a_point_outside_the_subgroup_names_its_sender(name: str, max_signers: int, min_signers: int) -> None:
    """Known attack K27, in each part of a package."""
    suite = SUITES[name]
    curve = plain_curves.CURVES[suite.group.name]
    assert isinstance(curve, Edwards)
    bad = curve.encode(curve.add(curve.generator, curve.small_order_point()))
    packages = encoded(suite, max_signers, min_signers)
    length = suite.group.element_length
    culprit = list(packages)[max_signers // 2]
    y = round1.Package.deserialize(suite, packages[culprit]).y_coordinates()
    for entry in (0, min_signers - 1):
        start = 6 + entry * length
        data = packages[culprit][:start] + bad + packages[culprit][start + length :]
        with pytest.raises(InvalidNonPrimeOrderElement, match=f"of {culprit}: "):
            round1.deserialize_all(suite, {**packages, culprit: data})
        with pytest.raises(InvalidNonPrimeOrderElement):
            round1.Package.deserialize(suite, data)
        with pytest.raises(MalformedElement):
            round1.Package.deserialize(suite, data, y)
