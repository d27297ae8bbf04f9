"""The owner of an agent, asked at the terminal, one question after the other, while the agent goes on with the rest."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from frost_hsm.agent.question import Question
from frost_hsm.cli.talk.terminal import Terminal


@dataclass
class _Asked:
    """A question on its way: the thread that it is asked in, and what came of it."""

    request: str
    thread: threading.Thread
    came: list[bool | BaseException] = field(default_factory=list)


class Owner:
    """Asks somebody who sits at the terminal; as `frost_hsm.agent.hook.Hook` asks a program.

    What was typed before a question was put does not answer it.
    """

    def __init__(self) -> None:
        self._asked: _Asked | None = None
        self._ended, self._end = os.pipe2(os.O_CLOEXEC)  # what the end can be read of once a question is withdrawn

    @property
    def is_asked(self) -> bool:
        """Whether a question is on the terminal, or was answered and its answer not taken."""
        return self._asked is not None

    def __call__(self, question: Question, ask: Callable[[Terminal], bool]) -> bool | None:
        """Return the answer; None while there is none: call again. ask: asks at a terminal, and may raise."""
        asked = self._asked
        if asked is None:
            self._asked = self._start(question.request, ask)
            return None
        if asked.request != question.request or asked.thread.is_alive():
            return None
        self._asked = None
        [came] = asked.came
        if isinstance(came, BaseException):
            raise came
        return came

    def has_answered(self, request: str) -> bool:
        """Tell whether there is an answer now, or there could be if it was asked."""
        asked = self._asked
        return asked is None or (asked.request == request and not asked.thread.is_alive())

    def drop(self, request: str) -> None:
        """Withdraw the question about a request, if it is asked: nobody wants to know any more."""
        if self._asked is not None and self._asked.request == request:
            os.write(self._end, b"\0")
            self._asked.thread.join()
            os.read(self._ended, 1)
            self._asked = None

    def stop(self) -> None:
        """Withdraw what is asked still, and leave the terminal as it was."""
        if self._asked is not None:
            self.drop(self._asked.request)
        os.close(self._ended)
        os.close(self._end)

    def _start(self, request: str, ask: Callable[[Terminal], bool]) -> _Asked:
        terminal = Terminal(until=self._ended)

        def run() -> None:
            try:
                asked.came.append(ask(terminal))
            except BaseException as error:  # raised again where the answer is waited for
                asked.came.append(error)

        asked = _Asked(request, threading.Thread(target=run, name="question", daemon=True))
        asked.thread.start()
        return asked
