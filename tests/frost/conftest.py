"""The ciphersuite that protocol tests run on: on every implementation of its group."""

from __future__ import annotations

import p256
import pytest

from frost_hsm.frost.ciphersuites import Ciphersuite


@pytest.fixture(params=p256.SUITES)
def suite(request: pytest.FixtureRequest) -> Ciphersuite:
    return p256.SUITES[request.param]
