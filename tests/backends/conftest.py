"""A SoftHSM2 token for each test of the pkcs11 backend."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from conftest import TokenFixture
from stage import softhsm

from frost_hsm.backends import Backend, Token

NewToken = Callable[..., TokenFixture]


@pytest.fixture
def pkcs11_backend(load_backend: Callable[[str], Backend]) -> Backend:
    return load_backend("pkcs11")


@pytest.fixture
def fixture(new_token: NewToken) -> Iterator[TokenFixture]:
    made = new_token(f"t-{uuid.uuid4().hex[:12]}")
    yield made
    softhsm.give_back(made.serial)


@pytest.fixture
def token(pkcs11_backend: Backend, fixture: TokenFixture) -> Iterator[Token]:
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:
        yield token
