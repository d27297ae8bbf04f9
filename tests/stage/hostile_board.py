"""A board that does everything a board may do to its users: it loses, repeats, reorders, withholds, forges
and mislabels.

``hostile:SEED:URI`` stands in front of the board at URI. It is a plug-in of its own: `install` makes a distribution of
it in a directory, to be put on PYTHONPATH.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from frost_hsm import boards

_TESTS = Path(__file__).parents[1]


class HostileBoard:
    """The board behind it, as somebody hostile shows it; everything is drawn from the seed and the process."""

    def __init__(self, uri: str, cache: Path, reader: str) -> None:
        _, seed, behind = uri.split(":", 2)
        self._random = random.Random(f"{seed} {os.getpid()}")
        self._board = boards.connect(behind, cache, reader)
        self.forged = 0

    @property
    def max_size(self) -> int:
        return self._board.max_size

    @property
    def passed_over(self) -> Sequence[str]:
        return self._board.passed_over

    def post(self, data: bytes, beside: Mapping[str, bytes] = boards.NOTHING) -> None:
        """Lose three of ten, put forgeries beside the others, and label things for somebody else too."""
        if self._random.random() < 0.3:
            return
        if self._random.random() < 0.5:
            self._board.post(self._forge(data))
            self.forged += 1
        if beside and self._random.random() < 0.5:
            labels = self._random.sample(sorted(beside), len(beside))
            self._board.post(data, dict(zip(labels, map(self._maybe_forged, beside.values()), strict=True)))
        self._board.post(data, {label: each for label, each in beside.items() if self._random.random() < 0.7})

    def _maybe_forged(self, data: bytes) -> bytes:
        return self._forge(data) if self._random.random() < 0.5 else data

    def _forge(self, data: bytes) -> bytes:
        """Make something of a message that is none, or none of its sender's."""
        place = self._random.randrange(len(data))
        lines = data.split(b"\n")
        return self._random.choice(
            [
                data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :],
                data[:place] or b"-",
                data + data,
                data + b"\n",
                data.lower(),
                b"\n".join(reversed(lines)),
                self._random.randbytes(200),
            ]
        )

    def messages(self, since: str = "") -> Iterator[tuple[str, bytes]]:
        """Show some of what is there, in any order, some of it twice."""
        shown = [data for _, data in self._board.messages() if self._random.random() < 0.6]
        shown += self._random.sample(shown, len(shown) // 3)
        self._random.shuffle(shown)
        for data in shown:
            yield "lies", data

    def wait(self, timeout: float) -> bool:
        return self._board.wait(min(timeout, 0.3)) or True

    def close(self) -> None:
        self._board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def install(directory: Path) -> dict[str, str]:
    """Make the distribution; returns the environment in which programs find it."""
    place = directory / "hostile-1.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    (place / "entry_points.txt").write_text(
        f"[{boards.ENTRY_POINT_GROUP}]\nhostile = stage.hostile_board:HostileBoard\n"
    )
    path = [str(directory), str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
