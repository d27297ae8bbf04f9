"""Who answers: a rule, else whoever is asked, else nobody; each request once, noted before anything is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agent.test_policy import QUESTION, policy
from stage import parties
from stage.parties import Party

from frost_hsm.agent.hook import Hook
from frost_hsm.agent.judge import Answer, Judge
from frost_hsm.agent.log import Chain, Log
from frost_hsm.agent.policy import Policy
from frost_hsm.agent.question import Question
from frost_hsm.errors import ConfigProblem, UsageProblem


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Party:
    return parties.gather(tmp_path_factory.mktemp("people"), ("alice",))[0]


class Room:
    """A judge whose clock is set, and its log."""

    def __init__(self, party: Party, path: Path) -> None:
        self._party = party
        self._path = path
        self.now = datetime(2026, 9, 21, 12, tzinfo=UTC)

    def judge(self, rules: Policy | None) -> Judge:
        self.log = Log(self._path, self._party.public, lambda: self.now)
        return Judge(self.log, rules, lambda: self.now)

    def noted(self) -> list[str]:
        return [entry.what for entry in Chain.read(self._path.read_bytes(), self._party.public).entries]


@pytest.fixture
def room(alice: Party, tmp_path: Path) -> Iterator[Room]:
    made = Room(alice, tmp_path / "log")
    yield made
    made.log.__exit__()


def other(number: int) -> Question:
    return replace(QUESTION, request=f"{number:064x}")


def test_nothing_answers_without_a_policy_or_somebody_to_ask(room: Room) -> None:
    answer = room.judge(None).decide(QUESTION, None, "")
    assert answer == Answer(False, "there is no policy")
    assert room.noted() == ["denied"]


def test_a_rule_answers_and_nobody_is_asked(room: Room) -> None:
    judge = room.judge(policy())

    def ask() -> bool:
        raise AssertionError("asked")

    assert judge.decide(QUESTION, ask, "bob") == Answer(True, 'allowed by rule "r"')
    assert judge.decide(QUESTION, ask, "bob") == Answer(True, 'allowed by rule "r"')
    assert room.noted() == ["allowed"], "each request once"
    assert judge.numbers == (1, 0)


def test_what_no_rule_allows_is_asked_if_there_is_somebody(room: Room) -> None:
    judge = room.judge(policy(key='"other"'))
    answers: dict[int, bool | None] = {1: True, 2: False, 3: None}
    for number, answer in answers.items():
        found = judge.decide(other(number), lambda answer=answer: answer, "bob")  # type: ignore[misc]
        assert (found.is_yes if found is not None else None) is answer
        assert found is None or found.was_asked
    found = judge.decide(other(4), None, "")
    assert found is not None
    assert not found.is_yes
    assert room.noted() == ["allowed", "denied", "waiting", "denied"]


def test_what_is_allowed_later_waits_until_then(room: Room) -> None:
    judge = room.judge(policy(hours='"13:00-14:00"'))
    assert judge.decide(QUESTION, None, "") is None
    assert judge.decide(QUESTION, None, "") is None
    room.now += timedelta(hours=1)
    assert judge.decide(QUESTION, None, "") == Answer(True, 'allowed by rule "r"')
    assert room.noted() == ["waiting", "allowed"]


def test_the_count_of_a_day_outlives_the_agent(room: Room) -> None:
    two = replace(QUESTION, items=QUESTION.items * 2)
    assert room.judge(policy(per_day="3")).decide(two, None, "") is not None
    room.log.__exit__()
    judge = room.judge(policy(per_day="3"))
    found = judge.decide(other(1), None, "")
    assert found is not None
    assert found.is_yes
    assert judge.decide(other(2), None, "") is None, "three of three are used"
    room.now += timedelta(days=1)
    found = judge.decide(other(2), None, "")
    assert found is not None
    assert found.is_yes


# ── A program that is asked ──


def script(directory: Path, text: str) -> str:
    path = directory / "hook"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return f"'{path}' 'two words'"


def answer_of(hook: Hook, question: Question = QUESTION) -> bool:
    deadline = time.monotonic() + 30
    while (answer := hook(question)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [("cat > /dev/null; exit 0", True), ("exit 0", True), ("exit 1", False), ("exit 77", False), ("kill -9 $$", False)],
)
def test_the_exit_status_of_a_hook_is_the_answer(text: str, answer: bool, tmp_path: Path) -> None:
    assert answer_of(Hook(script(tmp_path, text))) is answer


def test_a_hook_is_handed_the_question_and_its_own_arguments(tmp_path: Path) -> None:
    hook = Hook(script(tmp_path, f'test "$1" = "two words" && grep -q \'"text": \\["words"\\]\' && test -d {tmp_path}'))
    assert answer_of(hook)
    assert not answer_of(hook, replace(QUESTION, lines=("other words",)))


def test_hooks_run_beside_each_other_and_end_with_the_agent(tmp_path: Path) -> None:
    hook = Hook(script(tmp_path, "exec sleep 60"))
    for number in range(10):
        assert hook(other(number)) is None
    assert not hook.has_answered(other(9).request), "eight at once"
    hook.drop(other(0).request)
    assert hook.has_answered(other(9).request)
    assert hook(other(9)) is None
    assert not hook.has_answered(other(10).request)
    hook.stop()
    assert hook.has_answered(other(9).request)


def test_a_hook_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="no program"):
        Hook(str(tmp_path / "none"))
    for wrong in ("", "'open"):
        with pytest.raises((UsageProblem, ConfigProblem)):
            Hook(wrong)
