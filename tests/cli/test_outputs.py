"""Nobody is asked anything whose answer could not be written: every command finds that out first."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NoReturn

import pytest
from cli.judging import changes, snapshot
from cli.test_every_prompt import MORE, commands
from crashes.stage import PLAN, Stage
from crashes.stories import STORIES, Step, steps
from stage import killing, parties
from stage.parties import Party

from frost_hsm.cli.program import frost_hsm as program
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import NotYet, OutputExists, StorageProblem

NOWHERE = "nowhere/file"
ANSWERING = {command: options & {"--yes", "--began"} for command, options in commands(program)}
WRITING = {command for command, options in commands(program) if "-o" in options}
PARTING = {command for command, options in commands(program) if "--each" in options}


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of anybody; nobody answers."""
    asked: list[str] = []

    def ask(terminal: Terminal, question: str, **_: object) -> NoReturn:
        asked.append(question)
        raise AssertionError(question)

    for name in ("agree", "ask", "confirm"):
        monkeypatch.setattr(Terminal, name, ask)
    return asked


class Probed(Stage):
    """A stage on which every step is tried first with an answer that cannot be written."""

    def __init__(self, directory: Path, questions: list[str]) -> None:
        super().__init__(directory, "software")
        self._questions = questions
        self.probed: set[str] = set()
        (self.directory / "board").mkdir()

    def run(self, step: Step, **_: object) -> killing.Ended:
        party = self.people[step.who]
        if step.command in WRITING:
            before, words = snapshot(party), without_output(step.arguments)
            require_refused(party, [*words, "-o", NOWHERE], self._questions)
            if step.command in PARTING:
                require_refused(party, [*words, "--each", "pin"], self._questions)
            assert changes(before, snapshot(party)) == []
            self.probed.add(step.command)
        with pytest.MonkeyPatch.context() as answering:
            answering.setattr(Terminal, "agree", lambda *_, **__: True)
            pin = ("--pin-source", f"file:{party.directory / 'pin'}") if step.command == "join" else ()
            ran = party.run(*step.arguments, *pin)
        return killing.Ended(
            0 if step.command == "join" and ran.status == NotYet.exit else ran.status, "", ran.stderr, []
        )


def without_output(arguments: tuple[str, ...]) -> list[str]:
    words = list(arguments)
    for option in ("-o", "--each"):
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
    return [word for word in words if word not in ("--yes", "--force")]


def require_refused(party: Party, words: list[str], questions: list[str]) -> None:
    ran = party.run(*words)
    assert (ran.status, questions) == (StorageProblem.exit, []), (words, ran.stderr)
    assert "cannot write" in ran.stderr, (words, ran.stderr)


def test_nobody_is_asked_for_what_cannot_be_written(questions: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="told-") as short:
        stage = Probed(Path(short), questions)
        for beginning, text in (*STORIES.values(), MORE["a board"]):
            stage._begin(beginning)
            for step in steps(text, **stage._places):
                if step.command != "agent run":
                    stage.take(step)
    assert {command for command in WRITING if ANSWERING[command]} - stage.probed == {"dispute answer", "setup"}


def test_setup_asks_for_no_name_in_vain(questions: list[str], tmp_path: Path) -> None:
    alice = Party("alice", tmp_path, parties.software_token(tmp_path / "alice.token"))
    require_refused(alice, ["setup", "--token", alice.uri, "-o", NOWHERE], questions)
    assert not (tmp_path / "home").exists()


def test_no_time_is_asked_for_a_statement_that_cannot_be_written(questions: list[str], tmp_path: Path) -> None:
    people = parties.gather(tmp_path, ["alice", "bob"])
    parties.generate(people)
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "treasury.alice.statement.json").mkdir()
    ran = people[0].run("ceremony", "record", str(tmp_path / "plan.toml"), "--force")
    assert (ran.status, questions) == (OutputExists.exit, []), ran.stderr
