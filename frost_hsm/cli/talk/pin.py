"""Where PINs come from: ``prompt``, ``file:PATH``, ``fd:N`` or ``env:NAME``.

There is no default variable and no option that takes a PIN: a command line is public. Only a person at a
terminal may try again; everything else has one attempt, because each wrong one counts against the token.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from frost_hsm.backends import Backend, PinState, Token, TokenInfo
from frost_hsm.cli.talk.terminal import ATTEMPTS, Terminal
from frost_hsm.cli.talk.text import quoted, unusable_secret
from frost_hsm.errors import NoTerminal, PinIncorrect, PinUnusable, StorageProblem, UsageProblem
from frost_hsm.home_directory import expand

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
            "file": ("file", self._from_file),
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
        """Give the PIN of this token. Wherever it comes from, one that cannot be a PIN never gets to the token."""
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
            pin = self._reader(self._place)
            problem = unusable_secret(pin)
            if problem is not None:
                raise PinUnusable(
                    f"{self._source} {problem}", hint="it holds the PIN and nothing else; it was not tried"
                )
            self._pin = pin
        return self._pin

    def _from_file(self, place: str) -> str:
        path = expand(place) if place.startswith("~/") else Path(place)
        try:
            with path.open("rb") as file:
                self._require_private(file.fileno(), path)
                return _decode(file.read(_LONGEST + 1))
        except OSError as error:
            raise PinUnusable(f"cannot read PIN file {path}: {error.strerror}", hint="check --pin-source") from error

    def _require_private(self, descriptor: int, path: Path) -> None:
        """Refuse what another user can in fact read, and what another user has made.

        What a container or a service manager hands out lies on a file system that nobody can write to: its mode is not
        for us to mend, so then it is said only.
        """
        status = os.fstat(descriptor)
        hint = f"chmod 600 {quoted(str(path))}; or hand it over open: --pin-source fd:3 3< {quoted(str(path))}"
        if status.st_uid not in (0, os.geteuid()):
            raise StorageProblem(f"PIN file {path} belongs to another user", hint=hint)
        if not _others_can_read(status, path):
            return
        if not os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
            raise StorageProblem(f"PIN file {path} is open to other users", hint=hint)
        self._terminal.message(f"note: PIN file {path} is open to other users of this system, as it was handed out")


def _others_can_read(status: os.stat_result, path: Path) -> bool:
    """Whether the mode lets somebody else read it, and the modes of all folders above let them come to it."""
    if not status.st_mode & 0o044:
        return False
    return all(folder.stat().st_mode & 0o011 for folder in path.resolve().parents)


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
