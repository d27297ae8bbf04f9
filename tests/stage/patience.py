"""An end to what would go on for hours: for tests of work that has to grow in proportion to what is given."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 60  # where it takes one, and hours without the defence


@contextmanager
def patience(seconds: int = SECONDS) -> Iterator[None]:
    """Raise `TimeoutError` in what takes longer than any machine may."""

    def end(number: int, frame: object) -> None:
        raise TimeoutError(f"it took more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
