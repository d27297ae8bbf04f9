"""The README as a program: its fenced blocks are run in order, on one machine, as their first line says.

    console             lines "alice$ COMMAND", and what her terminal shows then
    console everyone    the same; bob and carol do it after her, with the names turned round
    python alice        a program that she runs; what it prints is the next block, ``text output``
    LANGUAGE file NAME  a file that they all see
    anything else       is for reading

Each person has a home of their own; they share the directory they are in, where all send files by writing them.
``python tests/stage/walkthrough.py`` writes the README anew, with what the terminals show now.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import termios
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click
from stage import softhsm

from frost_hsm import errors
from frost_hsm.cli import COMMANDS

README = Path(__file__).parents[2] / "README.md"
PIN = "123456"
PATIENCE = 60  # seconds
PEOPLE = ("alice", "bob", "carol")
MODULE = "/usr/lib/softhsm/libsofthsm2.so"  # as the README writes it

_BLOCK = re.compile(r"^```(?P<head>[^\n`]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\w+\$ ")
_STATUS = re.compile(r"^(?P<start>\| (?P<status>\d+) \| [^|]+ \|).*\|$", re.MULTILINE)
_ANSWERS = ((re.compile(rb"PIN for [^\n]*: $"), PIN), (re.compile(rb"\[y/N\][: ]+$"), "y"))
_DIGITS = re.compile(rb"type the last 4 digits of (?:the|its) (?P<what>[a-z0-9 ]+?)(?:, v to see all of it)?: $")
_NAMED = re.compile(rb"type the name of the key: $")
_KEY = re.compile(rb'(?:[Kk]ey "|of key |shares of )([A-Za-z0-9._-]+)')
_VARIES = (
    (re.compile(r"(?<=: )[0-9a-f]{4}$", re.MULTILINE), "…"),  # of which people type the end
    (re.compile(r"\b[0-9a-f]{4}( [0-9a-f]{4})+\b"), "…"),  # for people to compare
    (re.compile(r"\b[0-9a-f]{16,}\b"), "…"),
    (re.compile(r"\bslot \d+"), "slot …"),
)


@dataclass(frozen=True)
class Block:
    """A fenced block. start, end: where its body is in the text."""

    head: str
    body: str
    start: int
    end: int


def blocks(text: str) -> list[Block]:
    return [Block(m["head"], m["body"], m.start("body"), m.end("body")) for m in _BLOCK.finditer(text)]


def commands_table() -> str:
    """Every command with what ``--help`` says of it in one line, as the README shows it."""

    def leaves(name: str, command: click.Command) -> list[str]:
        if isinstance(command, click.Group):
            return [row for verb, each in command.commands.items() for row in leaves(f"{name} {verb}", each)]
        return [f"| `{name}` | {command.get_short_help_str(limit=200)} |"]

    rows = [
        row for name in COMMANDS for row in leaves(name, getattr(import_module(f"frost_hsm.cli.commands.{name}"), name))
    ]
    return "\n".join(["| command | |", "|---|---|", *rows, ""])


def codes() -> dict[int, set[str]]:
    """The codes of all errors, by exit status."""
    found: dict[int, set[str]] = {}
    classes = [errors.FrostHsmError]
    while classes:
        each = classes.pop()
        found.setdefault(each.exit, set()).add(each.code)
        classes += each.__subclasses__()
    return found


def with_codes(text: str) -> str:
    """The README with the codes of all errors in the table of exit statuses."""

    def row(match: re.Match[str]) -> str:
        listed = ", ".join(f"`{code}`" for code in sorted(known.get(int(match["status"]), ())))
        return f"{match['start']}{f' {listed} |' if listed else ' |'}"

    known = codes()
    return _STATUS.sub(row, text)


def without_what_varies(text: str) -> str:
    for pattern, replacement in _VARIES:
        text = pattern.sub(replacement, text)
    return text


class Machine:
    """Three people's homes and the directory that they share; run the blocks on it, in order."""

    def __init__(self, directory: Path) -> None:
        self._homes = directory.resolve()
        self._shared = self._homes / "shared"
        self._shared.mkdir()
        self._printed = ""

    def run(self, block: Block) -> str:
        """Run one block; returns its body as it should be."""
        match block.head.split():
            case ["console"]:
                return self._session(block.body, shift=0)
            case ["console", "everyone"]:
                shown = self._session(block.body, shift=0)
                for shift in range(1, len(PEOPLE)):
                    self._session(block.body, shift)
                return shown
            case ["python", who]:
                (self._shared / "program.py").write_text(block.body.replace(MODULE, softhsm.module_path() or MODULE))
                self._printed, status = self._terminal(who, f"'{sys.executable}' program.py")
                assert status == 0, self._printed
            case ["text", "output"]:
                return self._printed
            case [_, "file", name]:
                (self._shared / name).write_text(block.body)
        return block.body

    def _session(self, body: str, shift: int) -> str:
        """Run the commands of a console block; each has to succeed, unless ``echo $?`` shows that it does not."""
        shown, status = [], 0
        for line in body.splitlines():
            if not _COMMAND.match(line):
                continue
            line = re.sub("|".join(PEOPLE), lambda m: PEOPLE[(PEOPLE.index(m[0]) + shift) % len(PEOPLE)], line)
            who, command = line.split("$ ", 1)
            if command == "echo $?":
                output, status = f"{status}\n", 0
            else:
                assert status == 0, "\n".join(shown)
                output, status = self._terminal(who, command)
            shown.append(f"{line}\n{output}")
        assert status == 0, "\n".join(shown)
        return "".join(shown)

    def _terminal(self, who: str, command: str) -> tuple[str, int]:
        """Run a command on a terminal of its own and answer what it asks; returns what was to see, and the status."""
        home = self._homes / who
        home.mkdir(exist_ok=True)
        path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
        environment = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "TERM": "dumb"}
        command = command.replace(MODULE, softhsm.module_path() or MODULE)
        outer, inner = pty.openpty()
        with subprocess.Popen(
            ["bash", "-c", command],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=self._shared,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        ) as process:
            os.close(inner)
            shown = b""
            while data := _read(outer, process):
                shown += data
                for question, answer in _ANSWERS:
                    if question.search(shown):
                        os.write(outer, f"{answer}\n".encode())
                if (asked := _DIGITS.search(shown)) is not None:
                    digits = re.findall(re.escape(asked["what"]) + rb"\s+([0-9a-f ]{32,})", shown)
                    os.write(outer, digits[-1].strip()[-4:] + b"\n")
                if _NAMED.search(shown):
                    os.write(outer, _KEY.findall(shown)[-1] + b"\n")
        os.close(outer)
        text = re.sub(r" *\r?\n", "\n", shown.decode()).replace(softhsm.module_path() or MODULE, MODULE)
        return text.replace(str(self._homes), "/home"), process.returncode


def _read(terminal: int, process: subprocess.Popen[bytes]) -> bytes:
    if not select.select([terminal], [], [], PATIENCE)[0]:
        process.kill()  # it waits for an answer that nobody gives
    try:
        return os.read(terminal, 65536)
    except OSError as error:
        if error.errno != errno.EIO:  # Linux says so when the other side is closed
            raise
        return b""


def rewrite() -> None:
    """Put what the terminals show now into the README."""
    text = README.read_text()
    parts, position = [], 0
    directory = Path(tempfile.mkdtemp(prefix="frost-hsm-readme-"))
    try:
        machine = Machine(directory)
        for block in blocks(text):
            parts += [text[position : block.start], machine.run(block)]
            position = block.end
    finally:
        shutil.rmtree(directory)
    text = with_codes("".join([*parts, text[position:]]))
    table = f"<!-- commands -->\n{commands_table()}<!-- end -->"
    README.write_text(re.sub(r"<!-- commands -->\n.*?<!-- end -->", lambda _: table, text, flags=re.DOTALL))


if __name__ == "__main__":
    rewrite()
