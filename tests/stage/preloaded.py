"""A process that has loaded the whole program and forks a child for every command, which saves each most of its time.

A child is a process as any other: no module of PKCS#11 was loaded before it began.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

from stage import loading, recording
from stage.parties import Ran


class Preloaded(AbstractContextManager["Preloaded"]):
    """``with Preloaded() as program: program.run(directory, arguments)``.

    command: puts before a program what has to come before it.
    """

    def __init__(self, command: Callable[..., list[str]] = lambda *program: list(program)) -> None:
        line = command(sys.executable, "-c", loading.program("preloaded"))
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, directory: Path, arguments: Sequence[str], record: Path | None = None) -> Ran:
        """Run ``frost-hsm`` in a child. record: where `recording` puts what it sees of it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        order = [str(directory), record and str(record), *arguments]
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Ran(*json.loads(self._process.stdout.readline()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


def serve() -> None:
    """Be that process: one JSON array a line on stdin, and for each an answer on stdout."""
    from frost_hsm import cli

    loading.load_all()
    while line := sys.stdin.readline():
        directory, record, *arguments = json.loads(line)
        outputs = [os.memfd_create(name) for name in ("stdout", "stderr")]
        child = os.fork()
        if child == 0:
            for number, descriptor in enumerate([os.open(os.devnull, os.O_RDONLY), *outputs]):
                os.dup2(descriptor, number)
            os.chdir(directory)
            with recording.into(Path(record)) if record else nullcontext():
                status = cli.run(arguments)  # not main: it would lock all that was loaded into memory, each time
            loading.leave(status)
        _, status = os.waitpid(child, 0)
        said = [os.pread(descriptor, 1 << 20, 0).decode() for descriptor in outputs]
        for descriptor in outputs:
            os.close(descriptor)
        print(json.dumps([os.waitstatus_to_exitcode(status), *said]), flush=True)
