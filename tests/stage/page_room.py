"""A page of the manual that people follow: what it has them type is done, by three who have the key already.

Of the fenced blocks, ``LANGUAGE file NAME`` is a file that they all see, and each line of ``sh`` is somebody's command:
``alice$ COMMAND``, ``stranger$`` for who has no token, ``everyone$`` for what all three do, each until nothing is left.
``!`` before a command says that it fails; ``&`` behind it, that it goes on meanwhile.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stage import parties, walkthrough
from stage.parties import Party, Ran

import frost_hsm

MANUAL = Path(frost_hsm.__file__).parent / "manual"
BOARD = "dir:/srv/board"
"""As the pages write it."""

PATIENCE = 60  # seconds


class PageRoom:
    """The directory that they share, with the board in it."""

    def __init__(self, directory: Path, people: Sequence[Party]) -> None:
        self.directory = directory
        self._people = {party.name: party for party in people}
        self._board = directory / "board"
        self._board.mkdir()
        self._meanwhile: list[subprocess.Popen[bytes]] = []

    def follow(self, page: str) -> None:
        """Do what a page says, from its first line to its last."""
        try:
            for block in walkthrough.blocks((MANUAL / f"{page}.md").read_text()):
                match block.head.split():
                    case ["sh"]:
                        for line in block.body.splitlines():
                            self._do(*line.split("$ ", 1))
                    case [_, "file", name]:
                        (self.directory / name).write_text(block.body)
        finally:
            for process in self._meanwhile:
                process.kill()
                process.wait()

    def _do(self, who: str, command: str) -> None:
        words = command.replace(BOARD, f"dir:{self._board}").split(" ", 1)
        if words[0] == "frost-hsm" and "$(" not in command:
            arguments = [name for word in shlex.split(words[1]) for name in self._expanded(word)]
            if who == "everyone":
                self._everyone(arguments)
            else:
                ran = self._run(self._people[who], arguments)
                assert ran.status == 0, f"{command}: {ran.stderr}"
        elif command.endswith(" &"):
            self._meanwhile.append(subprocess.Popen(["bash", "-c", command.removesuffix(" &")], **self._there()))
        elif command == "wait":
            assert self._meanwhile.pop().wait(PATIENCE) == 0
        else:
            done = subprocess.run(["bash", "-c", command], **self._there(), capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def _there(self) -> dict[str, Any]:
        """Where commands run: in the directory, with this Python and this package first."""
        path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(MANUAL.parents[1])}
        return {"cwd": self.directory, "env": {**os.environ, **path}, "stdin": subprocess.DEVNULL}

    def _expanded(self, word: str) -> list[str]:
        """Find what a pattern stands for; where something goes on meanwhile, once it is there."""
        if "*" not in word:
            return [word]
        end = time.monotonic() + PATIENCE
        while not (found := sorted(path.name for path in self.directory.glob(word))):
            assert any(process.poll() is None for process in self._meanwhile), f"no {word}"
            assert time.monotonic() < end, f"no {word}"
            time.sleep(0.02)
        return found

    def _everyone(self, arguments: list[str]) -> None:
        waiting = dict(self._people)
        end = time.monotonic() + PATIENCE
        while waiting:
            assert time.monotonic() < end, f"{', '.join(waiting)} are not done"
            for name, party in [*waiting.items()]:
                ran = self._run(
                    party, [*arguments, "--once", "--yes", "--pin-source", f"file:{party.directory / 'pin'}"]
                )
                assert ran.status in (0, 75), ran.stderr
                if ran.status == 0:
                    del waiting[name]

    def _run(self, party: Party, arguments: list[str]) -> Ran:
        return parties.run(self.directory, *party.arguments(arguments))
