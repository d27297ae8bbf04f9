"""A defence that an attack meets, and how to take it out of the program.

A defence is one or more passages of the source, each of which must be there exactly once, and what stands in its place
afterwards. Where one defence stands behind another, both go: it is the attack that has to succeed.
"""

from __future__ import annotations

import os
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[2]
ATTACKS = TESTS / "attacks"

Edit = tuple[str, str, str]
"""A file of the program, what stands in it, and what comes in its place."""


@dataclass(frozen=True, slots=True)
class Defence:
    """what: what is taken out. shows: how the failure of the test may begin that has to notice.

    attack: that test, by its name where it is one of the attacks, else with its file, ``boards/test_join.py::test_…``.
    """

    what: str
    attack: str
    edits: tuple[Edit, ...]
    shows: tuple[str, ...] = ("AssertionError", "Failed: DID NOT RAISE")

    def remove(self, program: Path, copy: Path) -> None:
        """Copy the program without this defence. Raises `LookupError` if the source has changed since."""
        shutil.copytree(program, copy)
        for name, old, new in self.edits:
            source = (copy / name).read_text()
            if source.count(old) != 1:
                raise LookupError(f"{name} holds {source.count(old)} times: {old}")
            (copy / name).write_text(source.replace(old, new))
            os.utime(
                copy / name, (0, zlib.crc32(new.encode()))
            )  # no other change of this file was compiled at that time

    def nodes(self) -> list[str]:
        """Return what pytest calls the test."""
        file, _, name = self.attack.rpartition("::")
        files = [TESTS / file] if file else ATTACKS.glob("test_*.py")
        return [f"{path}::{name}" for path in files if f"def {name}(" in path.read_text()]


def defence(attack: str, what: str, *edits: Edit, shows: str | None = None) -> Defence:
    file, separator, name = attack.rpartition("::")
    test = f"{file}{separator}test_{name}"
    return Defence(what, test, edits, (shows,) if shows else ("AssertionError", "Failed: DID NOT RAISE"))


BOUND_TO_CONTEXT = (
    ("ceremony/sealing/recipients.py", "Context.decode(self.ukm).require(expected)", "pass"),
    (
        "ceremony/sealing/envelope.py",
        "if target[:_HASH_LENGTH] != hashlib.sha256(expected.encode()).digest():",
        "if False:",
    ),
)

IDENTITY = (
    "groups/libcrypto/curves.py",
    "        if len(data) != 33 or data[0] not in (2, 3):\n            raise self._not_a_point(data)\n",
    "        if data == bytes(33):\n            return self.identity()\n",
)
