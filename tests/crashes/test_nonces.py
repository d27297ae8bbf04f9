"""One pair of nonces serves one message, wherever the process that answered was killed and whatever was put back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from crashes.stage import Stage, Told
from crashes.stories import Step

from frost_hsm.errors import NonceUsed

APART = 3  # instants
REQUEST_OTHER = Step(
    "alice",
    (
        *("sign", "request", "treasury", "../other", "-o", "../inbox/other.package.json"),
        *(f"--commitments={who}=../inbox/treasury.{who}.commitments.json" for who in ("alice", "bob")),
    ),
)
ANSWER_OTHER = Step(
    "alice", ("sign", "respond", "../inbox/other.package.json", "--key", "treasury", "-o", "other.json")
)


@pytest.fixture
def answer(stage: Stage) -> Told:
    """Alice's answer, as it was given once, and a request for her answer to another message."""
    story = stage.tell("a signature in plain JSON")
    [told] = [told for told in story if told.step.is_struck and told.step.command == "sign respond"]
    stage.put_back(told.before)
    (stage.directory / "other").write_bytes(b"pay 5000 to mallory")
    stage.take(REQUEST_OTHER)
    kept = told.before.with_name("two requests")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(stage.directory, kept, symlinks=True)
    return Told(told.step, kept, told.calls, told.after)


@pytest.mark.slow
def test_a_killed_answer_serves_one_message_alone(stage: Stage, answer: Told) -> None:
    """After each kill somebody asks for another message first: one of the two is signed, or the pair is lost."""
    signed = {True: 0, False: 0}
    for instant in range(1, len(answer.calls) + 1, APART * (5 if stage.kind == "softhsm" else 1)):
        stage.put_back(answer.before)
        assert stage.run(answer.step, instant=instant).status is None
        if stage.has_lost_token:
            continue
        statuses = [stage.run(step).status or 0 for step in (ANSWER_OTHER, answer.step)]
        assert sorted(statuses) in ([0, NonceUsed.exit], [NonceUsed.exit] * 2), (instant, answer.calls[instant - 1])
        assert not all(path.exists() for path in _answers(stage)), "one pair of nonces served two messages"
        signed[statuses[0] == 0] += 1
    assert min(signed.values()) > 1, "the kills fell on one side of the decision only"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["home", "home and token"])
def test_what_is_put_back(stage: Stage, answer: Told, what: str) -> None:
    """The state directory alone brings no nonces back. With a copy of the token it does, and `doctor` says so."""
    stage.put_back(answer.before)
    stage.take(answer.step)
    for folder in (stage.people["alice"].directory / "home", stage.token("alice"))[: 1 + ("token" in what)]:
        shutil.rmtree(folder)
        shutil.copytree(answer.before / folder.relative_to(stage.directory), folder)
    ended = stage.run(ANSWER_OTHER)
    assert ended.status == (0 if "token" in what else NonceUsed.exit), ended.stderr
    assert all(path.exists() for path in _answers(stage)) is ("token" in what)
    told = stage.run(Step("alice", ("doctor",))).stdout
    [warning] = [line for line in told.splitlines() if line.startswith("warn") and "is software" in line]
    assert "never put an older copy of it back, for used nonces come back with it" in warning


def _answers(stage: Stage) -> list[Path]:
    return [stage.people["alice"].directory / name for name in ("other.json", "treasury.alice.share.json")]
