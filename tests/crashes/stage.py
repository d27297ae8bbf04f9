"""Where stories are told: people, their tokens, and everything as it was before each step.

A story is told once, with a copy of everything kept before each step; then it is told again from any step, as often as
wanted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crashes.stories import AGAIN, BEGINNINGS, STORIES, Step, steps
from stage import parties, softhsm
from stage.killing import Ended, Traced
from stage.parties import PIN, Party
from stage.samples import takes_every

from frost_hsm.ceremony.index import BATCH
from frost_hsm.forms import pem

SPY = next((str(path) for path in Path("/usr/lib").glob("**/pkcs11-spy.so")), None)
TAKES_ALL = takes_every("instants")
"""Whether every instant is taken, or a sample."""

MESSAGE = b"pay 5 to dave"
PLAN = """\
title = "A key"
key = "treasury"
suite = "p256"
threshold = 2
people = ["alice", "bob"]
"""

LATER = re.compile(r"\bround1-state\b|\.token\.partial$")
"""What a later step clears away, if the one that should have did not come to it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A step that was taken: everything before it, the calls that it made, and what was there after it."""

    step: Step
    before: Path
    calls: list[str]
    after: Counter[str]


class Stage:
    """Where a story is told: a folder for each person, an inbox of all, and tokens, which are of one kind."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.directory = directory / "stage"
        self._kept = directory / "kept"
        self._told: dict[str, list[Told]] = {}
        (self.directory / "inbox").mkdir(parents=True)
        (self.directory / "message").write_bytes(MESSAGE)
        (self.directory / "plan.toml").write_text(PLAN)
        (self.directory / "key").write_text(f"{7:064x}")
        self.kind = kind
        self.people = {name: Party(name, self.directory / name, "") for name in ("alice", "bob", "carol")}
        for party in self.people.values():
            (party.directory / "token").mkdir(parents=True)
            (party.directory / "pin").write_text(PIN)
            (party.directory / "pin").chmod(0o600)
        self._places = self._software() if kind == "software" else self._softhsm()

    @cached_property
    def _traced(self) -> list[Traced]:
        return [Traced(self._environment) for _ in range(2)]

    def _software(self) -> dict[str, str]:
        self._environment: dict[str, str] = {}
        uris = {name: parties.software_token(self.token(name) / f"{name}.token") for name in self.people}
        return {**uris, "new": "software:token/new.token --create", "module": "", "list": "identity show --from-token"}

    def _softhsm(self) -> dict[str, str]:
        path = softhsm.module_path()
        assert path is not None
        conf = str(softhsm.configure(self.directory))
        self._environment = {"SOFTHSM2_CONF": conf, "PKCS11SPY": path, "PKCS11SPY_OUTPUT": os.devnull}
        for name in self.people:
            subprocess.run(
                ["softhsm2-util", "--init-token", "--free", "--label", name, "--pin", PIN, "--so-pin", softhsm.SO_PIN],
                env={**os.environ, **self._environment},
                check=True,
                capture_output=True,
            )
        uris = {name: f"pkcs11:token={name}" for name in self.people}
        # A link, so that a test can take it away.
        (self.directory / "module.so").symlink_to(SPY or path)
        module = f"--module softhsm={self.directory / 'module.so'}"
        return {**uris, "new": uris["alice"], "module": module, "list": "token list"}

    def token(self, who: str) -> Path:
        """Return the folder of somebody's token; all of SoftHSM2's are in one."""
        return self.directory / ("tokens" if self.kind == "softhsm" else f"{who}/token")

    def close(self) -> None:
        for each in self.__dict__.get("_traced", ()):
            each.__exit__(None, None, None)

    # ── Telling ──

    def tell(self, name: str) -> list[Told]:
        """Tell a story once, and keep everything as it is before each step."""
        if name in self._told:
            return self._told[name]
        beginning, text = STORIES[name]
        self._begin(beginning)
        told = self._told[name] = []
        for number, step in enumerate(steps(text, **self._places)):
            before = self._keep(f"{name} {number}")
            ended = self.take(step, watched=step.is_struck)
            told.append(Told(step, before, ended.calls, self.shape(step.who)))
        return told

    def _begin(self, name: str | None) -> None:
        """Have everything as it is at a beginning."""
        kept = self._kept / str(name)
        if not kept.exists():
            if name is not None:
                previous, text = BEGINNINGS[name]
                self._begin(previous)
                for step in steps(text, **self._places):
                    self.take(step)
            self._keep(str(name))
        self.put_back(kept)

    def _keep(self, name: str) -> Path:
        return shutil.copytree(self.directory, self._kept / name, symlinks=True)

    def put_back(self, kept: Path) -> None:
        """Have everything as it was."""
        shutil.rmtree(self.directory)
        shutil.copytree(kept, self.directory, symlinks=True)

    def run(
        self,
        step: Step,
        *,
        instant: int | None = None,
        action: str = "kill",
        patience: float = 5.0,
        rival: int = 0,
        watched: bool = False,
    ) -> Ended:
        """Take a step, however it ends. rival: whether by the first or the second process that can run commands.

        watched: whether its calls are told, also if nothing strikes.
        """
        party = self.people[step.who]
        return self._traced[rival].run(
            party.directory,
            party.arguments(step.arguments),
            instant=instant,
            action=action,
            patience=patience,
            watched=watched or instant is not None,
        )

    def take(self, step: Step, *, again: bool = False, watched: bool = False) -> Ended:
        """Take a step; it succeeds, unless it was done before and can be done once. Then send what it wrote."""
        if step.arguments[0] == "rm":
            subprocess.run(step.arguments, cwd=self.people[step.who].directory, check=True)
            return Ended(0, "", "", [])
        ended = self.run(step, watched=watched)
        allowed = {0, AGAIN.get(step.command, 0)} if again else {0}
        assert ended.status in allowed, f"{step.who} {step.arguments}: {ended.status} {ended.stdout}{ended.stderr}"
        self.send(step.who)
        return ended

    def send(self, who: str) -> None:
        """Copy what somebody has written to the inbox of all."""
        for path in sorted(self.people[who].directory.iterdir()):
            if path.suffix in (".pem", ".json") and not path.name.startswith("."):
                shutil.copy(path, self.directory / "inbox")

    # ── What is there ──

    def shape(self, who: str) -> Counter[str]:
        """Name everything that somebody has, files and objects in the token, but for what differs from time to time."""
        folder = self.people[who].directory
        files = [path for path in folder.rglob("*") if path.is_file()]
        found = [str(path.relative_to(folder)) for path in files for _ in range(_things_in(path))]
        if self.kind == "softhsm":
            found += self._objects(who)
        for path in self.token(who).glob("*.token"):
            found += [record["name"] for record in json.loads(path.read_bytes())["records"]]
        return Counter(_masked(name) for name in found if not LATER.search(name))

    def _objects(self, who: str) -> list[str]:
        """List what a SoftHSM2 token holds, by label. SoftHSM2 killed while it makes an object leaves one without."""
        environment = {**os.environ, **self._environment}
        module = environment["PKCS11SPY"]
        command = ["pkcs11-tool", "--module", module, "--token-label", who, "--login", "--pin", PIN, "--list-objects"]
        listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        return re.findall(r"label: +'?([^'<\s][^'\n]*)", listed)

    @property
    def has_lost_token(self) -> bool:
        """Whether SoftHSM2 does not know one of its tokens any more.

        At each login it rewrites the file with the token's label and PIN, in place. Killed in that instant it leaves it
        empty. Keys and records are in other files.
        """
        return any(path.stat().st_size == 0 for path in self.token("").glob("*/token.object"))

    def has_module_aborted(self, ended: Ended) -> bool:
        """Whether SoftHSM2 ended the process, by an assertion of its own: a token went away while it listed them."""
        return self.kind == "softhsm" and "SlotManager::insertToken" in ended.stderr

    def has_shown_nothing(self, ended: Ended) -> bool:
        """Whether SoftHSM2 showed a token that it knew as empty: its folder went away since."""
        return (
            self.kind == "softhsm"
            and re.search("^error: the identity of .* is not in token", ended.stderr, re.MULTILINE) is not None
        )

    def has_misread(self, ended: Ended) -> bool:
        """Whether SoftHSM2 took a token for another, or for none: it cannot read one that a process logs in to."""
        said = ("is gone (CKR_GENERAL_ERROR)", "was exchanged or initialised again", "no token matches")
        return self.kind == "softhsm" and any(each in ended.stderr for each in said)

    def restore_token(self, kept: Path) -> None:
        """Put that file back, and nothing else."""
        for path in self.token("").glob("*/token.object"):
            shutil.copy(kept / path.relative_to(self.directory), path)

    def require_whole(self) -> None:
        """Nothing of the state directories and of what was written is half there."""
        for path in self.directory.rglob("*"):
            is_written = path.parent.name != BATCH and not path.name.startswith(".") and path.name not in _EMPTY
            if path.is_file() and is_written:
                with suppress(KeyError):
                    assert _WHOLE[path.suffix](path.read_bytes()), f"{path} is not whole"


def _things_in(path: Path) -> int:
    """How many things a file holds: one, but for the notes of which nonces served. Two may or may not share a file."""
    return len(path.read_bytes().splitlines()) if path.parts[-3] == "served" else 1


def _masked(name: str) -> str:
    return re.sub(r"[0-9a-f]{8,}(-[0-9a-f]{4,})*|(?<=/)[0-9a-f]{2}$", "ID", name)


def _is_json(data: bytes) -> bool:
    return bool([json.loads(line) for line in data.splitlines()])


def _is_toml(data: bytes) -> bool:
    tomllib.loads(data.decode())
    return data.endswith(b"\n")


def _is_pem(data: bytes) -> bool:
    blocks = re.findall(rb"-----BEGIN ([^-]+)-----\n[^-]+-----END \1-----\n", data)
    parts = [each.group() for each in re.finditer(rb"-----BEGIN [^-]+-----\n[^-]+-----END [^-]+-----\n", data)]
    read = [pem.decode(label.decode(), part, "a file") for label, part in zip(blocks, parts, strict=True)]
    return bool(read) and b"".join(parts) == data


_EMPTY = ("partial", "lock", "given-up", "archived", "declined")
_WHOLE = {
    ".pem": _is_pem,
    ".json": _is_json,
    ".token": _is_json,
    ".toml": _is_toml,
    ".sig": lambda data: len(data) == 65,
    "": lambda data: bool(data),  # what others than we look at is in one of the forms above
}
