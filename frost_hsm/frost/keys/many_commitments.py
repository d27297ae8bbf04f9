"""Commitments that were read together: their sum in place of the elements, which take ten times the memory.

Adding all commitments up is what key generation does with them; the elements of a single one, but for the constant
term, serve only to find out whose share is wrong, and are then read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from frost_hsm.frost import polynomial
from frost_hsm.groups import Element, Group


class _Together:
    """So many commitments, and their sum, entry by entry."""

    __slots__ = ("count", "total")

    def __init__(self, count: int, total: Sequence[Element]) -> None:
        self.count = count
        self.total = total


class _Reread(Sequence[Element]):
    """The elements of one of them: the first, and the others read again whenever they are asked for."""

    __slots__ = ("_encoded", "_first", "_group", "together")

    def __init__(self, group: Group, encoded: bytes, first: Element, together: _Together) -> None:
        self._group = group
        self._encoded = encoded
        self._first = first
        self.together = together

    def __len__(self) -> int:
        return len(self._encoded) // self._group.element_length

    @overload
    def __getitem__(self, index: int) -> Element: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Element, ...]: ...
    def __getitem__(self, index: int | slice) -> Element | tuple[Element, ...]:
        return self._first if index == 0 else tuple(self)[index]

    def __iter__(self) -> Iterator[Element]:
        return iter(self._group.decode_all(self._encoded, prove=False))  # that was proven before


def put_together(
    group: Group, encodings: Sequence[bytes], commitments: Sequence[Sequence[Element]]
) -> Sequence[Sequence[Element]]:
    """Add up commitments that are in the group; return each as its encoding and its first entry alone.

    encodings: of each. Those of different lengths, or of none, are returned as they are.
    """
    if len({len(elements) for elements in commitments}) != 1 or not commitments[0]:
        return commitments
    together = _Together(len(commitments), polynomial.add_commitments(group, commitments))
    return [
        _Reread(group, encoded, elements[0], together) for encoded, elements in zip(encodings, commitments, strict=True)
    ]


def add(group: Group, commitments: Iterable[Sequence[Element]]) -> list[Element]:
    """Add as `polynomial.add_commitments` does, by the sum of those put together where all of them are there."""
    apart: list[Sequence[Element]] = []
    found: dict[_Together, list[_Reread]] = {}
    for each in commitments:
        if isinstance(each, _Reread):
            found.setdefault(each.together, []).append(each)
        else:
            apart.append(each)
    for together, members in found.items():
        if len(members) == together.count == len(set(map(id, members))):
            apart.append(together.total)
        else:
            apart += members
    return polynomial.add_commitments(group, apart)
