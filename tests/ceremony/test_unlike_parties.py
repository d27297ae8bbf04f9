"""Ceremonies of people with unlike tokens, and of one person in two places at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, NoReturn

import pytest
from conftest import TokenFixture
from stage import parties
from stage.parties import Party, inbox

from frost_hsm.backends import Capability, KeyKind


class Forgetful:
    """A token that can hold no records."""

    def __init__(self, token: Any) -> None:
        self._token = token
        self.capabilities = token.capabilities - {Capability.DATA}

    def __getattr__(self, name: str) -> Any:
        if "record" in name:
            self._refuse()
        return getattr(self._token, name)

    def _refuse(self) -> NoReturn:
        raise AssertionError("asked for a record")


def test_a_token_without_data_objects_keeps_its_records_in_the_state_directory(tmp_path: Path) -> None:
    people = parties.gather(tmp_path)
    alice = people[0]
    alice.wrap = Forgetful
    parties.generate(people)
    for signers in (people[:2], [people[2], alice]):
        assert len(parties.sign(signers, b"message")) == 65
    assert alice.records() == {}
    mark, sealed = [name for name in alice.files() if name.startswith("sealed/")]
    assert mark.startswith("sealed/owner.")
    assert sealed.startswith("sealed/signing-share.")


def test_a_token_without_ecdh_takes_part_with_rsa(tmp_path: Path) -> None:
    people = parties.gather(tmp_path, agree_kinds={"bob": KeyKind.DECRYPT})
    assert people[1].public.agree_key.is_rsa
    parties.generate(people)
    assert len(parties.sign(people[1:], b"message")) == 65


def test_software_and_softhsm_in_one_ceremony(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    def token(name: str, folder: Path) -> str:
        return str(new_token(name).uri) if name == "bob" else parties.software_token(folder / f"{name}.token")

    people = parties.gather(tmp_path, new_token=token, settings=backend_settings)
    parties.generate(people)
    assert len(parties.sign(people[:2], b"message")) == 65


def _take_step(party: Party, step: str, taken: list[bytes], barrier: Barrier, answers: Any) -> None:
    ceremony = party.ceremony()
    barrier.wait()
    if step == "round1":
        said = ceremony.round1(party.holder)
    elif step == "round2":
        said = ceremony.round2(party.holder, inbox(taken))
    else:
        said = ceremony.finish(party.holder, inbox(taken)).message
    answers.put(said)


@pytest.mark.parametrize("step", ["round1", "round2", "finish"])
def test_a_step_taken_twice_at_once_says_one_thing(tmp_path: Path, step: str) -> None:
    people = parties.gather(tmp_path)
    alice = people[0]
    proposal = parties.propose(people)
    alice.join(proposal)
    taken: list[bytes] = []
    if step != "round1":
        first = parties.round1(people, proposal)
        taken += first.values()
        others = people[1:] if step == "round2" else people
        taken += parties.round2(others, first).values()
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(2), context.Queue()
    both = [context.Process(target=_take_step, args=(alice, step, taken, barrier, answers)) for _ in range(2)]
    for process in both:
        process.start()
    said = [answers.get(timeout=60) for _ in both]
    for process in both:
        process.join()
    assert said[0] == said[1]
    assert len(alice.records()) == (2 if step == "finish" else 1)
