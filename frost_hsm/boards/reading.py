"""Reading a board as one person does: what is new, each message once, every sender held to a limit.

A board knows no senders, so whoever verifies signatures says who a message is from. What a stranger posts costs one
look; what somebody known posts beyond measure is passed over, and so harms only themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from frost_hsm.boards import Board, name_of
from frost_hsm.boards.seen import PassedOver

T = TypeVar("T")

PROBE: Final = b"frost-hsm board probe: pass over "
"""What the probes begin with that ``board check`` posts: they are from nobody, and not worth a word."""

MAX_MESSAGES_OF_ONE: Final = 50_000
"""Half of what may lie on a board: an agent says four things for each signature that it asks for."""
MAX_BYTES_OF_ONE: Final = 256 << 20


@dataclass(slots=True)
class _Used:
    messages: int = 0
    size: int = 0


class Reading(Generic[T]):
    """A board, read from its beginning to wherever it is now."""

    def __init__(
        self,
        board: Board,
        look: Callable[[bytes], tuple[str, T] | None],
        *,
        max_messages: int = MAX_MESSAGES_OF_ONE,
        max_bytes: int = MAX_BYTES_OF_ONE,
    ) -> None:
        """Begin.

        look: says of a message who signed it, and what is made of it; None for a stranger or damage. It must not raise,
        nor keep anything of a message: that is for whoever is given it. max_messages, max_bytes: of one sender, of what
        was given and not let go of.
        """
        self._board = board
        self._look = look
        self._most, self._most_bytes = max_messages, max_bytes
        self._cursor = ""
        self._looked_at: set[str] = set()
        self._used: dict[str, _Used] = {}
        self._held: dict[str, tuple[_Used, int]] = {}  # by name, where it counts and its size
        self._over = PassedOver()
        self.beyond_measure: set[str] = set()
        """Those of whom something was passed over, for it was too much."""

    def new(self) -> Iterator[tuple[str, T]]:
        """Give what is made of each message of somebody known that was not given before, with its sender."""
        for cursor, data in self._board.messages(self._cursor):
            self._cursor = cursor
            name = name_of(data)
            if name in self._looked_at:
                continue
            self._looked_at.add(name)
            if data.startswith(PROBE):
                continue
            seen = self._look(data)
            if seen is None:
                self._over.note(name, "from nobody known here, or for somebody else")
                continue
            sender, made = seen
            used = self._used.setdefault(sender, _Used())
            if used.messages >= self._most or used.size + len(data) > self._most_bytes:
                self.beyond_measure.add(sender)
                self._over.note(name, f"more from {sender} than one person may post")
                continue
            used.messages += 1
            used.size += len(data)
            self._held[name] = used, len(data)
            yield sender, made

    def let_go(self, names: Iterable[str]) -> None:
        """Count messages no more, by `name_of`: nothing is kept of them. They are not given again."""
        for name in names:
            used, size = self._held.pop(name, (_Used(), 0))
            used.messages -= 1
            used.size -= size

    @property
    def passed_over(self) -> Sequence[str]:
        """What the board and this reading passed over, one line each."""
        return [*self._board.passed_over, *self._over.lines()]
