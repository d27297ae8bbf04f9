"""Every question of every command, at a pseudo-terminal: it waits for its answer, whatever keys and terminal do.

The questions are collected while commands run: those of all stories in `crashes.stories`, in which every command has
its place, and of a few more. Who comes upon a question that was not tried yet runs the command again for all that may
happen to it. That these are all shows in who asks in the program, and in which commands can ask for a PIN.
"""

from __future__ import annotations

import ast
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from ceremony.test_hanging import part
from cli.at_terminal import PATIENCE, Screen, wait_until_it_waits
from cli.judging import changes, snapshot
from cli.test_blame import Case
from cli.test_terminal import TELLING, asking_calls
from crashes.stage import PLAN, Stage
from crashes.stories import STORIES, Step, steps
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from stage import killing, parties, softhsm, upkeep
from stage.jobs import Ended, Event, Question, Shell, Stopped
from stage.parties import KEY, PIN, Party

import frost_hsm
from frost_hsm.ceremony.history import bundle
from frost_hsm.cli.program import frost_hsm as program
from frost_hsm.errors import NotYet

TYPED = {"an arrow key": "{}\x1b[D\n", "two lines pasted": "\x1b[200~{}\nmore\x1b[201~\n"}
ACTS = ("typed ahead", *TYPED, "the terminal closed", "Ctrl-Z and fg")
"""What happens to each question, in this order."""

SURROUNDINGS: dict[str, dict[str, str]] = {
    "60 columns": {"TERM": "xterm", "COLUMNS": "60"},
    "LANG=C": {"TERM": "xterm", "LANG": "C", "LC_ALL": "C"},
    "TERM=dumb": {"TERM": "dumb"},
}
OTHER_ANSWERS = {
    "__call__": PIN,
    "new": PIN,
    "_ask_passphrase": PIN,
    "_ask_name": "alice",
    "_ask_time": "10:00",
    "_chosen": "1",
}
"""What is right where nothing shows it, by who asks."""

MORE = {
    "a look": (
        "a key",
        """
    alice doctor --login
    alice keys show treasury --check-token
    alice backup create
    alice backup verify alice.backup.pem --check-token
    """,
    ),
    "another state directory": (
        "a key",
        """
    alice   rm -r home
    alice init --me alice --token {alice} --take-over
    """,
    ),
    "a key in a file with a passphrase": (
        "two who know each other",
        """
    alice   dkg propose treasury -t 2 --with bob
    alice dealer split treasury --key-file ../key.pem
    """,
    ),
    "a board": (
        None,
        """
    alice   init --me alice --token {alice}
    bob     init --me bob --token {bob}
    alice   identity create
    bob     identity create
    alice   join dir:../board --once
    bob     join dir:../board --once
    alice dkg propose treasury -t 2 --with bob --board dir:../board
    bob   join dir:../board --once
    alice join dir:../board --once
    bob   join dir:../board --once
    alice join dir:../board --once
    bob   join dir:../board --once
    alice join dir:../board --once
    bob     sign request treasury ../message --signers alice,bob --board dir:../board
    alice join dir:../board --once
    bob     sign request treasury ../message --signers alice,bob --board dir:../board --force
    alice agent run dir:../board
    """,
    ),
}
"""As in `crashes.stories`: there is no more to be asked by who takes part in them."""

REPORTING = ("doctor", "agent run")
"""What ends well whatever it had to tell."""

KEEPING = ("backup restore", "init", "agent run")
"""What does before it asks for the PIN what needs none: brings back what is public, makes a configuration, a log."""

STAYING = "the agent is ready"

HOUSE = Path(frost_hsm.__file__).parent


class Attendant:
    """Somebody at a terminal, at whom every question is tried. left: by question, the acts that were not tried yet."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.left: dict[tuple[str, str, int], list[str]] = {}
        self.met: dict[tuple[str, str, int], set[str]] = {}
        self._attempts = 0

    def take(self, party: Party, command: str, *arguments: str, environment: dict[str, str] | None = None) -> int:
        """Run a command as often as there is something to try, and then to its end; returns its exit status."""
        while True:
            screen = Screen(columns=60)
            try:
                ended = self._attempt(screen, party, command, arguments, environment or {})
            finally:
                screen.close()
            if ended is not None:
                return ended.status

    def _attempt(
        self, screen: Screen, party: Party, command: str, arguments: Sequence[str], environment: dict[str, str]
    ) -> Ended | None:
        """Run a command once; None if it came to nothing, as it should, and left everything as it was."""
        around, values = [*SURROUNDINGS.items()][self._attempts % len(SURROUNDINGS)]
        self._attempts += 1
        before, is_answered = snapshot(party), False
        self._shell.start(party.directory, arguments, screen.name, {**environment, **values})
        event = self._wait(screen)
        while isinstance(asked := event, Question):
            question = (command, str(Path(asked.file).relative_to(HOUSE)), asked.line)
            left = self.left.setdefault(question, [*ACTS])
            self.met.setdefault(question, set()).add(around)
            answer = asked.answer or OTHER_ANSWERS[asked.function]
            if left and left[0] != "Ctrl-Z and fg":
                ended = self._spoil(screen, asked, answer, left)
                assert isinstance(ended, Ended), (question, ended)
                assert ended.status != 0 or command in REPORTING, (question, screen.shown)
                is_same = is_answered or command in KEEPING or changes(before, snapshot(party)) == []
                assert is_same, (question, screen.shown)
                assert not asked.is_hidden or answer not in screen.shown.partition(asked.prompt)[2]
                return None
            self._put(screen, asked)
            if left:
                left.pop()
                self._stop(screen, asked)
            screen.type(f"{answer}\n")
            event, is_answered = self._wait(screen), True
        assert isinstance(event, Ended), screen.shown
        return event

    def _put(self, screen: Screen, asked: Question) -> None:
        """Let a question be put, and see it."""
        self._shell.go_on()
        screen.expect(f"{asked.prompt} ")
        assert screen.echoes != asked.is_hidden

    def _spoil(self, screen: Screen, asked: Question, answer: str, left: list[str]) -> Event:
        """Do what is no answer, one thing after the other as long as the question is put again, and end it then."""
        act = left.pop(0)
        if act == "typed ahead":
            screen.type_ahead(f"{answer}\n")
            act = left.pop(0)
        self._put(screen, asked)
        if act in TYPED:
            screen.type(TYPED[act].format(answer))
        else:
            screen.close()
        event = self._wait(screen)
        if not (isinstance(event, Question) and event.line == asked.line):
            return event
        if left[0] in TYPED:
            return self._spoil(screen, event, answer, left)
        self._put(screen, event)
        screen.type("\x04")
        return self._wait(screen)

    def _stop(self, screen: Screen, asked: Question) -> None:
        """Press Ctrl-Z, type something at the shell, and go on."""
        wait_until_it_waits(asked.process)
        screen.type("\x1a")
        assert isinstance(self._wait(screen), Stopped)
        assert screen.echoes
        screen.type_ahead("echo meanwhile\n")
        self._put(screen, asked)

    def _wait(self, screen: Screen) -> Event:
        event = self._shell.wait(screen.fileno(), screen.read, 1 if STAYING in screen.shown else PATIENCE)
        if event is None and STAYING in screen.shown:
            screen.type("\x03")
            event = self._shell.wait(screen.fileno(), screen.read)
        assert event is not None, screen.shown
        return event


class Prompted(Stage):
    """A stage on which every step is taken at a terminal."""

    def __init__(self, directory: Path, attendant: Attendant) -> None:
        super().__init__(directory, "software")
        self._attendant = attendant
        (self.directory / "board").mkdir()
        private = ec.derive_private_key(7, ec.SECP256R1())
        encryption = serialization.BestAvailableEncryption(PIN.encode())
        encoded = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        (self.directory / "key.pem").write_bytes(encoded)

    def tell_here(self, beginning: str | None, text: str) -> None:
        self._begin(beginning)
        told = steps(text, **self._places)
        last = max((number for number, step in enumerate(told) if step.is_struck), default=len(told))
        for step in told[: last + 1]:
            self.take(step)

    def run(self, step: Step, **how: Any) -> killing.Ended:
        """Take a step. Who looks at a board once has not come to an end where others have to go on."""
        party = self.people[step.who]
        status = self._attendant.take(party, step.command, *typed(party, step.arguments))
        return killing.Ended(0 if (step.command, status) == ("join", NotYet.exit) else status, "", "", [])


def typed(party: Party, arguments: Sequence[str]) -> list[str]:
    """Return arguments without those that answer what is asked."""
    answering = {"--yes": 1, "--pin-source": 2, "--confirm-name": 2}
    left, words = list(arguments), []
    while left:
        count = answering.get(left[0], 0)
        words += [] if count else left[:1]
        del left[: count or 1]
    return [*words, "--home", str(party.directory / "home")]


def tell_every_story(attendant: Attendant, directory: Path) -> None:
    stage = Prompted(directory, attendant)
    for beginning, text in (*STORIES.values(), *MORE.values()):
        stage.tell_here(beginning, text)


def set_up(attendant: Attendant, directory: Path, softhsm_module: str) -> None:
    """Find one's token among two."""
    directory.mkdir()
    environment = {"SOFTHSM2_CONF": str(softhsm.configure(directory))}
    for label in ("one", "two"):
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
    alice = Party("alice", directory / "alice", "")
    alice.directory.mkdir()
    words = typed(alice, ["setup", "--module", softhsm_module])
    assert attendant.take(alice, "setup", *words, environment=environment) == 0


def go_on_with_a_second_token(attendant: Attendant, directory: Path) -> None:
    people = parties.gather(directory / "people", ["alice", "bob"])
    [second] = parties.gather(directory / "second", ["alice"])
    upkeep.name_second(people[0], second, people[1:])
    parties.generate(people)
    assert people[0].run("backup", "create").status == 0
    second.home.remove("identity.pem")
    words = typed(second, ["backup", "restore", str(people[0].directory / "alice.backup.pem")])
    assert attendant.take(second, "backup restore", *words) == 0


def be_cheated(attendant: Attendant, directory: Path) -> None:
    """Answer a complaint, and leave what somebody has confirmed besides something else."""
    case = Case(parties.gather(directory / "people"))
    case.spoil()
    words = typed(case.carol, ["dispute", "answer", str(case.complain())])
    assert attendant.take(case.carol, "dispute answer", *words) == 0
    alice, _, carol = trio = parties.gather(directory / "trio")
    parties.generate(trio)
    dave, erin, parted = part(trio)
    known = {party.name: party.public for party in (*trio, dave, erin)}
    bundle.read(alice.home, bundle.write(carol.home, carol.key()), alice.public, known)
    words = typed(alice, ["history", "leave", KEY, parted["carol"].hex()[:8]])
    assert attendant.take(alice, "history leave", *words) == 0


def state_times(attendant: Attendant, directory: Path) -> None:
    """State what one saw of a ceremony."""
    alice, bob = parties.gather(directory, ["alice", "bob"])
    parties.generate([alice, bob])
    plan = directory / "plan.toml"
    plan.write_text(PLAN)
    words = typed(alice, ["ceremony", "record", str(plan)])
    assert attendant.take(alice, "ceremony record", *words) == 0


@pytest.mark.slow
def test_every_question(tmp_path: Path, softhsm_module: str) -> None:
    """Each is met with all that may happen to it, by whoever asks in the program and every command that can."""
    with Shell() as shell, tempfile.TemporaryDirectory(prefix="told-") as short:  # enough for a path of a socket
        attendant = Attendant(shell)
        tell_every_story(attendant, Path(short))
        set_up(attendant, tmp_path / "set-up", softhsm_module)
        go_on_with_a_second_token(attendant, tmp_path / "second")
        be_cheated(attendant, tmp_path / "cheated")
        state_times(attendant, tmp_path / "recorded")
    assert {question: left for question, left in attendant.left.items() if left} == {}
    assert {question: met for question, met in attendant.met.items() if met != SURROUNDINGS.keys()} == {}
    lines = {(file, line) for _, file, line in attendant.left}
    asking = [(path, call) for path in HOUSE.rglob("*.py") for call in asking_calls(path) if _asks(call)]
    assert len(asking) > 20
    assert [
        f"{path}:{call.lineno}"
        for path, call in asking
        if lines.isdisjoint((str(path.relative_to(HOUSE)), line) for line in _lines(call))
    ] == []
    asked = {command for command, file, _ in attendant.left if file == "cli/talk/pin.py"}
    assert asked == {command for command, options in commands(program) if "--pin-source" in options}
    answered = {command for command, _, _ in attendant.left}
    assert answered == {
        command for command, options in commands(program) if {"--yes", "--confirm-name", "--began"} & options
    }


def _asks(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    return call.func.attr not in TELLING


def _lines(call: ast.Call) -> range:
    return range(call.lineno, (call.end_lineno or call.lineno) + 1)


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """List all commands with their options."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, {option for each in command.params for option in each.opts}
