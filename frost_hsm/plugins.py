"""What is plugged in: what we bring ourselves, and the entry points of other distributions, none of them loaded.

One rule for all kinds of plug-ins. A name of ours is ours, whatever else is installed, and nothing is looked through
for it: that takes longer than to sign. Where two distributions bring the same name, which one to trust is not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from frost_hsm.errors import FrostHsmError

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


class Kind:
    """One kind of plug-ins. group: of entry points. what: one of them, as in `a token "NAME"`; problem: what is raised.

    own: where ours are, ``MODULE:NAME``, by their names.
    """

    def __init__(self, group: str, what: str, problem: type[FrostHsmError], own: Mapping[str, str]) -> None:
        self._group = group
        self._what = what
        self._problem = problem
        self._own = {name: Own(name, value) for name, value in own.items()}

    def installed(self) -> dict[str, EntryPoint | Own]:
        """List all that are installed, by name. Raises the problem, naming both, if two distributions bring one."""
        found: dict[str, EntryPoint | Own] = {**self._own}
        for entry in entries(self._group):
            other = found.setdefault(entry.name, entry)
            if other.value != entry.value:
                raise self._problem(
                    f'two distributions bring a {self._what} "{entry.name}": {owner(other)} and {owner(entry)}',
                    hint="uninstall one of them",
                )
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._own or name in self.installed()

    def find(self, name: str) -> EntryPoint | Own:
        """Return one, by name; raises the problem if it is not installed, or two distributions bring it."""
        entry = self._own.get(name) or self.installed().get(name)
        if entry is None:
            known = ", ".join(sorted(self.installed()))
            raise self._problem(f'no {self._what} "{name}" is installed', hint=f"installed: {known}")
        return entry


def owner(entry: EntryPoint | Own) -> str:
    """Say whose a plug-in is: the distribution that brings it, else where it is."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


@cache
def entries(group: str) -> tuple[EntryPoint, ...]:
    """List the entry points of a group, looking through all that is installed, once."""
    from importlib.metadata import entry_points  # here, because it is slow to load and most runs look for none

    return tuple(entry_points(group=group))
