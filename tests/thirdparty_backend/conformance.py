"""Run with the distribution installed: ``pytest conformance.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from frost_hsm import backends
from frost_hsm.testing import BackendConformance, SilentInteraction


class TestTinbox(BackendConformance):
    @pytest.fixture
    def settings(self, tmp_path: Path) -> dict[str, str]:
        return {"directory": str(tmp_path)}

    @pytest.fixture
    def backend(self, settings: dict[str, str]) -> backends.Backend:
        return backends.load("tinbox", settings, SilentInteraction())

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
