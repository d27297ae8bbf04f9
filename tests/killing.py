"""Kill a command at one chosen instant: before one of its writes or token calls, or at its end.

Nothing but these has an effect, so the instant after one of them is the instant before the next.

As a program: ``killing.py K COMMAND…`` runs ``frost-hsm COMMAND…`` and kills it at its K-th instant.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Self
from unittest import mock

from parties import Party

from frost_hsm import backends, cli

WRITES = ("open", "fsync", "replace", "rename", "unlink", "mkdir", "link")


class Instants:
    """Counts the instants of a command and kills the process at the one wanted."""

    def __init__(self, wanted: int | None) -> None:
        self.wanted = wanted
        self.count = 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            self.strike()
            return function(*arguments, **options)

        return call

    def strike(self) -> None:
        self.count += 1
        if self.count == self.wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Watch every write to files of this process, and every call of a token that it opens, from now on."""
        for name in WRITES:
            mock.patch.object(os, name, self._on_creating(getattr(os, name))).start()
        load = backends.load
        mock.patch.object(backends, "load", lambda *arguments: _Backend(load(*arguments), self)).start()

    def _on_creating(self, function: Callable[..., Any]) -> Callable[..., Any]:
        counted = self.around(function)
        if function is not os.open:
            return counted

        def call(path: Any, flags: int, *arguments: Any, **options: Any) -> Any:
            return (counted if flags & os.O_CREAT else function)(path, flags, *arguments, **options)

        return call


class _Backend:
    def __init__(self, backend: Any, instants: Instants) -> None:
        self._backend = backend
        self._instants = instants

    def open(self, *arguments: Any, **options: Any) -> _Token:
        return _Token(self._instants.around(self._backend.open)(*arguments, **options), self._instants)


class _Token(AbstractContextManager[Any]):
    def __init__(self, token: Any, instants: Instants) -> None:
        self._token = token
        self._instants = instants

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._token, name)
        return self._instants.around(found) if callable(found) else found

    def __enter__(self) -> Self:
        self._token.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._instants.around(self._token.__exit__)(*exc)


def fork_and_kill(party: Party, command: tuple[str, ...], wanted: int | None) -> int | None:
    """Run a command in a fork of this process; None if it was killed, else how many instants it has."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            instants = Instants(wanted)
            instants.watch()
            status = party.run(*command).status
            instants.strike()
            os.write(writing, f"{status} {instants.count}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, ended = os.waitpid(child, 0)
    if os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL:
        return None
    status, count = map(int, said.split())
    if status != 0:
        raise AssertionError(f"{command} ended with {status}")
    return count


if __name__ == "__main__":
    watched = Instants(int(sys.argv[1]))
    watched.watch()
    ended = cli.run(sys.argv[2:])
    watched.strike()
    sys.exit(ended)
