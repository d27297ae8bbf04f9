"""Groups made by a dealer, for the tests of what is done with shares afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from stage.group_run import Signing

from frost_hsm.frost import ciphersuites, signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dealer
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage

every_suite = pytest.mark.parametrize("suite", [pytest.param(suite, id=suite.name) for suite in ciphersuites.ALL])

few = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Group:
    """A group's key packages, by identifier, and what all of them know."""

    key_packages: dict[Identifier, KeyPackage]
    public: PublicKeyPackage

    @classmethod
    def deal(cls, suite: Ciphersuite, numbers: Iterable[int], min_signers: int) -> Group:
        ids = [Identifier(suite, number) for number in numbers]
        shares, public = dealer.generate_with_dealer(
            suite, max_signers=len(ids), min_signers=min_signers, identifiers=ids
        )
        return cls({own: KeyPackage.from_secret_share(share) for own, share in shares.items()}, public)

    @property
    def ids(self) -> list[Identifier]:
        return list(self.key_packages)

    def some(self, count: int) -> list[KeyPackage]:
        """The last ones: their positions are not their identifiers."""
        return list(self.key_packages.values())[-count:]


def sign(key_packages: Sequence[KeyPackage], public: PublicKeyPackage, message: bytes = b"message") -> None:
    """Make a signature, and see that it verifies under the group key."""
    session = Signing(key_packages, message)
    signature = signing.aggregate(session.package, session.shares(), public)
    public.verifying_key.verify(message, signature)


@st.composite
def shapes(draw: st.DrawFn, most: int = 5) -> tuple[list[int], int]:
    """Identifiers, not always 1, 2, 3, …, and a threshold."""
    count = draw(st.integers(2, most))
    numbers = draw(
        st.one_of(
            st.just(list(range(1, count + 1))),
            st.lists(st.integers(1, 2**60), min_size=count, max_size=count, unique=True),
        )
    )
    return numbers, draw(st.integers(2, count))
