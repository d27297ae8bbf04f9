"""Looking into the memory of another process."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

ahocorasick_rs = pytest.importorskip("ahocorasick_rs")

Name = TypeVar("Name", bound=Hashable)

_PAGE = 4096
_SHORTEST = 8  # bytes: nothing is found by chance


def as_int(value: int) -> bytes:
    """Return the digits of a CPython int: 30 bits in each 32, least significant first."""
    assert sys.int_info.bits_per_digit == 30
    digits = [(value >> shift) & (1 << 30) - 1 for shift in range(0, value.bit_length(), 30)]
    return b"".join(digit.to_bytes(4, sys.byteorder) for digit in digits)


def found_in(pid: int, needles: Mapping[Name, bytes]) -> set[Name]:
    """Say which of these are somewhere in memory that a process can write to."""
    names = [name for name, needle in needles.items() if len(needle) >= _SHORTEST]
    search = ahocorasick_rs.BytesAhoCorasick([needles[name] for name in names])
    hits = search.find_matches_as_indexes(_memory(pid), overlapping=True)
    return {names[number] for number, _, _ in hits}


def _memory(pid: int) -> bytes:
    empty, pages = bytes(_PAGE), []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, permissions = line.split()[:2]
            if not permissions.startswith("rw"):
                continue
            start, end = (int(address, 16) for address in addresses.split("-"))
            memory.seek(start)
            try:
                region = memory.read(end - start)
            except OSError:  # [vvar] and the like
                continue
            pages += [page for at in range(0, len(region), _PAGE) if (page := region[at : at + _PAGE]) != empty]
    assert len(pages) > 1 << 8
    return b"".join(pages)
