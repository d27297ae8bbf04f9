"""What was made of bytes once, by their SHA-256: the same bytes are not taken apart twice in a process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """Values that are made of certain bytes and of nothing else, so that none is ever out of date.

    Whoever has other bytes has another digest. most: bytes that are remembered, by how many each value was made of;
    beyond that, what was not asked for longest is forgotten. Values must not change. Safe for several threads.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._values: OrderedDict[bytes, tuple[int, T]] = OrderedDict()
        self._mutex = threading.Lock()

    def get(self, digest: bytes, size: int, make: Callable[[], T]) -> T:
        """Return the value of the bytes with this digest, made now if it is not remembered; what raises is not."""
        with self._mutex:
            if digest in self._values:
                self._values.move_to_end(digest)
                return self._values[digest][1]
        value = make()
        with self._mutex:
            if digest not in self._values and size <= self._most:
                self._values[digest] = (size, value)
                self._size += size
            while self._size > self._most:
                _, (gone, _) = self._values.popitem(last=False)
                self._size -= gone
        return value
