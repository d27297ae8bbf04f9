"""A program that answers for the agent: it is handed the question, and its exit status is the answer."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from typing import Final

from frost_hsm.agent.question import Question
from frost_hsm.errors import ConfigProblem, UsageProblem

_AT_ONCE: Final = 8


class Hook:
    """Starts a program for each question. Status 0 is yes, anything else is no; it may take its time.

    command: a program and its arguments, as a shell would split them; there is no shell. On its stdin is one JSON
    object: what `Question.document` says, and ``text``, the lines that people are shown. At most 8 run at once.
    """

    def __init__(self, command: str) -> None:
        """Raises `UsageProblem` for what is no command, and `ConfigProblem` if there is no such program."""
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageProblem(f"--ask: {command} is no command: {error}") from None
        program = shutil.which(words[0]) if words else None
        if program is None:
            raise ConfigProblem(f"there is no program {words[0] if words else command}", hint="see --ask, and PATH")
        self._command = [program, *words[1:]]
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __call__(self, question: Question) -> bool | None:
        """Return the answer; None while there is none: ask again."""
        process = self._running.get(question.request)
        if process is None:
            if len(self._running) < _AT_ONCE:
                self._running[question.request] = self._start(question)
            return None
        status = process.poll()
        if status is None:
            return None
        del self._running[question.request]
        return status == 0

    def has_answered(self, request: str) -> bool:
        """Tell whether there is an answer now, or there could be if it was asked."""
        process = self._running.get(request)
        return process.poll() is not None if process is not None else len(self._running) < _AT_ONCE

    def _start(self, question: Question) -> subprocess.Popen[bytes]:
        document = {"schema": "frost-hsm/agent-question/1", **question.document, "text": list(question.lines)}
        with tempfile.TemporaryFile() as file:  # a pipe would wait for a program that does not read
            file.write(json.dumps(document).encode() + b"\n")
            file.seek(0)
            try:
                return subprocess.Popen(self._command, stdin=file, stdout=subprocess.DEVNULL)  # noqa: S603
            except OSError as error:
                raise ConfigProblem(f"cannot start {self._command[0]}: {error.strerror}") from error

    def drop(self, request: str) -> None:
        """End the program that was asked about a request, if it runs still: nobody wants to know any more."""
        process = self._running.pop(request, None)
        if process is not None:
            process.terminate()
            process.wait()

    def stop(self) -> None:
        """End what runs still."""
        for request in list(self._running):
            self.drop(request)
