"""What is plugged in: the entry points of a group, found without loading any of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@cache
def entries(group: str) -> tuple[EntryPoint, ...]:
    """List the entry points of a group, looking through all that is installed, once: that takes longer than to sign."""
    from importlib.metadata import entry_points  # here, because it is slow to load and most runs look for none

    return tuple(entry_points(group=group))
