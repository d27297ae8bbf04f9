"""What a subclass says of the backend under test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from frost_hsm.backends import Backend, Capability, Token
from frost_hsm.testing.actors import PinSourceSpy


class BackendFixtures:
    """Five fixtures to override, a sixth for a backend with settings, and the open token that they make."""

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend under test."""
        raise NotImplementedError("override the fixture backend")

    @pytest.fixture
    def settings(self) -> Mapping[str, str]:
        """What the backend under test was made with: another process makes its own, of the same class."""
        return {}

    @pytest.fixture
    def uri(self) -> str:
        """The URI of a new, empty token with a PIN, for this test alone."""
        raise NotImplementedError("override the fixture uri")

    @pytest.fixture
    def pin(self) -> str:
        """The PIN of that token."""
        raise NotImplementedError("override the fixture pin")

    @pytest.fixture
    def wrong_pin(self) -> str:
        """A PIN that is not its; it is tried once a test.

        Three tests try it, each before the right one. A token that counts wrong PINs without taking the right one for
        an excuse locks: a TPM wants ``tpm2_dictionarylockout --setup-parameters --max-tries=1000`` first.
        """
        raise NotImplementedError("override the fixture wrong_pin")

    @pytest.fixture
    def missing_uri(self) -> str:
        """A good URI that selects nothing."""
        raise NotImplementedError("override the fixture missing_uri")

    @pytest.fixture
    def token(self, backend: Backend, uri: str, pin: str) -> Iterator[Token]:
        """The token, open and logged in."""
        with backend.open(uri, PinSourceSpy(pin)) as token:
            yield token


def needs(token: Token, *capabilities: Capability) -> None:
    """Skip the test unless the token can do it."""
    missing = [capability for capability in capabilities if capability not in token.capabilities]
    if missing:
        pytest.skip(f"the token cannot {missing[0]}")
