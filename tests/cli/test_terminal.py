"""Every way of asking, at a pseudo-terminal: what is typed ahead, keys that are no text, a program that is stopped."""

from __future__ import annotations

import ast
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli.at_terminal import Session
from stage.parties import Party

import frost_hsm
from frost_hsm.cli.talk import keyboard
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import NoTerminal

HOUSE = Path(frost_hsm.__file__).parent
SECRET = "4711 word"


@dataclass(frozen=True)
class Asking:
    """A way of asking. call: in a program; answer: what is right."""

    call: str
    prompt: str
    answer: str


ASKING = {
    "confirm": Asking("t.confirm('Go on?')", "Go on? [y/N] ", "y"),
    "agree": Asking("t.agree('Is it?', what='the code', shown='1a 2b')", "Is it? To agree, type the code: ", "1A2B"),
    "ask": Asking("t.ask('Your name:', hint='') == 'alice'", "Your name: ", "alice"),
    "confirm_by_name": Asking("t.confirm_by_name('It goes', 'x', None) is None", "to go on: ", "x"),
    "request_secret": Asking(f"t.request_secret('PIN') == {SECRET!r}", "PIN: ", SECRET),
}
TELLING = {"message", "waiting", "assumes_yes"}
"""What else a `Terminal` can do."""

PROGRAM = """
import os, sys, time
from frost_hsm.cli.ending import Ended, end_in_order
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import FrostHsmError
t = Terminal()
print("process", os.getpid(), flush=True)
if "slowly" in sys.argv: time.sleep(0.3)
end_in_order()
try:
    print("taken" if {call} else "not taken")
except FrostHsmError as error:
    print("refused:", error)
except KeyboardInterrupt:
    print("interrupted")
except Ended as ended:
    print("ended:", ended.status)
"""
SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "dash": ("dash", "-i"),
    "fish": ("fish", "--no-config", "-C", "function fish_prompt; echo -n 'ready> '; end"),
}
ENVIRONMENT = {"PS1": "ready> ", "TERM": "dumb"}


@pytest.fixture(params=ASKING)
def asking(request: pytest.FixtureRequest) -> Asking:
    return ASKING[request.param]


def session(
    asking: Asking, tmp_path: Path, *options: str, environment: dict[str, str] | None = None, columns: int = 0
) -> Session:
    program = (sys.executable, "-c", PROGRAM.replace("{call}", asking.call))
    return Session(options, cwd=tmp_path, program=program, environment=environment, columns=columns)


# ── One place ──


def test_these_are_all_ways_of_asking() -> None:
    """Collected: what a `Terminal` can do, and what is asked of one anywhere."""
    able = {name for name in vars(Terminal) if not name.startswith("_")}
    assert able - TELLING == set(ASKING)
    asked = {ast.unparse(call.func).rpartition(".")[2] for path in HOUSE.rglob("*.py") for call in asking_calls(path)}
    assert asked - TELLING <= set(ASKING)
    assert asked >= {"agree", "confirm_by_name", "request_secret"}


def asking_calls(path: Path) -> Iterator[ast.Call]:
    """Find where a module asks or tells somebody something: what it has a `Terminal` do."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if re.search(r"(?:^|[._])(?:terminal|interaction)$", ast.unparse(node.func.value)):
                yield node


@pytest.mark.parametrize("path", sorted((HOUSE / "cli").rglob("*.py")), ids=lambda path: path.name)
def test_nobody_else_asks(path: Path) -> None:
    tree = ast.parse(path.read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls.isdisjoint({"input", "getpass.getpass", "click.prompt", "click.confirm", "click.pause"})
    assert ("/dev/tty" in path.read_text()) == (path.name == "keyboard.py")


# ── What was typed before ──


def test_what_was_typed_before_the_question_is_no_answer(asking: Asking, tmp_path: Path) -> None:
    with session(asking, tmp_path, "slowly") as at:
        at.type(f"{asking.answer}\n")
        at.expect(asking.prompt)
        at.type("\x04")
        at.end()
    assert "refused: nothing was typed" in at.shown


def test_the_answer(asking: Asking, tmp_path: Path) -> None:
    with session(asking, tmp_path) as at:
        at.expect(asking.prompt)
        at.type(f"{asking.answer}\n")
        at.end()
    assert "\ntaken" in at.shown
    assert (asking.answer in at.shown.partition(asking.prompt)[2]) == ("PIN" not in asking.prompt)


@pytest.mark.parametrize(
    "environment", [{"LANG": "C", "LC_ALL": "C"}, {"TERM": "dumb"}, {"COLUMNS": "60"}, {"TERM": ""}]
)
def test_whatever_the_surroundings(asking: Asking, tmp_path: Path, environment: dict[str, str]) -> None:
    with session(asking, tmp_path, environment=environment, columns=60) as at:
        at.expect(asking.prompt)
        at.type(f"{asking.answer}\n")
        at.end()
    assert "\ntaken" in at.shown


@pytest.mark.parametrize("answer", ["", "n", "no", "y", "1a2b"])
def test_only_what_is_shown_agrees(tmp_path: Path, answer: str) -> None:
    with session(ASKING["agree"], tmp_path) as at:
        at.expect("type the code: ")
        at.type(f"{answer}\n")
        if answer == "y":  # from habit
            at.expect("that is not the code, as it is shown above; Enter alone is no")
            at.expect("type the code: ")
            at.type("\n")
        at.end()
    assert ("\ntaken" in at.shown) == (answer == "1a2b")


@pytest.mark.parametrize(("answer", "is_same"), [("0A1B 2C3D", True), ("0a1b2c3d", True), ("1a1b 2c3d", False)])
def test_all_of_a_number_may_be_pasted(tmp_path: Path, answer: str, is_same: bool) -> None:
    """As somebody does to whom it was sent: then all of it is compared."""
    call = "t.agree('Is it?', what='the code', shown='0a1b 2c3d', last=4)"
    with session(Asking(call, "type the last 4 digits of the code: ", "2c3d"), tmp_path) as at:
        at.expect("type the last 4 digits of the code: ")
        at.type(f"{answer}\n")
        if not is_same:
            at.expect("that is not the last 4 digits of the code, as it is shown above; Enter alone is no")
            at.expect("type the last 4 digits of the code: ")
            at.type("\n")
        at.end()
    assert ("\ntaken" in at.shown) == is_same


def test_all_of_it_is_shown_on_request(tmp_path: Path) -> None:
    call = "t.agree('Is it?', what='the code', shown='1a', view=lambda: 'one\\ntwo\\n')"
    with session(Asking(call, "", ""), tmp_path, environment={"PAGER": "sed s/^/paged:/"}) as at:
        at.expect("type the code, v to see all of it: ")
        at.type("v\n")
        at.expect("paged:one\r\npaged:two")
        at.expect("v to see all of it: ")
        at.type("1a\n")
        at.end()
    assert "\ntaken" in at.shown


# ── Keys that are no text ──


@pytest.mark.parametrize(
    "typed", ["47\x1b[D11", "\x0147", "47\t11", "4711\u00a0", "4711\u200b", "", "\x1b[200~47\n11\x1b[201~"]
)
def test_a_secret_that_cannot_be_one_is_asked_for_again(tmp_path: Path, typed: str) -> None:
    with session(ASKING["request_secret"], tmp_path) as at:
        at.expect("PIN: ")
        at.type(f"{typed}\n")
        at.expect("; it was not tried")
        at.expect("PIN: ")
        at.type(f"{SECRET}\n")
        at.end()
    assert "\ntaken" in at.shown
    assert "47" not in at.shown.partition("PIN: ")[2]


@pytest.mark.parametrize(
    "typed", ["{}\x1b[D", "\x1b[A{}", "\x1b[200~{}\nmore\x1b[201~"], ids=["left", "up", "two lines"]
)
@pytest.mark.parametrize("name", [name for name in ASKING if name != "request_secret"])
def test_keys_that_are_no_text_answer_nothing(name: str, tmp_path: Path, typed: str) -> None:
    """Nor does the second of two lines that are pasted, with the marks of a terminal around them."""
    asking = ASKING[name]
    with session(asking, tmp_path) as at:
        at.expect(asking.prompt)
        at.type(typed.format(asking.answer) + "\n")
        if name == "agree":
            at.expect("Enter alone is no")
            at.expect(asking.prompt)
            at.type("\n")
        assert at.end() == 0
    assert "\ntaken" not in at.shown
    assert "\x1b[D" not in at.shown.rpartition("\n")[2]


def test_a_secret_may_be_pasted(tmp_path: Path) -> None:
    with session(ASKING["request_secret"], tmp_path) as at:
        at.expect("PIN: ")
        at.type(f"\x1b[200~{SECRET}\x1b[201~\n")
        at.end()
    assert "\ntaken" in at.shown


def test_the_second_line_of_what_is_pasted_goes_nowhere(tmp_path: Path) -> None:
    """Neither to the next question nor to the shell, which would keep it in its history."""
    script = tmp_path / "ask"
    write_program(script, ASKING["request_secret"])
    with Session((), cwd=tmp_path, program=SHELLS["bash"], environment=ENVIRONMENT) as at:
        at.expect("ready> ")
        at.type("./ask\n")
        at.expect("PIN: ")
        at.type(f"{SECRET}\necho my second line\n")
        at.expect("taken")
        at.expect("ready> ")
        at.type("exit\n")
        at.end()
    assert "second line" not in at.shown


# ── Stopped, ended, hung up ──


def write_program(path: Path, asking: Asking) -> None:
    program = PROGRAM.replace("{call}", asking.call)
    path.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(program)}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("way", ["Ctrl-Z", "SIGSTOP"])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_secret_is_not_shown_after_a_stop(shell: str, way: str, tmp_path: Path) -> None:
    write_program(tmp_path / "ask", ASKING["request_secret"])
    with Session((), cwd=tmp_path, program=SHELLS[shell], environment=ENVIRONMENT) as at:
        at.expect("ready> ")
        at.type("./ask\n")
        at.expect("PIN: ")
        if way == "Ctrl-Z":
            at.type("47\x1a")
        else:
            [process] = re.findall(r"process (\d+)", at.shown)
            os.kill(int(process), signal.SIGSTOP)
        at.expect("ready> ")
        at.type("echo meanwhile\n")
        at.expect("meanwhile\r\n")
        at.expect("ready> ")
        at.type("fg\n")
        at.expect("PIN: ")
        at.type(f"{SECRET}\n")
        at.expect("taken")
        at.expect("ready> ")
        at.type("exit\n")
        at.end()
    assert SECRET not in at.shown
    assert "not taken" not in at.shown


@pytest.mark.parametrize(
    ("name", "shell"),
    [*((name, "bash") for name in ASKING), *(("agree", shell) for shell in SHELLS if shell != "bash")],
)
def test_a_question_is_put_again_after_a_stop(name: str, shell: str, tmp_path: Path) -> None:
    """In each shell one whose answer is shown; how those are asked whose answer is not is tested above."""
    asking = ASKING[name]
    write_program(tmp_path / "ask", asking)
    with Session((), cwd=tmp_path, program=SHELLS[shell], environment=ENVIRONMENT) as at:
        at.expect("ready> ")
        at.type("./ask\n")
        at.expect(asking.prompt)
        at.type("\x1a")
        at.expect("ready> ")
        at.type("fg\n")
        at.expect(asking.prompt)
        at.type(f"{asking.answer}\n")
        at.expect("\ntaken")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(asking: Asking, tmp_path: Path, number: signal.Signals) -> None:
    with session(asking, tmp_path) as at:
        at.expect(asking.prompt)
        [process] = re.findall(r"process (\d+)", at.shown)
        os.kill(int(process), number)
        assert at.end() == 0
    assert f"ended: {128 + number}" in at.shown


def test_ctrl_c(asking: Asking, tmp_path: Path) -> None:
    with session(asking, tmp_path) as at:
        at.expect(asking.prompt)
        at.interrupt()
        assert at.end() == 0
    assert "\ninterrupted" in at.shown


def test_a_terminal_that_is_closed(asking: Asking, tmp_path: Path) -> None:
    with session(asking, tmp_path) as at:
        at.expect(asking.prompt)
        assert at.hang_up() in (0, 1, 120)  # 1 or, of Python at its end, 120: there is nothing left to print to


def test_there_is_no_terminal_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboard, "_TERMINAL", "/dev/nothing")
    with pytest.raises(NoTerminal, match="there is no terminal to ask on: PIN:"):
        Terminal().request_secret("PIN")


# ── Tables ──


def test_tables_fit_sixty_columns(group: list[Party]) -> None:
    with Session(["keys", "list", "--home", "home"], cwd=group[0].directory, columns=60) as at:
        assert at.end() == 0
    assert "NAME       treasury\r\n" in at.shown
    assert max(map(len, at.shown.splitlines())) <= 60
