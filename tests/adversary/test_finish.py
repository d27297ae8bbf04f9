"""Nobody is convicted of what a token did, and nothing that became active while we waited is destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stage import parties
from stage.parties import Messages, Party

from frost_hsm.backends import Token
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.errors import CeremonyStopped, NotPossible, SealBroken
from frost_hsm.secret import Secret


class Forgetful:
    """A token that computes a wrong secret in some of its agreements, counted from 1."""

    def __init__(self, real: Token, wrong: range) -> None:
        self._real = real
        self._wrong = wrong
        self._agreements = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def agree(self, key_id: bytes, peer_point: bytes) -> Secret:
        self._agreements += 1
        return Secret.zeros(32) if self._agreements in self._wrong else self._real.agree(key_id, peer_point)


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path)


@pytest.fixture
def rounds(trio: list[Party]) -> tuple[Messages, Messages]:
    first = parties.round1(trio, parties.propose(trio))
    return first, parties.round2(trio, first)


def test_a_token_that_fails_once_convicts_nobody(trio: list[Party], rounds: tuple[Messages, Messages]) -> None:
    trio[0].wrap = lambda token: Forgetful(token, range(2, 3))  # the first is our own share
    parties.confirm(trio, parties.finish(trio, *rounds))
    trio[0].key().require_active()


def test_a_token_that_goes_on_failing_convicts_nobody(trio: list[Party], rounds: tuple[Messages, Messages]) -> None:
    alice = trio[0]
    alice.wrap = lambda token: Forgetful(token, range(2, 100))
    with pytest.raises(SealBroken) as caught:
        parties.finish([alice], *rounds)
    assert caught.value.culprits == ()
    alice.wrap = lambda token: token
    parties.confirm(trio, parties.finish(trio, *rounds))


def test_a_key_that_became_active_during_an_abort_is_kept(trio: list[Party], rounds: tuple[Messages, Messages]) -> None:
    alice, confirmations = trio[0], parties.finish(trio, *rounds)

    @contextmanager
    def confirmed_meanwhile() -> Iterator[Holder]:
        with alice.holder() as holder:
            parties.confirm([alice], confirmations)
            yield holder

    with pytest.raises(NotPossible):
        alice.ceremony().abort(confirmed_meanwhile)
    with alice.holder() as holder:
        alice.key().unseal(SealedRecords(holder, alice.home)).wipe()


def test_a_ceremony_that_was_stopped_while_the_token_was_opened_takes_no_step(trio: list[Party]) -> None:
    alice = trio[0]
    ceremony = alice.join(parties.propose(trio))

    @contextmanager
    def stopped_meanwhile() -> Iterator[Holder]:
        with alice.holder() as holder:
            alice.ceremony().transcript.stop([ceremony.proposal])
            yield holder

    with pytest.raises(CeremonyStopped):
        ceremony.round1(stopped_meanwhile)
    assert alice.records() == {}
