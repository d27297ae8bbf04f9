"""Hostile input of the greatest size that is read at all: refused in little time and memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ceremony import people

from frost_hsm import P256
from frost_hsm.ceremony.messages.making import Proposal
from frost_hsm.errors import FrostHsmError
from frost_hsm.frost.packages import PublicKeyPackage

_LARGE = 6 << 20


def strings() -> object:
    return PublicKeyPackage.from_json(P256, b"[" + b'"",' * (_LARGE // 3) + b'""]')


def arrays() -> object:
    return PublicKeyPackage.from_json(P256, b"[" + b"[]," * (_LARGE // 3) + b"[]]")


@pytest.mark.parametrize("read", [strings, arrays])
def test_json_of_more_parts_than_a_package_has_is_refused(read: Callable[[], object]) -> None:
    with pytest.raises(FrostHsmError, match="more JSON than any package has"):
        read()


@pytest.mark.parametrize("purpose", ["\U0001fae8 of Unicode 15", "\U0001fae9 of Unicode 16", "\U000e0fff of none yet"])
def test_what_is_a_proposal_does_not_depend_on_the_unicode_of_this_python(purpose: str) -> None:
    proposal = Proposal(bytes(32), "treasury", purpose, P256.id, 2, 1, people.roster())
    assert Proposal.decode(proposal.encode()) == proposal
