"""Rehearsing a ceremony: everything that its script has people type, typed here, with tokens that are thrown away."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from frost_hsm.cli.files import door, temporary
from frost_hsm.cli.options import command
from frost_hsm.cli.paper import printing
from frost_hsm.cli.paper.stating import Planned
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted, visible
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotPossible
from frost_hsm.plans import script
from frost_hsm.plans.script import PROGRAM, Typed

_PIN: Final = "rehearsal-1234"  # of tokens that do not outlive the command
_LAST: Final = 12  # lines of what a command said, where it went wrong


@command(None, "rehearse")
@click.argument("file", metavar="FILE")
@click.option("--software", is_flag=True, help="Use software tokens, even where SoftHSM2 is installed.")
def rehearse(place: Workplace, file: str, software: bool) -> Result:
    """Run the whole script of the ceremony that FILE plans, with tokens made for that.

    In a temporary folder, everybody of the plan is given a token of SoftHSM2, or a software token where that is not
    installed. Then every command of the script is run by a shell as it will be typed, those that sign at the end and
    those of the record among them; questions are answered with yes. Nothing is left of it, and your own token and keys
    are not touched. What a rehearsal cannot show is how your tokens behave.
    """
    planned = Planned.read(file)
    printing.script(planned.plan, planned.name, planned.digests)  # the libraries are there
    with temporary.folder("rehearsal") as directory:
        room = _Room(directory, planned, None if software else _softhsm())
        room.furnish()
        typed = script.commands(planned.plan, planned.name)
        for each in typed:
            place.terminal.message(f"{each.who}$ {each.line}")
            room.type(each)
        made = sorted(each.name for each in room.folder.iterdir())
    tokens = "software tokens" if room.softhsm is None else "tokens of SoftHSM2"
    signed = [each.output for each in planned.plan.signings]
    lines = [
        f"All {len(typed)} commands of the script went well, with {tokens}",
        *(f"  signed and verified  {each}" for each in signed),
        f"  record signed by     {', '.join(planned.plan.people)}",
        "Nothing is left of it",
    ]
    fields = {"commands": len(typed), "tokens": tokens, "signed": signed, "files": made}
    return Result("ceremony-rehearse", lines, fields, f"print the script: {PROGRAM} ceremony plan {quoted(file)}")


@dataclass(frozen=True, slots=True)
class _SoftHsm:
    """SoftHSM2 where it is installed: its library, and the program that initialises tokens."""

    module: str
    tool: str


def _softhsm() -> _SoftHsm | None:
    from frost_hsm.backends.pkcs11 import known_modules

    tool = shutil.which("softhsm2-util")
    modules = [path for path in known_modules().values() if "softhsm" in Path(path).name]
    return _SoftHsm(modules[0], tool) if tool is not None and modules else None


class _Room:
    """Where all of them sit: one folder for the files, and for each a state directory and a token."""

    def __init__(self, directory: Path, planned: Planned, softhsm: _SoftHsm | None) -> None:
        self.folder = directory / "folder"
        self.softhsm = softhsm
        self._directory = directory
        self._planned = planned
        self._pin = directory / "pin"

    def furnish(self) -> None:
        """Put into the folder what has to be there, and give everybody a token."""
        self.folder.mkdir()
        for name in self._planned.digests:
            (self.folder / name).write_bytes(door.read(self._planned.path(name)))
        for name in self._planned.plan.clones:
            shutil.copytree(self._planned.path(name), self.folder / name, symlinks=True)
        self._pin.touch(0o600)
        self._pin.write_text(_PIN)
        (self._directory / "tokens").mkdir()
        (self._directory / "softhsm2.conf").write_text(f"directories.tokendir = {self._directory / 'tokens'}\n")
        for name in self._planned.plan.people:
            self.type(Typed(name, shlex.join(self._init(name))))

    def _init(self, name: str) -> list[str]:
        """Make somebody's token, as its vendor's tool does, and return what has to be typed to use it."""
        words = [PROGRAM, "init", "--me", name, "--token"]
        if self.softhsm is None:
            return [*words, f"software:{self._directory / 'tokens' / name}", "--create"]
        made = [self.softhsm.tool, "--init-token", "--free", "--label", name, "--pin", _PIN, "--so-pin", _PIN]
        self._run(name, shlex.join(made))
        return [*words, f"pkcs11:token={name}", "--module", self.softhsm.module]

    def type(self, typed: Typed) -> None:
        """Run a command as a shell does, and answer what it would ask. Raises `NotPossible` if it fails."""
        program = shlex.join((sys.executable, "-P", "-m", "frost_hsm"))
        line = typed.line.removeprefix(PROGRAM)
        answers = shlex.join(_answers(shlex.split(line), self._pin))
        self._run(typed.who, f"{program}{line} {answers}", typed.line)

    def _run(self, who: str, line: str, shown: str | None = None) -> None:
        done = subprocess.run(  # noqa: S603 - our own program, and the tool of SoftHSM2
            ["/bin/sh", "-c", line],
            cwd=self.folder,
            env=self._environment(who),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").splitlines()[-_LAST:]
            raise NotPossible(
                f"the rehearsal stopped: {who}$ {shown or line} ended with status {done.returncode}",
                hint="nothing is left of it; mend the plan, then rehearse again",
                details=[visible(each) for each in said],
            )

    def _environment(self, who: str) -> Mapping[str, str]:
        mine = {
            "FROST_HSM_HOME": str(self._directory / f"home-{who}"),
            "SOFTHSM2_CONF": str(self._directory / "softhsm2.conf"),
        }
        return {name: value for name, value in os.environ.items() if name != "FROST_HSM_TOKEN"} | mine


def _answers(words: list[str], pin: Path) -> Iterator[str]:
    """Say by options what a person would be asked, to whichever command takes them."""
    from frost_hsm.cli.program import frost_hsm  # which loads this command by its name

    found: click.Command | None = frost_hsm
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        found = found.get_command(click.Context(found), words.pop(0))
    known = {name for parameter in (found.params if found is not None else ()) for name in parameter.opts}
    if isinstance(found, click.Group):
        return
    answers = {"--yes": "", "--pin-source": f"file:{pin}", "--began": "the rehearsal's beginning", "--ended": "its end"}
    for name, value in answers.items():
        if name in known:
            yield from [name, value] if value else [name]
