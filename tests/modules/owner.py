"""Who owns the token of a module under test. It is not loaded here: every command is a process of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from modules import starting
from modules.starting import Started
from stage import by_command
from stage.parties import PROGRAM, Party, Ran
from stage.preloaded import Preloaded

from frost_hsm.errors import PinIncorrect

_LOSE_SHARE = """
import sys
from frost_hsm.backends import Capability
from frost_hsm.backends.pkcs11 import Pkcs11Backend
from frost_hsm.testing import SilentInteraction
path, uri, pin = sys.argv[1:]
with Pkcs11Backend({"it": path}, SilentInteraction()).open(uri, lambda info: pin) as token:
    if Capability.DATA in token.capabilities:
        shares = [name for name in token.record_names() if name.startswith("signing-share")]
        assert shares, token.record_names()
        for name in shares:
            token.delete_record(name)
"""


@dataclass
class Owner(Party):
    """A party whose commands use the module, each in a process of its own."""

    module: Started = field(kw_only=True)
    program: Preloaded | None = field(default=None, kw_only=True)
    """What forks a process for each command; without it each begins with an interpreter."""
    calls: dict[str, list[str]] = field(default_factory=dict, kw_only=True)
    """Of each command, what it called of a module that is spied on; the first time that it was run."""

    @classmethod
    def of(cls, module: Started, directory: Path) -> Owner:
        """Somebody who has the token, and nothing else yet; their name is that of the directory."""
        directory.mkdir(parents=True)
        owner = cls(directory.name, directory, module.uri, pin=module.pin, module=module)
        owner.types(module.pin)
        return owner

    def types(self, pin: str) -> None:
        """Give this PIN from now on."""
        path = self.directory / "pin"
        path.write_text(pin)
        path.chmod(0o600)

    @property
    def settings_of_init(self) -> list[str]:
        """What ``init`` is told besides name and token."""
        return ["--module", f"it={self.module.path}"]

    def begin(self, *identity: str) -> None:
        """Make an identity, by keys of this program's own making unless told otherwise."""
        by_command.begin(self, *self.settings_of_init, identity=identity or self.module.identity)

    def mistype(self, *command: str) -> None:
        """Give a command a wrong PIN, which has to be one login: OpenSC's spy, in front of the module, counts."""
        module, configuration = self.module, self.directory / "home/config.toml"
        self.module = module if starting.is_spied(module) else starting.spied(module)
        before = configuration.read_text()
        configuration.write_text(before.replace(str(module.path), str(self.module.path)))
        self.types("wrong-9876")
        starting.calls(self.module)
        ran = self.launch(*command, program=self.module.command(*PROGRAM))
        tried = starting.calls(self.module).count("C_Login")
        assert (ran.status, tried) == (PinIncorrect.exit, 1), (command, ran.stderr)
        self.module = module
        configuration.write_text(before)
        self.types(self.pin)

    def lose_share(self) -> None:
        """Take the sealed share out of the token, if it is there, as nothing in the program does."""
        self.module.run(sys.executable, "-c", _LOSE_SHARE, str(self.module.path), self.uri, self.pin)

    def run(self, *arguments: str) -> Ran:
        if starting.is_spied(self.module):
            starting.calls(self.module)
        if self.program is not None:
            ran = self.program.run(self.directory, self.arguments(arguments))
        else:
            ran = self.launch(*arguments, program=self.module.command(*PROGRAM))
        if starting.is_spied(self.module):
            self.calls.setdefault(" ".join(arguments[:2]), starting.calls(self.module))
        return ran
