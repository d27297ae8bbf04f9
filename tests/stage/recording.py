"""Record every secret of a run, and everything of a run that others could see. For tests alone."""

from __future__ import annotations

import gc
import logging
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

from frost_hsm import secret
from frost_hsm.groups.libcrypto.hashing import HashRoom
from frost_hsm.groups.libcrypto.scalars import BignumScalars, SecretContext
from frost_hsm.secret import Secret

LONG_ENOUGH = 24  # bytes; what is drawn shorter is public: key ids, serial numbers, AES-GCM nonces


class Recorder:
    """secrets: every byte string drawn as entropy or ever held by a `Secret`. seen: exceptions, logs, children."""

    def __init__(self) -> None:
        self.secrets: set[bytes] = set()
        self.seen: list[str] = []

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Record in this process for the length of the block."""
        drawing, hashing, wiping = secret._getentropy(), BignumScalars._hash_in, Secret.wipe

        def draw(buffer: memoryview) -> None:
            assert drawing is not None
            drawing(buffer)
            self._add(bytes(buffer))

        def hash_in(field: BignumScalars, room: HashRoom, context: SecretContext) -> Any:
            hashed = hashing(field, room, context)
            self._add(bytes(room._wide))
            self._add(bytes(room.data))
            return hashed

        def wipe(held: Secret) -> None:
            self._add(bytes(held._buffer))
            wiping(held)

        handler = _Lines(self.seen)
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        sys.addaudithook(self._audit)
        tracing = sys.gettrace()
        try:
            with (
                mock.patch.object(secret, "_getentropy", lambda: draw),
                mock.patch.object(BignumScalars, "_hash_in", hash_in),
                mock.patch.object(Secret, "wipe", wipe),
            ):
                sys.settrace(self._trace)
                yield self
        finally:
            sys.settrace(tracing)
            for held in gc.get_objects():
                if isinstance(held, Secret):
                    self._add(bytes(held._buffer))
            root.removeHandler(handler)
            root.setLevel(level)

    def _add(self, held: bytes) -> None:
        if len(held) >= LONG_ENOUGH and len(set(held)) > 8:  # not the number one
            self.secrets.add(held)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Note the text of every exception that is raised anywhere, caught or not."""
        frame.f_trace_lines = False
        if event == "exception":
            error = argument[1]
            self.seen.append(f"{error} {error!r} {getattr(error, 'hint', '')}")
        return self._trace

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note the arguments and the environment of every child."""
        if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
            self.seen.append(repr(arguments))


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.name} {record.getMessage()}")


@contextmanager
def into(path: Path) -> Iterator[None]:
    """Record a command, with all logging at DEBUG on stderr; append it to a file of pickles."""
    recorder = Recorder()
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    with recorder.recording():
        yield
    with path.open("ab") as file:
        pickle.dump((recorder.secrets, [*recorder.seen, Path("/proc/self/environ").read_text()]), file)


def load(path: Path) -> tuple[set[bytes], list[str]]:
    """Read what the processes recorded."""
    secrets: set[bytes] = set()
    seen: list[str] = []
    with path.open("rb") as file:
        while file.peek(1):
            more = pickle.load(file)
            secrets |= more[0]
            seen += more[1]
    return secrets, seen
