"""The socket at which programs of SSH find the agent: a file that its owner alone can reach.

Each program has a thread of its own and waits there for its answer. When it goes away before, that is noticed.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from frost_hsm.agent import ssh_protocol
from frost_hsm.agent.ssh_protocol import ListKeys, Sign
from frost_hsm.errors import FrostHsmError, MalformedMessage, NotPossible, StorageProblem
from frost_hsm.targets.ssh import wire as ssh_wire

_AT_ONCE: Final = 64
_LOOK: Final = 0.5  # seconds
_LONGEST_PATH: Final = 100  # bytes; a socket's name has about 108


class Keys(Protocol):
    """What the keys are, and who signs. Called from many threads."""

    def listed(self) -> list[tuple[bytes, str]]:
        """List the keys, as OpenSSH encodes them, with a comment each."""

    def sign(self, asked: Sign, process: int) -> Future[bytes]:
        """Have something signed. process: the id of the one that asks, 0 where that is not known.

        The result is the signature, 64 bytes; the error says why there is none. It is cancelled if nobody waits for it
        any more.
        """


class SshSocket:
    """Listens, from the time when it is made until it is closed. A context manager."""

    def __init__(self, path: Path, keys: Keys) -> None:
        """Make the socket; one that was left there goes. Raises `StorageProblem` and `NotPossible`."""
        self.path = path
        self._keys = keys
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        self._is_closed = threading.Event()
        self._socket = _bound(path)
        threading.Thread(target=self._listen, name="ssh", daemon=True).start()

    def __enter__(self) -> SshSocket:
        return self

    def __exit__(self, *exc: object) -> None:
        self._is_closed.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _listen(self) -> None:
        while not self._is_closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:  # it was closed, or this process has no more files to open just now
                self._is_closed.wait(_LOOK)
                continue
            if not self._free.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), name="ssh", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError, FrostHsmError):
                process, user = _peer(connection)
                if user in (None, os.geteuid(), 0):
                    while self._answer_one(connection, process):
                        pass
        finally:
            self._free.release()

    def _answer_one(self, connection: socket.socket, process: int) -> bool:
        head = receive(connection, ssh_protocol.LENGTH)
        if not head:
            return False
        asked = ssh_protocol.read(receive(connection, ssh_protocol.length_of(head)))
        answer = ssh_protocol.failure()
        if isinstance(asked, ListKeys):
            answer = ssh_protocol.keys_answer(self._keys.listed())
        elif isinstance(asked, Sign):
            answer = _answer(asked, self._keys.sign(asked, process), connection)
        connection.sendall(answer)
        return True


def _answer(asked: Sign, signature: Future[bytes], connection: socket.socket) -> bytes:
    try:
        signed = _wait(signature, connection)
    except FrostHsmError as error:
        return ssh_protocol.not_signed(str(error)) if asked.is_raw else ssh_protocol.failure()
    if asked.is_raw:
        return ssh_protocol.raw_answer(signed)
    return ssh_protocol.sign_answer(ssh_wire.signature_blob(signed))


def _wait(signature: Future[bytes], connection: socket.socket) -> bytes:
    """Wait for a signature as long as the program does that asked for it."""
    while True:
        try:
            return signature.result(_LOOK)
        except NotInTime:
            if _is_gone(connection):
                signature.cancel()
                raise NotPossible("the program that asked for it has gone") from None


def _is_gone(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, 0)  # what is told unasked: whether the other end was closed, with anything unread or not
    return bool(poll.poll(0))


def receive(connection: socket.socket, length: int) -> bytes:
    """Receive so many bytes; none if it ended before the first. Raises `MalformedMessage` if it ends between."""
    received = bytearray()
    while len(received) < length:
        piece = connection.recv(length - len(received))
        if not piece:
            if received:
                raise MalformedMessage("a message to the agent ends too early")
            break
        received += piece
    return bytes(received)


def _peer(connection: socket.socket) -> tuple[int, int | None]:
    """Return the id of the process at the other end and its user; 0 and None where the system does not say."""
    option: int | None = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, None
    form = struct.Struct("3i")
    process, user, _ = form.unpack(connection.getsockopt(socket.SOL_SOCKET, option, form.size))
    return process, user


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone can enter. Raises `StorageProblem` if it is there and others can."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise StorageProblem(f"cannot make {folder}: {error.strerror}") from error
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise StorageProblem(f"{folder} is open to other users", hint=f"name another, or: chmod 700 {folder}")


def _bound(path: Path) -> socket.socket:
    make_private(path.parent)
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise NotPossible(f"{path} is too long for the name of a socket", hint="name a shorter one with --socket")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise NotPossible(f"{path} is there, and is no socket")
            path.unlink()  # left by an agent that was killed: another one has the log
        _as_owner_only(lambda: listening.bind(os.fspath(path)))
        listening.listen()
    except BaseException as error:
        listening.close()
        if isinstance(error, OSError):
            raise StorageProblem(f"cannot make the socket {path}: {error.strerror}") from error
        raise
    return listening


def _as_owner_only(make: Callable[[], None]) -> None:
    before = os.umask(0o177)
    try:
        make()
    finally:
        os.umask(before)
