"""Secrets that serve once, even when two threads ask at the same instant, or a child has copies of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from frost_hsm.errors import SecretConsumed
from frost_hsm.secret import OneProcess

Held = TypeVar("Held")


class SingleUse(Generic[Held]):
    """Holds a secret until it is taken. Of several threads that take it, one gets it; no forked child does.

    name: for errors. wipe: how the secret is overwritten.
    """

    __slots__ = ("_held", "_name", "_process", "_wipe")

    def __init__(self, name: str, held: Held, wipe: Callable[[Held], None]) -> None:
        self._name = name
        self._held = [held]
        self._wipe = wipe
        self._process = OneProcess()

    def take(self) -> Held:
        """Take the secret out. Raises `SecretConsumed` if it is gone, `SecretForked` in a forked child."""
        self._process.require(self._name)
        try:
            return self._held.pop()  # atomic
        except IndexError:
            raise SecretConsumed(f"{self._name} has been used") from None

    @contextmanager
    def consumed(self) -> Iterator[Held]:
        """Lend the secret and wipe it at the end of the block, or keep it if the block raises.

        Raises what `take` raises.
        """
        held = self.take()
        try:
            yield held
        except BaseException:
            self._held.append(held)
            raise
        self._wipe(held)  # an interruption here must not keep half of it

    def look(self) -> Held:
        """Return the secret and leave it. Raises what `take` raises."""
        self._process.require(self._name)
        held = self._held[-1:]
        if not held:
            raise SecretConsumed(f"{self._name} has been used")
        return held[0]

    def wipe(self) -> None:
        """Overwrite the secret, unless it was taken."""
        with suppress(IndexError):
            self._wipe(self._held.pop())
