"""The ciphersuite that protocol tests run on: each of them, P-256 on every implementation of its group."""

from __future__ import annotations

import pytest
from stage.suites import SUITES

from frost_hsm.frost.ciphersuites import Ciphersuite


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> Ciphersuite:
    return SUITES[request.param]
