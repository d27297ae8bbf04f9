"""Bytes that must not outlive their use.

Python cannot promise that memory is wiped: an ``int`` or ``bytes`` made from a secret stays until its page is
reused, and so do copies that a library makes. What is in a `Secret` is in one buffer of ours, overwritten when
it is no longer needed. Code that has to hand a copy to a library says so where it does it.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, Self

Entropy = Callable[[memoryview], None]
"""Fills the buffer it is given with fresh, uniform, secret bytes."""


class Secret:
    """A fixed-length buffer of secret bytes: wiped, redacted, never compared with ``==``, never pickled.

    Made from a copy of ``data``; the caller still owns, and wipes, what it passed. As a context manager it
    wipes itself at the end of the block.
    """

    __slots__ = ("_buffer",)

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._buffer = bytearray(data)

    @classmethod
    def zeros(cls, length: int) -> Self:
        """Make a buffer of ``length`` zero bytes, to be filled through `reveal`."""
        return cls(bytes(length))

    @classmethod
    def join(cls, *parts: Secret | bytes) -> Self:
        """Concatenate secret and public parts into a new secret, in wiped memory all the way."""
        joined = cls.zeros(sum(len(part) for part in parts))
        offset = 0
        with joined.reveal() as target:
            for part in parts:
                end = offset + len(part)
                if isinstance(part, Secret):
                    with part.reveal() as source:
                        target[offset:end] = source
                else:
                    target[offset:end] = part
                offset = end
        return joined

    def part(self, start: int, end: int) -> Secret:
        """Copy the bytes from ``start`` up to ``end`` into a new secret."""
        with self.reveal() as view:
            return Secret(view[start:end])

    @contextmanager
    def reveal(self) -> Iterator[memoryview]:
        """Lend a view of the bytes themselves; it is released, not copied, at the end of the block."""
        view = memoryview(self._buffer)
        try:
            yield view
        finally:
            view.release()

    def equals(self, other: Secret) -> bool:
        """Compare in time that does not depend on the contents."""
        return hmac.compare_digest(self._buffer, other._buffer)

    def wipe(self) -> None:
        """Overwrite every byte with zero. The length stays; wiping twice is fine."""
        self._buffer[:] = bytes(len(self._buffer))

    def __len__(self) -> int:
        return len(self._buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.wipe()

    def __del__(self) -> None:
        try:
            self.wipe()
        except (AttributeError, TypeError):  # not built yet, or the interpreter is going down
            pass

    def __repr__(self) -> str:
        return f"<Secret {len(self._buffer)} bytes>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a Secret is not compared with ==, hashed, iterated, copied or pickled")

    __eq__ = _refuse
    __ne__ = _refuse
    __hash__ = _refuse
    __iter__ = _refuse
    __bytes__ = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse
    __reduce__ = _refuse
    __reduce_ex__ = _refuse


def system_entropy(buffer: memoryview) -> None:
    """Fill ``buffer`` from the operating system's generator.

    Where the system has ``/dev/urandom`` the bytes go straight into the buffer; elsewhere Python hands them
    over in a ``bytes`` object that cannot be wiped.
    """
    try:
        source = os.open("/dev/urandom", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        buffer[:] = os.urandom(len(buffer))
        return
    try:
        filled = 0
        while filled < len(buffer):
            filled += os.readv(source, [buffer[filled:]])
    finally:
        os.close(source)
