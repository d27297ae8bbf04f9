"""What a command works with: the state directory, the configuration, the token, files in and out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from frost_hsm.cli.terminal import PinEntry, Terminal, token_name
from frost_hsm.errors import (
    ConfigProblem,
    FileMissing,
    KeyNotFound,
    MalformedMessage,
    OutputExists,
    PinIncorrect,
    StorageProblem,
    TokenAmbiguous,
    TokenNotFound,
    WrongToken,
)

if TYPE_CHECKING:  # loaded by those commands alone that need them
    from frost_hsm.backends import Backend, Token, TokenInfo
    from frost_hsm.ceremony.identity import Holder, PublicIdentity
    from frost_hsm.ceremony.inbox import Inbox
    from frost_hsm.ceremony.store import StateDirectory
    from frost_hsm.cli.config import Config

LARGEST_FILE = 16 << 20
"""Bytes; nothing larger is read into memory."""

_PIN_ATTEMPTS = 3


@dataclass
class Workplace:
    """The shared options of a command and what they lead to; each part is made when it is first asked for."""

    home_path: Path | None = None
    token_uri: str | None = None
    pin_source: str = "prompt"
    allow_final_pin_try: bool = False
    as_json: bool = False
    terminal: Terminal = field(default_factory=Terminal)

    # ── What is kept ──

    @cached_property
    def home(self) -> StateDirectory:
        """The state directory, which ``init`` made."""
        from frost_hsm.ceremony.store import StateDirectory

        return StateDirectory.open(self.resolved_home())

    def resolved_home(self) -> Path:
        """Return where the state directory is or will be: ``--home``, FROST_HSM_HOME, or the default."""
        from frost_hsm.cli.config import default_home

        return self.home_path or default_home()

    @cached_property
    def config(self) -> Config:
        """What ``init`` wrote down."""
        from frost_hsm.cli.config import Config

        return Config.load(self.home)

    @cached_property
    def me(self) -> PublicIdentity:
        """One's own public identity."""
        from frost_hsm.ceremony.identity import PublicIdentity

        data = self.home.read("identity.pem")
        if data is None:
            raise ConfigProblem(f"{self.config.me} has no identity yet", hint="make one: frost-hsm identity create")
        return PublicIdentity.from_pem(data)

    def peers(self) -> dict[str, PublicIdentity]:
        """Read the identities of the others, by name."""
        from frost_hsm.ceremony.identity import PublicIdentity

        names = [name.removesuffix(".pem") for name in self.home.names("peers")]
        return {name: PublicIdentity.from_pem(self.home.read(f"peers/{name}.pem") or b"") for name in names}

    # ── The token ──

    def backend(self, name: str) -> Backend:
        """Load a backend with its settings."""
        from frost_hsm import backends

        return backends.load(name, self.config.backends.get(name, {}), self.terminal)

    @contextmanager
    def token(self) -> Iterator[Token]:
        """Open the configured token, logged in: the PIN is asked for now, at most three times at a terminal."""
        from frost_hsm import backends

        uri = self.token_uri or self.config.token
        backend = self.backend(backends.scheme(uri))
        if self.token_uri is not None:
            self._check_token(backend, uri)
        with self.log_in(backend, uri) as token:
            yield token

    def _check_token(self, backend: Backend, uri: str) -> None:
        with backend.open(uri, None) as public:
            info: TokenInfo = public.info
        if info.uri != self.config.token:
            raise WrongToken(f"the identity of {self.config.me} is in {self.config.token}, not in {token_name(info)}")

    def log_in(self, backend: Backend, uri: str) -> Token:
        """Open a token with the PIN from ``--pin-source``; only a person at a terminal may try again."""
        entry = PinEntry(self.pin_source, self.terminal)
        attempts = _PIN_ATTEMPTS if entry.is_interactive else 1
        for attempt in range(1, attempts + 1):
            try:
                return backend.open(uri, entry, allow_final_try=self.allow_final_pin_try)
            except PinIncorrect as error:
                if attempt == attempts:
                    if entry.is_interactive:
                        raise
                    raise PinIncorrect(
                        f"{error}; not trying again because the PIN did not come from a terminal",
                        hint="check the PIN source; each wrong attempt counts against the token",
                    ) from error
                self.terminal.message(f"Wrong PIN. Attempt {attempt + 1} of {attempts}")
        raise AssertionError("unreachable")

    @contextmanager
    def holder(self) -> Iterator[Holder]:
        """Open the token and find one's own identity in it."""
        from frost_hsm.ceremony import identity

        with self.token() as token:
            for found in identity.find(token):
                if found.public == self.me:
                    yield identity.Holder(found, token)
                    return
            raise KeyNotFound(f"{token_name(token.info)} does not hold the identity of {self.me.name}")

    # ── Files ──

    def read(self, path: str) -> bytes:
        """Read a file that was named, or stdin for ``-``; at most 16 MiB."""
        try:
            if path == "-":
                data = sys.stdin.buffer.read(LARGEST_FILE + 1)
            else:
                with Path(path).open("rb") as file:
                    data = file.read(LARGEST_FILE + 1)
        except OSError as error:
            raise FileMissing(f"cannot read {path}: {error.strerror}") from error
        if len(data) > LARGEST_FILE:
            raise MalformedMessage(
                f"{path} is larger than {LARGEST_FILE >> 20} MiB", hint="sign a digest of it instead"
            )
        return data

    @contextmanager
    def inbox(self, files: Sequence[str], directory: str | None) -> Iterator[Inbox]:
        """Take in the files that were named and those of a directory, in any order."""
        from frost_hsm.ceremony.inbox import Inbox, Incoming

        incoming = [Incoming(path, self.read(path)) for path in files]
        if directory is not None:
            try:
                paths = sorted(path for path in Path(directory).iterdir() if path.is_file())
            except OSError as error:
                raise FileMissing(f"cannot read directory {directory}: {error.strerror}") from error
            incoming += [Incoming(str(path), self.read(str(path)), named=False) for path in paths]
        inbox = Inbox(incoming)
        try:
            yield inbox
        finally:
            if inbox.passed_over:
                shown = ", ".join(Path(label).name for label in inbox.passed_over[:3])
                more = f" and {len(inbox.passed_over) - 3} more" if len(inbox.passed_over) > 3 else ""
                self.terminal.message(f"note: passed over in {directory}, as not belonging here: {shown}{more}")

    def check_output(self, path: str, *, force: bool, again: bytes | None = None) -> None:
        """Refuse early what `write` would refuse late, before anything is changed.

        again: what will be written, if the step was done before.
        """
        target = Path(path)
        if path == "-":
            return
        if target.exists() and not force and (not target.is_file() or again is None or target.read_bytes() != again):
            raise OutputExists(f"{path} exists and is different; not overwritten")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise StorageProblem(f"cannot write into {target.parent.absolute()}", hint="use another place with -o")

    def write(self, path: str, data: bytes, *, force: bool = False) -> bytes | None:
        """Write an output file, whole or not at all; the same contents again are fine, others need ``--force``.

        Returns the data when the path is ``-``, to be shown on stdout.
        """
        if path == "-":
            return data
        target = Path(path)
        try:
            if not force and target.exists():
                if target.read_bytes() == data:
                    return None
                raise OutputExists(f"{path} exists and is different; not overwritten")
            partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
            try:
                with partial.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise StorageProblem(f"cannot write {path}: {error.strerror}", hint="use another place with -o") from error
        return None

    def select_token(self, backend: Backend, uri: str | None) -> TokenInfo:
        """Return the token that ``uri`` selects, or the only initialised one."""
        if uri is not None:
            with backend.open(uri, None) as token:
                return token.info
        usable = [info for info in backend.tokens() if info.initialised]
        if not usable:
            raise TokenNotFound("no initialised token is in reach")
        if len(usable) > 1:
            raise TokenAmbiguous("\n  ".join([f"{len(usable)} tokens match", *(info.uri for info in usable)]))
        return usable[0]
