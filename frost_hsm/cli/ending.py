"""A run that is ended from outside ends as after Ctrl-C: by an exception, so that sessions are closed on the way."""

from __future__ import annotations

import signal
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal asked this process to end; ``status`` is what shells make of that.

    Not a `KeyboardInterrupt`, of which click would lose which signal it was.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def end_in_order() -> None:
    """From now on have SIGTERM and SIGHUP raise `Ended`, once; where they are ignored (nohup), they stay so."""
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


_asked: Ended | None = None


def require_going_on() -> None:
    """Raise `Ended` if a signal has asked to end, again: what is raised while an object is let go of, Python ignores.

    For a loop that would go on for ever then.
    """
    if _asked is not None:
        raise _asked


def _end(number: int, frame: FrameType | None) -> None:
    global _asked
    for each in _ENDING:  # closing a session takes as long as it takes; a terminal that closes says so twice
        signal.signal(each, signal.SIG_IGN)
    _asked = Ended(number)
    raise _asked
