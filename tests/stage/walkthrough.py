"""The README and the manual as programs: their fenced blocks are run in order, as their first line says.

    console             lines "alice$ COMMAND", and what her terminal shows then
    console everyone    the same; bob and carol do it after her, with the names turned round
    console at once     the same, all three at the same time
    console at once WHO the same, alice and WHO at the same time
    python alice        a program that she runs; what it prints is the next block, ``text output``
    LANGUAGE file NAME  a file that they all see
    anything else       is for reading

A line ``…`` stands for lines that are left out. Each person has a home of their own; they share the directory they
are in, where all send files by writing them. The pages of the manual are run on one machine, in their order, and the
README on another, where everybody has a token already.
``cd tests && python -m stage.walkthrough`` writes all of them anew, with what the terminals show now.
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
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stage import softhsm

from frost_hsm import manual
from frost_hsm.manual import error_codes

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
PAGES = {name: Path(manual.__file__).parent / f"{name}.md" for name in manual.NAMES}
PIN = "123456"
PATIENCE = 60  # seconds
PEOPLE = ("alice", "bob", "carol")
MODULE = "/usr/lib/softhsm/libsofthsm2.so"  # as the pages write it

_BLOCK = re.compile(r"^```(?P<head>[^\n`]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\w+\$ ")
_STATUS = re.compile(r"^(?P<start>\| (?P<status>\d+) \| [^|]+ \|).*\|$", re.MULTILINE)
_ANSWERS = ((re.compile(rb"PIN for [^\n]*: $"), PIN), (re.compile(rb"\[y/N\][: ]+$"), "y"))
_DIGITS = re.compile(rb"type the last 4 digits of (?:the|its) (?P<what>[a-z0-9 ]+?)(?:, v to see all of it)?: $")
_NAMED = re.compile(rb"type the name of the key: $")
_KEY = re.compile(rb'(?:[Kk]ey "|of key |shares of )([A-Za-z0-9._-]+)')
_VARIES = (
    (re.compile(r"(?<=: )[0-9a-f]{4}$", re.MULTILINE), "(varies)"),  # of which people type the end
    (re.compile(r"\b[0-9a-f]{4}( [0-9a-f]{4})+\b"), "(varies)"),  # for people to compare
    (re.compile(r"\b[0-9a-f]{16,}\b"), "(varies)"),
    (re.compile(r"\bslot \d+"), "slot (varies)"),
    (re.compile(r"(?<=signature )[0-9a-f]{8}\b"), "(varies)"),
    (re.compile(r"\b\d+\.\d s\b"), "(varies)"),
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


def codes() -> dict[int, set[str]]:
    """The codes of all errors, by exit status."""
    found: dict[int, set[str]] = {}
    for kind in error_codes.kinds():
        found.setdefault(kind.exit, set()).add(kind.code)
    return found


def with_codes(text: str) -> str:
    """A page with the codes of all errors in the table of exit statuses."""

    def row(match: re.Match[str]) -> str:
        listed = ", ".join(f"`{code}`" for code in sorted(known.get(int(match["status"]), ())))
        return f"{match['start']}{f' {listed} |' if listed else ' |'}"

    known = codes()
    return _STATUS.sub(row, text)


def without_what_varies(text: str) -> str:
    for pattern, replacement in _VARIES:
        text = pattern.sub(replacement, text)
    return text


def is_what_happened(written: str, happened: str) -> bool:
    """Whether a page says what happened, what varies and what it leaves out aside."""
    pattern = re.escape(f"\n{without_what_varies(written)}").replace("\\\n…", "(?:\n.*)*?")
    return re.fullmatch(pattern, f"\n{without_what_varies(happened)}") is not None


class Machine:
    """Three people's homes and the directory that they share; run the blocks on it, in order."""

    def __init__(self, directory: Path, *, has_tokens: bool = False) -> None:
        self._homes = directory.resolve()
        self._shared = self._homes / "shared"
        self._shared.mkdir()
        self._printed = ""
        if has_tokens:
            self.run(blocks(PAGES["by-hand"].read_text())[0])

    def run(self, block: Block) -> str:
        """Run one block; returns its body as it should be."""
        match block.head.split():
            case ["console"]:
                return self._session(block.body, shift=0)
            case ["console", "everyone"]:
                shown = self._session(block.body, shift=0)
                self._at_once(block.body, PEOPLE[1:])
                return shown
            case ["console", "at", "once", *others]:
                return self._at_once(block.body, (PEOPLE[0], *(others or PEOPLE[1:])))[0]
            case ["python", who]:
                (self._shared / "program.py").write_text(block.body.replace(MODULE, softhsm.module_path() or MODULE))
                self._printed, status = self._terminal(who, f"'{sys.executable}' program.py")
                assert status == 0, self._printed
            case ["text", "output"]:
                return self._printed
            case [_, "file", name]:
                (self._shared / name).write_text(block.body)
        return block.body

    def _at_once(self, body: str, people: Iterable[str]) -> list[str]:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda who: self._session(body, PEOPLE.index(who)), people))

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
        lines = re.sub(r" *\r?\n", "\n", shown.decode())
        text = re.sub(r"[^\n]*\r", "", lines).replace(softhsm.module_path() or MODULE, MODULE)
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
    """Put what the terminals show now into the README and the pages."""
    for paths, has_tokens in (([README], True), (PAGES.values(), False)):
        directory = Path(tempfile.mkdtemp(prefix="frost-hsm-walkthrough-"))
        try:
            machine = Machine(directory, has_tokens=has_tokens)
            for path in paths:
                path.write_text(with_codes(_run(machine, path.read_text())))
        finally:
            shutil.rmtree(directory)


def _run(machine: Machine, text: str) -> str:
    parts, position = [], 0
    for block in blocks(text):
        happened = machine.run(block)
        is_right = is_what_happened(block.body, happened)
        parts += [text[position : block.start], block.body if is_right and "…" in block.body else happened]
        position = block.end
    return "".join([*parts, text[position:]])


if __name__ == "__main__":
    rewrite()
