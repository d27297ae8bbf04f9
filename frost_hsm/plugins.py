"""What is plugged in: the entry points of a group, found without loading any of them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint


class Own(NamedTuple):
    """What this distribution brings itself, like an `EntryPoint`, which nothing has to be looked through for."""

    name: str
    value: str
    dist: Distribution | None = None

    def load(self) -> object:
        """Import it."""
        module, _, name = self.value.partition(":")
        return getattr(import_module(module), name)


@cache
def entries(group: str) -> tuple[EntryPoint, ...]:
    """List the entry points of a group, looking through all that is installed, once: that takes longer than to sign."""
    from importlib.metadata import entry_points  # here, because it is slow to load and most runs look for none

    return tuple(entry_points(group=group))
