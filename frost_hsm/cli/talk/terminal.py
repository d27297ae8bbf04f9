"""The person in front: what is told to them, and what is asked, always on the terminal itself."""

from __future__ import annotations

import io
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from frost_hsm.cli.talk.output import printable, say
from frost_hsm.errors import Aborted, NoTerminal

_TERMINAL = "/dev/tty"


class Terminal:
    """Asks and tells; the `Interaction` that backends are handed.

    Questions go to the controlling terminal and answers come from it, even when stdin and stdout are redirected:
    what is piped into a command is data and never an answer.
    """

    def __init__(self, *, assume_yes: bool = False) -> None:
        self._assume_yes = assume_yes

    def message(self, text: str) -> None:
        """Show one line of talk."""
        say(text)

    def waiting(self, text: str) -> None:
        """Say what is being waited for."""
        say(f"waiting: {text}")

    def request_secret(self, prompt: str) -> str:
        """Ask without echo. Raises `NoTerminal`, and `Aborted` if the input ends."""
        import getpass  # here, because most runs ask for nothing

        try:
            with _ending_in_order(), warnings.catch_warnings():
                # Without a terminal getpass would warn, then read stdin with echo.
                warnings.simplefilter("error", getpass.GetPassWarning)
                return getpass.getpass(f"{printable(prompt)}: ")
        except EOFError:
            raise Aborted("nothing was typed", hint="run the same command again") from None
        except UnicodeDecodeError:
            raise Aborted("what was typed is no text; it was not tried", hint="run the same command again") from None
        except (getpass.GetPassWarning, OSError):
            raise NoTerminal(f"there is no terminal to ask on: {prompt}") from None

    def confirm(self, prompt: str) -> bool:
        """Ask yes or no; ``--yes`` answers for itself."""
        if self._assume_yes:
            return True
        answer = self._ask(f"{prompt} [y/N]", hint="look at what is asked, then add --yes")
        return answer.strip().lower() in ("y", "yes")

    def confirm_by_name(self, what: str, name: str, given: str | None) -> None:
        """Have the name of what will be lost typed again; ``--yes`` does not answer this."""
        if given is None:
            given = self._ask(f"{what}. Type its name to go on:", hint=f"add --confirm-name {name}").strip()
        if given != name:
            raise Aborted(f"the name typed is not {name}; nothing was changed")

    def _ask(self, prompt: str, hint: str) -> str:
        try:
            descriptor = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            raise NoTerminal(f"there is no terminal to ask on: {prompt}", hint=hint) from None
        with io.TextIOWrapper(io.FileIO(descriptor, "r+"), errors="replace") as terminal:
            terminal.write(printable(f"{prompt} "))
            terminal.flush()
            answer = terminal.readline()
        if not answer.endswith("\n"):
            raise Aborted("nothing was typed; nothing was changed")
        return answer


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let a signal end this process only after the block: getpass has switched the terminal's echo off in it."""
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise Aborted("ended by a signal")

    ending = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    try:
        for each in ending:
            signal.signal(each, end)
        yield
    finally:
        for each in ending:
            signal.signal(each, signal.SIG_DFL)
        for number in came:
            signal.raise_signal(number)
