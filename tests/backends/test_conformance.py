"""Our own backends pass the kit that we hand to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from conftest import TokenFixture
from stage import softhsm

from frost_hsm.backends import Backend
from frost_hsm.testing import BackendConformance

PIN = "frost-1234"


class _OurBackend(BackendConformance):
    @pytest.fixture
    def pin(self) -> str:
        return PIN

    @pytest.fixture
    def wrong_pin(self) -> str:
        return "wrong-9876"


class TestPkcs11(_OurBackend):
    @pytest.fixture
    def backend(self, load_backend: Callable[[str], Backend]) -> Backend:
        return load_backend("pkcs11")

    @pytest.fixture
    def settings(self, backend_settings: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
        return backend_settings["pkcs11"]

    @pytest.fixture
    def uri(self, new_token: Callable[..., TokenFixture]) -> Iterator[str]:
        made = new_token("conformance", PIN)
        yield made.uri
        softhsm.give_back(made.serial)

    @pytest.fixture
    def missing_uri(self) -> str:
        return "pkcs11:token=conformance;serial=0123456789abcdef"


class TestSoftware(_OurBackend):
    @pytest.fixture
    def backend(self, load_backend: Callable[[str], Backend]) -> Backend:
        return load_backend("software")

    @pytest.fixture
    def settings(self, backend_settings: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
        return backend_settings["software"]

    @pytest.fixture
    def uri(self, software_token: Callable[..., TokenFixture]) -> str:
        return software_token("conformance", PIN).uri

    @pytest.fixture
    def missing_uri(self, tmp_path: Path) -> str:
        return f"software:{tmp_path}/nobody.token"
