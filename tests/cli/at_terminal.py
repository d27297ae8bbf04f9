"""A person at a pseudo-terminal: the program runs in a session of its own, with the terminal as its controlling one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from stage.parties import PROGRAM

PATIENCE = 15.0


class Screen:
    """What a person at a terminal sees, and types. columns: how wide it is; 0 if it does not say."""

    def __init__(self, columns: int = 0) -> None:
        self._master, self._slave = pty.openpty()
        termios.tcsetwinsize(self._slave, (24, columns))
        self.name = os.ttyname(self._slave)
        self.shown = ""
        self._seen = 0

    def expect(self, text: str) -> None:
        """Wait until the program has shown ``text`` after what was last waited for."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.shown.find(text, self._seen)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"never shown: {text!r}; shown: {self.shown!r}")
        self._seen = found + len(text)

    def type(self, text: str | bytes) -> None:
        os.write(self._master, text.encode() if isinstance(text, str) else text)

    def type_ahead(self, line: str) -> None:
        """Type a line, and wait until the terminal has it: it comes to it a moment later."""
        self.type(line)
        deadline = time.monotonic() + PATIENCE
        waiting = bytearray(struct.calcsize("i"))
        while int.from_bytes(waiting, sys.byteorder) < len(line):
            assert time.monotonic() < deadline
            fcntl.ioctl(self._slave, termios.FIONREAD, waiting)

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def close(self) -> None:
        """Close the terminal, as a window or a connection is closed."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)

    def fileno(self) -> int:
        return self._master

    def read(self) -> bool:
        """Look at what is shown now; returns whether there may be more."""
        return bool(self._read(0))

    def _read(self, deadline: float) -> str:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        try:
            read = os.read(self._master, 4096).decode(errors="replace") if ready else ""
        except OSError:  # the program has closed the terminal
            read = ""
        self.shown += read
        return read


class Session(Screen):
    """``with Session(arguments) as session``: reads what the program shows and types answers.

    With ``redirected`` stdin, stdout and stderr are not the terminal: stdin is empty, and the other two are kept.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        redirected: bool = False,
        environment: dict[str, str] | None = None,
        program: Sequence[str] = PROGRAM,
        columns: int = 0,
    ) -> None:
        super().__init__(columns)
        self._arguments = [*program, *arguments]
        self._cwd = cwd
        self._redirected = redirected
        self._environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", **(environment or {})}
        self.stdout = b""
        self.stderr = b""

    def __enter__(self) -> Self:
        slave, name = self._slave, self.name
        out = subprocess.PIPE if self._redirected else slave

        def take_terminal() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests in the background ignores it
            os.close(os.open(name, os.O_RDWR))  # the first terminal that a session leader opens becomes its own

        self._process = subprocess.Popen(
            self._arguments,
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL if self._redirected else slave,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        if not self._redirected:  # else the program has nothing open that would keep the terminal alive
            os.close(slave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        os.close(self._master)

    @property
    def process(self) -> int:
        """The number of the program's process."""
        return self._process.pid

    def interrupt(self) -> None:
        """Press Ctrl-C once the program waits."""
        wait_until_it_waits(self._process.pid)
        os.write(self._master, b"\x03")

    def hang_up(self) -> int:
        """Close the terminal; returns the exit status."""
        self.close()
        return self._process.wait(timeout=PATIENCE)

    def end(self) -> int:
        """Wait for the program to end; returns its exit status, negative for a signal."""
        deadline = time.monotonic() + PATIENCE
        if self._redirected:
            self.stdout, self.stderr = self._process.communicate(timeout=PATIENCE)
            os.close(self._slave)
        while self._read(deadline):
            pass
        return self._process.wait(timeout=PATIENCE)


def wait_until_it_waits(process: int) -> None:
    """Wait until a process waits: a signal that comes just before, Python does not see until a key wakes it."""
    while _state(process) != "S":
        time.sleep(0.01)


def _state(process: int) -> str:
    """Return the letter that the kernel has for what a process does; S is waiting."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
