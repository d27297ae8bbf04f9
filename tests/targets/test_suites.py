"""What is said of each suite before a key is made holds for the targets there are."""

from __future__ import annotations

import pytest
from stage.dealing import every_suite

from frost_hsm import targets
from frost_hsm.errors import NotPossible
from frost_hsm.frost.ciphersuites import ALL, Ciphersuite
from frost_hsm.targets.suites import TAKEN, USES, suite_for, takers


@pytest.mark.parametrize("use", USES)
def test_the_targets_of_a_use_take_its_suite(use: str) -> None:
    suite, names = USES[use]
    for name in names:
        assert suite in targets.load(name).suites
    assert suite_for(use) == suite


@every_suite
def test_every_suite_is_spoken_of(suite: Ciphersuite) -> None:
    will, will_not = takers(suite.name)
    only_raw = {name for name in targets.installed() if suite.name in targets.load(name).suites} == {"raw"}
    assert ("FROST alone" in will) == (only_raw and suite.name != "secp256k1-tr")
    assert will_not


def test_no_other_suite_is_spoken_of() -> None:
    assert set(TAKEN) == {suite.name for suite in ALL}


def test_a_use_that_is_not_known() -> None:
    with pytest.raises(NotPossible, match="smoke"):
        suite_for("smoke")
