"""Where PINs come from: ``prompt``, ``file:PATH``, ``fd:N`` or ``env:NAME``.

There is no default variable and no option that takes a PIN: a command line is public. Only a person at a
terminal may try again; everything else has one attempt, because each wrong one counts against the token.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from frost_hsm.backends import Backend, PinState, Token, TokenInfo
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import NoTerminal, PinIncorrect, PinUnusable, StorageProblem, UsageProblem

ATTEMPTS = 3
_LONGEST = 1024


def token_name(info: TokenInfo) -> str:
    """Name a token in a sentence."""
    serial = f" (serial {info.serial})" if info.serial else ""
    return f'token "{info.label}"{serial}'


class PinEntry:
    """Gives PINs; a `PinSource`. What is not a terminal is read once, so a pipe will do."""

    def __init__(self, specification: str, terminal: Terminal) -> None:
        self._terminal = terminal
        self._pin: str | None = None
        kind, _, place = specification.partition(":")
        sources: dict[str, tuple[str, Callable[[str], str]]] = {
            "file": ("file", _from_file),
            "fd": ("descriptor", _from_descriptor),
            "env": ("variable", _from_environment),
        }
        self._is_interactive = specification == "prompt"
        if not self._is_interactive:
            if kind not in sources or not place:
                # What was given is not repeated: it may be the PIN.
                raise UsageProblem("unknown --pin-source", hint="it is prompt, file:PATH, fd:N or env:NAME")
            word, self._reader = sources[kind]
            self._place = place
            self._source = f"{word} {place}"

    def __call__(self, info: TokenInfo) -> str:
        """Give the PIN of this token."""
        if not self._is_interactive:
            return self._read(info)
        if info.pin_state is PinState.LOW:
            self._terminal.message(f"note: {token_name(info)} says that few tries may be left")
        try:
            return self._terminal.request_secret(f"PIN for {token_name(info)}")
        except NoTerminal:
            raise NoTerminal(f"a PIN is needed for {token_name(info)} and there is no terminal to ask on") from None

    def new(self, info: TokenInfo) -> str:
        """Give the PIN of a token that is being made; a person types it twice."""
        if not self._is_interactive:
            return self._read(info)
        first = self._terminal.request_secret(f'New PIN for token "{info.label}"')
        if self._terminal.request_secret("The same again") != first:
            raise PinUnusable("the two PINs differ", hint="run the command again; nothing was made")
        return first

    def log_in(self, backend: Backend, uri: str, *, allow_final_try: bool) -> Token:
        """Open a token with the PIN: at most three attempts for a person, one for anything else."""
        attempt = 1
        while True:
            try:
                return backend.open(uri, self, allow_final_try=allow_final_try)
            except PinIncorrect as error:
                if not self._is_interactive:
                    raise PinIncorrect(
                        f"{error}; not trying again because the PIN did not come from a terminal",
                        hint=f"check {self._source}; each wrong attempt counts against the token",
                    ) from error
                if attempt == ATTEMPTS:
                    raise
                attempt += 1
                self._terminal.message(f"{error}. Attempt {attempt} of {ATTEMPTS}")

    def _read(self, info: TokenInfo) -> str:
        if self._pin is None:
            self._terminal.message(f"note: PIN for {token_name(info)} taken from {self._source}")
            self._pin = self._reader(self._place)
            if not self._pin:
                raise PinUnusable(f"{self._source} holds an empty PIN", hint="an empty PIN is never tried")
            if not self._pin.isprintable():
                raise PinUnusable(f"{self._source} holds more than one line", hint="it holds the PIN and nothing else")
        return self._pin


def _from_file(place: str) -> str:
    path = Path(place)
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise StorageProblem(f"PIN file {path} is open to other users", hint=f"chmod 600 {path}")
            return _decode(file.read(_LONGEST + 1))
    except OSError as error:
        raise PinUnusable(f"cannot read PIN file {path}: {error.strerror}", hint="check --pin-source") from error


def _from_descriptor(place: str) -> str:
    try:
        with open(int(place), "rb", closefd=False) as file:
            return _decode(file.read(_LONGEST + 1))
    except (OSError, ValueError) as error:
        raise PinUnusable(f"cannot read the PIN from descriptor {place}", hint="check --pin-source") from error


def _from_environment(place: str) -> str:
    if place not in os.environ:
        raise PinUnusable(f"variable {place} is not set", hint="check --pin-source")
    return os.environ.pop(place)  # no child of this process inherits it


def _decode(data: bytes) -> str:
    if len(data) > _LONGEST:
        raise PinUnusable(f"the PIN is longer than {_LONGEST} bytes")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise PinUnusable("the PIN is not UTF-8 text") from None
