"""The person in front: questions, PINs, and where a PIN comes from when nobody is there."""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import click

from frost_hsm.backends import PinState, TokenInfo
from frost_hsm.errors import Aborted, NoTerminal, PinUnusable, StorageProblem, UsageProblem

PROMPT = "prompt"
_LONGEST_PIN = 1024


class Terminal:
    """Asks and tells; the `Interaction` that backends are handed."""

    def __init__(self, *, assume_yes: bool = False) -> None:
        self.assume_yes = assume_yes

    def message(self, text: str) -> None:
        """Show one line of talk."""
        click.echo(text, err=True)

    def waiting(self, text: str) -> None:
        """Say what is being waited for."""
        click.echo(f"waiting: {text}", err=True)

    def request_secret(self, prompt: str) -> str:
        """Ask on the controlling terminal, without echo, even when stdin and stdout are redirected."""
        try:
            with warnings.catch_warnings():
                # Without a terminal getpass would warn, then read stdin with echo.
                warnings.simplefilter("error", getpass.GetPassWarning)
                return getpass.getpass(f"{prompt}: ")
        except (getpass.GetPassWarning, EOFError, OSError):
            raise NoTerminal(f"{prompt}: there is no terminal to ask on") from None

    def confirm(self, prompt: str) -> bool:
        """Ask yes or no on the terminal; ``--yes`` answers for itself."""
        if self.assume_yes:
            return True
        if not sys.stdin.isatty():
            raise NoTerminal(f"{prompt} There is no terminal to ask on", hint="look at what is asked, then add --yes")
        return click.confirm(prompt, default=False, err=True)

    def confirm_by_name(self, what: str, name: str, given: str | None) -> None:
        """Have the name of what will be lost typed again; ``--yes`` does not answer this."""
        if given is None:
            if not sys.stdin.isatty():
                raise NoTerminal(f"{what}. There is no terminal to ask on", hint=f"add --confirm-name {name}")
            given = click.prompt(f"{what}. Type its name to go on", err=True)
        if given != name:
            raise Aborted(f"the name typed is not {name}; nothing was changed")


def token_name(info: TokenInfo) -> str:
    """Name a token in a sentence."""
    serial = f" (serial {info.serial})" if info.serial else ""
    return f'token "{info.label}"{serial}'


class PinEntry:
    """Where PINs come from: ``prompt``, ``file:PATH``, ``fd:N`` or ``env:NAME``; read once a process.

    There is no default variable and no option that takes a PIN: a command line is public.
    """

    def __init__(self, specification: str, terminal: Terminal) -> None:
        self._terminal = terminal
        self._pin: str | None = None
        kind, _, self._place = specification.partition(":")
        readers: dict[str, Callable[[], str]] = {
            PROMPT: lambda: "",
            "file": self._from_file,
            "fd": self._from_descriptor,
            "env": self._from_environment,
        }
        if kind not in readers or (kind == PROMPT) != (self._place == ""):
            raise UsageProblem(
                "unknown --pin-source", hint="it is prompt, file:PATH, fd:N or env:NAME; never the PIN itself"
            )
        self._read = readers[kind]
        self.is_interactive = kind == PROMPT
        self._description = {"file": f"file {self._place}", "fd": f"descriptor {self._place}"}.get(
            kind, f"variable {self._place}"
        )

    def __call__(self, info: TokenInfo) -> str:
        """Give the PIN of this token; a `PinSource`."""
        if self.is_interactive:
            if info.pin_state is PinState.LOW:
                self._terminal.message(
                    f"note: a wrong PIN was given to {token_name(info)} lately; few tries may be left"
                )
            try:
                return self._terminal.request_secret(f"PIN for {token_name(info)}")
            except NoTerminal:
                raise NoTerminal(f"a PIN is needed for {token_name(info)} and there is no terminal to ask on") from None
        if self._pin is None:
            self._terminal.message(f"note: PIN for {token_name(info)} taken from {self._description}")
            self._pin = self._read()
            if not self._pin:
                raise PinUnusable(f"{self._description} holds an empty PIN", hint="an empty PIN is never tried")
        return self._pin

    def new(self, label: str) -> str:
        """Ask for the PIN of a token that is being made: twice, when a person types it."""
        if not self.is_interactive:
            pin = self._read()
            if not pin:
                raise PinUnusable(f"{self._description} holds an empty PIN")
            self._pin = pin
            return pin
        first = self._terminal.request_secret(f'New PIN for token "{label}"')
        if self._terminal.request_secret("The same again") != first:
            raise PinUnusable("the two PINs differ", hint="run the command again; nothing was made")
        return first

    def _from_file(self) -> str:
        path = Path(self._place)
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise StorageProblem(f"PIN file {path} is open to other users", hint=f"chmod 600 {path}")
                return _decode(file.read(_LONGEST_PIN + 1))
        except OSError as error:
            raise PinUnusable(f"cannot read PIN file {path}: {error.strerror}", hint="check --pin-source") from error

    def _from_descriptor(self) -> str:
        try:
            with open(int(self._place), "rb", closefd=False) as file:
                return _decode(file.read(_LONGEST_PIN + 1))
        except (OSError, ValueError) as error:
            raise PinUnusable(
                f"cannot read the PIN from descriptor {self._place}", hint="check --pin-source"
            ) from error

    def _from_environment(self) -> str:
        if self._place not in os.environ:
            raise PinUnusable(f"variable {self._place} is not set", hint="check --pin-source")
        return os.environ[self._place]


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise PinUnusable("the PIN is not UTF-8 text") from None
    if len(data) > _LONGEST_PIN:
        raise PinUnusable(f"the PIN is longer than {_LONGEST_PIN} bytes")
    return text.removesuffix("\n").removesuffix("\r")
