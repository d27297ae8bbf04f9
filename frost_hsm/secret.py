"""Bytes that must not outlive their use.

Python cannot promise that memory is wiped: an ``int`` or ``bytes`` made from a secret stays until its page is
reused, and so do copies that a library makes. What is in a `Secret` is in one buffer of ours, overwritten when
it is no longer needed. Code that has to hand a copy to a library says so where it does it.
"""

from __future__ import annotations

import functools
import hmac
import os
from collections.abc import Callable
from typing import NoReturn, Self

from frost_hsm.errors import SecretForked

Entropy = Callable[[memoryview], None]
"""Fills the buffer it is given with fresh, uniform, secret bytes."""


class Redacted:
    """Mixin of every object that holds a secret: shows nothing, is not compared, copied or pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(f"a {type(self).__qualname__} holds a secret: not compared with ==, hashed, copied or pickled")

    __eq__ = _refuse
    __ne__ = _refuse
    __hash__ = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse
    __reduce__ = _refuse
    __reduce_ex__ = _refuse


class Secret(Redacted):
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
        joined = cls.zeros(sum(map(len, parts)))
        offset = 0
        with joined.reveal() as target:
            for part in parts:
                end = offset + len(part)
                target[offset:end] = part._buffer if isinstance(part, Secret) else part
                offset = end
        return joined

    def part(self, start: int, end: int) -> Secret:
        """Copy the bytes from ``start`` up to ``end`` into a new secret."""
        with self.reveal() as view:
            return Secret(view[start:end])

    def reveal(self) -> Revealed:
        """Lend a view of the bytes themselves; it is released, not copied, at the end of the block."""
        return Revealed(self)

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

    __iter__ = Redacted._refuse
    __bytes__ = Redacted._refuse


class Revealed:
    """A view of a secret for one block. It holds the secret, which would else be wiped while it is read."""

    __slots__ = ("_secret", "_view")

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def __enter__(self) -> memoryview:
        self._view = memoryview(self._secret._buffer)
        return self._view

    def __exit__(self, *exc: object) -> None:
        self._view.release()


class OneProcess:
    """The process that something was made in: a copy of a single-use secret in a forked child must not serve too.

    The process id shows every fork until the system gives the number out again, the count those that Python knows of
    for good.
    """

    __slots__ = ("_made_in",)

    def __init__(self) -> None:
        self._made_in = os.getpid(), _forks

    def require(self, name: str) -> None:
        """Raise `SecretForked`, which says ``name``, in any other process."""
        if self._made_in != (os.getpid(), _forks):
            raise SecretForked(f"{name} was made before this process was forked off")


_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):  # where there is fork
    os.register_at_fork(after_in_child=_count_fork)


def system_entropy(buffer: memoryview) -> None:
    """Fill ``buffer`` from the operating system's generator, by the system call: no file is believed to be a device.

    Where the C library has ``getentropy`` the bytes go straight into the buffer; elsewhere Python hands them over in a
    ``bytes`` object that cannot be wiped. Raises `OSError` if the system gives none.
    """
    fill = _getentropy()
    if fill is None:
        buffer[:] = os.urandom(len(buffer))
        return
    while buffer:
        fill(buffer[:_MOST_AT_ONCE])
        buffer = buffer[_MOST_AT_ONCE:]


_MOST_AT_ONCE = 256  # bytes that getentropy gives (POSIX.1-2024)


@functools.cache
def _getentropy() -> Entropy | None:
    import ctypes  # takes as long to import as all the rest

    try:
        getentropy = ctypes.CDLL(None).getentropy
    except (OSError, TypeError, AttributeError):  # no C library to be found so, or one without it
        return None
    getentropy.argtypes = (ctypes.c_void_p, ctypes.c_size_t)

    def fill(buffer: memoryview) -> None:
        if getentropy(ctypes.byref(ctypes.c_char.from_buffer(buffer)), len(buffer)) != 0:
            raise OSError("the operating system gives no random bytes")

    return fill
