"""A peer: another implementation in a process of its own, asked in JSON, one line a request."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any, Self


class PeerError(Exception):
    """What the peer refused, by its own name for it, and whom it blames: identifiers in hex."""

    def __init__(self, name: str, message: str, culprits: Sequence[str]) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.culprits = tuple(culprits)


class PeerProcess:
    """A running peer, stopped by `close`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, do: str, **arguments: Any) -> Any:
        """Ask and wait for the answer. Raises `PeerError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"the peer ended with status {self._process.wait()} when asked to {do}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(**answer["error"])
        return answer["ok"]

    def close(self) -> None:
        self._process.communicate()  # it ends when its input does

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
