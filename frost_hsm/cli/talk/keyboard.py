"""One line, typed at the controlling terminal after it was asked for.

What was typed before the question is thrown away: nobody has answered what they had not seen. A program that is
stopped while it asks (Ctrl-Z, SIGSTOP) leaves the terminal as it was, and asks again when it goes on, whatever the
shell has made of the terminal meanwhile; OpenSSH's readpassphrase does the same. Only the first thread is told of a
stop: while another one asks, it has to be within `staying_asked`.
"""

from __future__ import annotations

import errno
import locale
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from frost_hsm.cli.talk.text import visible
from frost_hsm.errors import Aborted, NoTerminal

_TERMINAL = "/dev/tty"
_MOMENT = 0.02  # seconds
_MOST = 4096  # bytes that are read at once, as long a line as a terminal has
_PASTE = (b"\x1b[200~", b"\x1b[201~")
"""What a terminal puts around pasted text, where the program before has asked it to and not taken that back."""


@contextmanager
def opened() -> Iterator[int]:
    """Lend a descriptor of the controlling terminal. Raises `NoTerminal`."""
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise NoTerminal("there is no terminal to ask on") from None
    try:
        if not os.isatty(terminal):  # what a container without one may have in its place
            raise NoTerminal("there is no terminal to ask on")
        yield terminal
    finally:
        os.close(terminal)


def write(terminal: int, text: str) -> None:
    """Show text on the terminal, what its encoding lacks by number."""
    data = memoryview(text.encode(locale.getencoding(), "backslashreplace"))
    while data:
        data = data[os.write(terminal, data) :]


def ask(terminal: int, prompt: str, *, is_hidden: bool, until: int | None = None) -> bytes:
    """Ask and return the line that is typed then, without its end. is_hidden: it is not shown.

    until: a descriptor; once it can be read, nobody wants to know any more. Raises `Aborted` then, and if the input
    ends or the terminal goes away.
    """
    try:
        question = _Question(terminal, f"{visible(prompt)} ", is_hidden)
        with question.asked():
            line = b""
            while not line.endswith(b"\n"):
                question.wait(until)
                read = os.read(terminal, _MOST)
                if not read:
                    raise Aborted("nothing was typed", hint="run the same command again")
                line += read
    except (OSError, termios.error) as error:
        raise Aborted("the terminal is gone; nothing was changed") from error
    line = line.removesuffix(b"\n")
    begin, end = _PASTE
    if line.count(begin) == line.count(end) == 1:  # else more than one line was pasted
        line = line.replace(begin, b"").replace(end, b"")
    return line


class _Question:
    """A question on the terminal, and the modes that its answer is typed in."""

    def __init__(self, terminal: int, prompt: str, is_hidden: bool) -> None:
        self._terminal, self._prompt, self._is_hidden = terminal, prompt, is_hidden
        self._is_put = False
        self._signalled: int | None = None  # may be read once a signal has come
        self._before = termios.tcgetattr(terminal)
        self._during = termios.tcgetattr(terminal)
        self._during[0] |= termios.ICRNL
        self._during[3] |= termios.ICANON | termios.ISIG | termios.ECHO | termios.ECHOE
        if is_hidden:
            self._during[3] &= ~(termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ECHONL)

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Put the question, and the terminal back as it was in the end; what else was pasted then is dropped."""
        is_line_open = True
        with self._staying_asked():
            try:
                self._put()
                yield
                is_line_open = self._is_hidden  # else the Enter at its end was shown
            finally:
                self._take_back()
                if is_line_open:
                    with suppress(OSError):
                        write(self._terminal, "\n")

    def wait(self, until: int | None) -> None:
        """Wait for a line that was typed since the question was put. Raises `Aborted` once ``until`` can be read."""
        watched = [each for each in (self._terminal, until, self._signalled) if each is not None]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if until in ready:
                raise Aborted("the question was withdrawn")
            if self._signalled in ready:
                os.read(self._signalled, _MOST)  # it has been handled
            elif self._is_put and select.select([self._terminal], [], [], 0)[0]:
                return
            else:
                time.sleep(_MOMENT)  # until the first thread has put it again, which throws away what was typed before

    @contextmanager
    def _staying_asked(self) -> Iterator[None]:
        global _asked_elsewhere
        if threading.current_thread() is threading.main_thread():
            with _handling(self.stop, self.go_on), _signalling() as self._signalled:
                yield
            return
        _asked_elsewhere = self
        try:
            yield
        finally:
            _asked_elsewhere = None

    def _put(self) -> None:
        _set_modes(self._terminal, self._during)  # this throws away what was typed before
        write(self._terminal, self._prompt)
        self._is_put = True

    def _take_back(self) -> None:
        _set_modes(self._terminal, self._before)
        self._is_put = False

    def stop(self) -> None:
        """Leave the terminal as it was, and stop."""
        self._take_back()
        _stop()
        if not self._is_put:  # nobody is there who could let us go on, so we were not stopped
            self._put()

    def go_on(self) -> None:
        """Ask again."""
        self._put()


# ── Stopped, and told to go on ──

_asked_elsewhere: _Question | None = None
"""What another thread asks than the first."""


@dataclass(frozen=True, slots=True)
class _Handler:
    """Handles a signal, by calling something."""

    call: Callable[[], None]

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.call()


@contextmanager
def staying_asked() -> Iterator[None]:
    """Put what another thread asks again when the program goes on after a stop. Only the first thread can."""

    def stop() -> None:
        if _asked_elsewhere is not None:
            _asked_elsewhere.stop()
        else:
            _stop()

    def go_on() -> None:
        if _asked_elsewhere is not None:
            _asked_elsewhere.go_on()

    with _handling(stop, go_on):
        yield


@contextmanager
def _signalling() -> Iterator[int]:
    """Lend a descriptor that can be read once a signal has come.

    Whoever waits has to watch it: one that comes just before a wait begins interrupts nothing.
    """
    signalled, signalling = os.pipe()
    os.set_blocking(signalling, False)
    earlier = signal.set_wakeup_fd(signalling, warn_on_full_buffer=False)
    try:
        yield signalled
    finally:
        signal.set_wakeup_fd(earlier)
        os.close(signalling)
        os.close(signalled)


@contextmanager
def _handling(stop: Callable[[], None], go_on: Callable[[], None]) -> Iterator[None]:
    """Handle a stop and what ends it, where nobody but we does."""
    handlers = {signal.SIGTSTP: _Handler(stop), signal.SIGCONT: _Handler(go_on)}
    earlier = {number: signal.getsignal(number) for number in handlers}
    ours = [number for number, before in earlier.items() if before is signal.SIG_DFL or isinstance(before, _Handler)]
    try:
        for number in ours:
            signal.signal(number, handlers[number])
        yield
    finally:
        for number in ours:
            signal.signal(number, earlier[number])


def _stop() -> None:
    """Stop, as if nobody handled it."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)


def _set_modes(terminal: int, modes: list[object]) -> None:
    while True:
        try:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, modes)  # type: ignore[arg-type]
            return
        except termios.error as error:
            if error.args[0] == errno.EINTR:  # stopped, and told to go on, in the middle of it
                continue
            if error.args[0] in (errno.EIO, errno.ENOTTY, errno.EBADF):
                return  # the terminal is gone: reading from it will say so
            raise
