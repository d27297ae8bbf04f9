"""A process that forks commands at a terminal, and says of each question who asks what, before it is put.

A command runs as a shell runs it: a job with a process group of its own, in the foreground of a session whose leader
is told when it stops, and lets it go on as ``fg`` does. Like bash and zsh, the leader does not touch the modes.
"""

from __future__ import annotations

import json
import locale
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any

from stage import loading

PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Question:
    """What a command is about to ask. process: its own; way: the method of `Terminal`; file, line: who calls that.

    answer: what is right, where what is shown says so.
    """

    process: int
    way: str
    prompt: str
    is_hidden: bool
    file: str
    line: int
    function: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The command was stopped: the terminal is the shell's."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The command has ended; negative: of a signal."""

    status: int


Event = Question | Stopped | Ended


class Shell(AbstractContextManager["Shell"]):
    """That process: `start` a command, then `wait` for what happens to it, and `go_on` after a question and a stop."""

    def __init__(self) -> None:
        line = [sys.executable, "-c", loading.program("jobs")]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._heard = b""

    def start(
        self, directory: Path, arguments: Sequence[str], terminal: str, environment: Mapping[str, str] = {}
    ) -> None:
        """Begin a command at the terminal of this name."""
        self._say([str(directory), list(arguments), terminal, {**os.environ, **environment}])

    def go_on(self) -> None:
        """Let the question be put, or let what was stopped go on in the foreground."""
        self._say(None)

    def wait(self, screen: int, read: Callable[[], bool], patience: float = PATIENCE) -> Event | None:
        """Return what happens next; None after so many seconds.

        read: is called whenever ``screen`` can be read; returns whether there may be more.
        """
        assert self._process.stdout is not None
        heard = self._process.stdout.fileno()
        watched = [heard, screen]
        while b"\n" not in self._heard:
            ready, _, _ = select.select(watched, [], [], patience)
            if heard in ready:
                self._heard += os.read(heard, 4096)
            elif not ready:
                return None
            elif not read():
                watched.remove(screen)
        line, _, self._heard = self._heard.partition(b"\n")
        kind, fields = json.loads(line)
        events: dict[str, type[Event]] = {each.__name__: each for each in (Question, Stopped, Ended)}
        return events[kind](**fields)

    def _say(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


# ── The process ──


def serve() -> None:
    """Be that process: one order a line on stdin, and a line on stdout for everything that happens."""
    loading.load_all()
    while line := sys.stdin.readline():
        shell = os.fork()
        if shell == 0:
            _lead(json.loads(line))
        os.waitpid(shell, 0)


def _tell(stream: IO[str], kind: type[Event], **fields: object) -> None:
    print(json.dumps([kind.__name__, fields]), file=stream, flush=True)


def _lead(order: Sequence[Any]) -> None:
    """Be the shell: lead the session of a terminal, and look after one job."""
    _, _, terminal, _ = order
    orders, events = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.setsid()
    screen = os.open(terminal, os.O_RDWR)  # the first terminal that a session leader opens becomes its own
    for number in range(3):
        os.dup2(screen, number)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        _run(order, orders, events)

    def hang_up(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):  # it has ended already
            os.kill(-job, signal.SIGHUP)

    signal.signal(signal.SIGHUP, hang_up)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        os.tcsetpgrp(0, os.getpid())
        _tell(events, Stopped)
        orders.readline()
        os.tcsetpgrp(0, job)
        os.kill(-job, signal.SIGCONT)
    _tell(events, Ended, status=os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run(order: Sequence[Any], orders: IO[str], events: IO[str]) -> None:
    """Be the job: one command."""
    from frost_hsm.cli import ending, run
    from frost_hsm.cli.talk import keyboard

    directory, arguments, _, environment = order
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    locale.setlocale(locale.LC_ALL, "")
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    put = keyboard.ask

    def ask(terminal: int, prompt: str, *, is_hidden: bool, until: int | None = None) -> bytes:
        asked = _asked_from(sys._getframe(1))
        _tell(events, Question, process=os.getpid(), prompt=prompt, is_hidden=is_hidden, **asked)
        orders.readline()
        return put(terminal, prompt, is_hidden=is_hidden, until=until)

    keyboard.ask = ask
    ending.end_in_order()
    loading.leave(run(arguments))


def _asked_from(frame: FrameType) -> dict[str, object]:
    """Find which method of `Terminal` asks, and who called it."""
    door = frame.f_code.co_filename
    while frame.f_back is not None and frame.f_back.f_code.co_filename == door:
        frame = frame.f_back
    caller = frame.f_back
    assert caller is not None
    return {
        "way": frame.f_code.co_name,
        "file": caller.f_code.co_filename,
        "line": caller.f_lineno,
        "function": caller.f_code.co_name,
        "answer": frame.f_locals.get("shown") or frame.f_locals.get("name"),
    }
