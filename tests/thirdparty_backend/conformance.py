"""Run with the distribution installed: ``pytest conformance.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from frost_hsm import backends
from frost_hsm.testing import BackendConformance, SilentInteraction


class TestTinbox(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> backends.Backend:
        return backends.load("tinbox", {"directory": str(tmp_path)}, SilentInteraction())

    @pytest.fixture
    def uri(self, backend: backends.Backend, pin: str) -> str:
        return backend.create("tinbox:box", lambda info: pin).uri

    @pytest.fixture
    def pin(self) -> str:
        return "1234"

    @pytest.fixture
    def wrong_pin(self) -> str:
        return "wrong-4321"

    @pytest.fixture
    def missing_uri(self) -> str:
        return "tinbox:nowhere"
