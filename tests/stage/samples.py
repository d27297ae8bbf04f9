"""What a run tries a sample of. FROST_HSM_EVERY=boards,cheats has all of these tried, FROST_HSM_EVERY=all all."""

from __future__ import annotations

import os

KINDS = {
    "boards": "five people with tokens on a hostile board: one of three kinds, a minute each",
    "bytes": "bytes of what each target makes, which the stock tool then has to refuse",
    "cheats": "ways in which two cheat together",
    "groups": "groups mixed with the noble peer",
    "hands": "ways to meddle with a state directory by hand",
    "instants": "instants at which something goes wrong, or a backup is taken, or a directory put back",
    "readers": "ways to read a hostile file",
}
"""What there is a sample of; each is always the same one, unless its test says otherwise."""

_WANTED = frozenset(os.environ.get("FROST_HSM_EVERY", "").split(",")) - {""}

if unknown := _WANTED - {*KINDS, "all"}:
    raise ValueError(f"FROST_HSM_EVERY: there is no {', '.join(sorted(unknown))}, but {', '.join(KINDS)} and all")


def takes_every(kind: str) -> bool:
    """Say whether all of a kind of `KINDS` are to be tried."""
    if kind not in KINDS:
        raise KeyError(kind)
    return bool({kind, "all"} & _WANTED)


def takes(kind: str, number: int, one_of: int) -> bool:
    """Say whether the one with this number is tried: one of so many, or every one."""
    return takes_every(kind) or number % one_of == 0
