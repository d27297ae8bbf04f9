"""The socket for programs of SSH: its owner's alone, strict with what it reads, and no harm to the others."""

from __future__ import annotations

import os
import resource
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path

import pytest
from stage.memory_group import group

from frost_hsm.agent import ssh_protocol
from frost_hsm.agent.asking import Agent
from frost_hsm.agent.ssh_protocol import ListKeys, Sign, SomethingElse
from frost_hsm.agent.ssh_socket import SshSocket
from frost_hsm.errors import Aborted, MalformedMessage, NotPossible, NotYet, StorageProblem
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.wire import string

KEY = b"key"
FAILURE = string(b"\x05")
LIST = string(b"\x0b")


def sign(data: bytes) -> bytes:
    return string(b"\x0d" + string(KEY) + string(data) + bytes(4))


class Keys:
    """One key, which signs all but what it is told not to."""

    def __init__(self) -> None:
        self.processes: list[int] = []

    def listed(self) -> list[tuple[bytes, str]]:
        return [(KEY, "name")]

    def sign(self, asked: Sign, process: int) -> Future[bytes]:
        self.processes.append(process)
        signature: Future[bytes] = Future()
        if asked.data == b"no":
            signature.set_exception(Aborted("bob said no"))
        elif asked.data != b"wait":
            signature.set_result(asked.key + asked.data)
        return signature


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory with a short name: that of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def path(tmp_path: Path, keys: Keys) -> Iterator[Path]:
    with SshSocket(tmp_path / "agent/ssh.sock", keys) as made:
        yield made.path


def connect(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(str(path))
    return made


def talk(path: Path, *messages: bytes) -> bytes:
    with connect(path) as connection:
        answer = b""
        with suppress(ConnectionError):  # it was ended, with something of ours unread
            connection.sendall(b"".join(messages))
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                answer += piece
        return answer


def test_it_is_its_owners_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_keys_are_listed_and_signatures_made(path: Path, keys: Keys) -> None:
    listed = string(b"\x0c\0\0\0\x01" + string(KEY) + string(b"name"))
    assert (
        talk(path, LIST, sign(b"data"), LIST)
        == listed + string(b"\x0e" + string(ssh_wire.signature_blob(KEY + b"data"))) + listed
    )
    assert keys.processes == [os.getpid()]


@pytest.mark.parametrize("number", [9, 17, 18, 19, 22, 23, 25, 27, 255])
def test_whatever_else_is_asked_fails_and_the_program_may_go_on(path: Path, number: int) -> None:
    assert talk(path, string(bytes((number,)) + b"anything"), sign(b"no"), LIST).startswith(FAILURE * 2 + b"\0\0\0")


@pytest.mark.parametrize(
    "message",
    [
        bytes(4),
        b"\xff" * 4,
        (ssh_protocol.MAX_LENGTH + 1).to_bytes(4, "big"),
        string(b"\x0b\0"),
        string(b"\x0d"),
        string(sign(b"data")[4:-1]),
        string(sign(b"data")[4:] + b"\0"),
        string(b"\x0d" + b"\xff" * 4),
        b"\0\0",
    ],
)
def test_what_is_no_message_ends_the_connection_and_nothing_else(path: Path, message: bytes) -> None:
    assert talk(path, message, LIST) == b""
    assert talk(path, LIST).startswith(b"\0\0\0")


@pytest.mark.parametrize(("before", "after"), [(b"", b""), (LIST, b""), (b"", LIST)])
def test_a_program_that_goes_away_is_noticed(
    path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, before: bytes, after: bytes
) -> None:
    """Whatever it has not read of what it asked before, and whatever it asks behind that."""
    made: list[Future[bytes]] = []
    real = keys.sign
    monkeypatch.setattr(keys, "sign", lambda *asked: made.append(real(*asked)) or made[-1])  # type: ignore[func-returns-value]
    with connect(path) as connection:
        connection.sendall(before + sign(b"wait") + after)
        while not made:
            pass
        assert talk(path, sign(b"other")) != b"", "nobody else waits for it"
        assert not made[0].cancelled()
    with pytest.raises(CancelledError):
        made[0].result(10)


def test_more_programs_than_it_serves_are_turned_away(path: Path) -> None:
    waiting = [connect(path) for _ in range(64)]
    try:
        for each in waiting:
            each.sendall(LIST)
            assert each.recv(4)
        assert talk(path, LIST) == b""
    finally:
        for each in waiting:
            each.close()


def test_a_process_that_has_no_file_left_to_open_answers_later(path: Path) -> None:
    """Nothing of its owner's can be opened at that instant; whoever waits is answered once it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.settimeout(10)
        spare = os.dup(waiting.fileno())
        os.close(spare)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
            waiting.connect(str(path))
            waiting.sendall(LIST)
            with pytest.raises(OSError, match="Too many open files"):
                os.dup(waiting.fileno())
            time.sleep(0.2)  # for the thread that listens, which fails
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert waiting.recv(4)
    assert talk(path, LIST).startswith(b"\0\0\0")


def test_programs_that_hang_harm_nobody_else(path: Path) -> None:
    """In the middle of what they ask, and before what they are answered."""
    hanging = [connect(path) for _ in range(10)]
    try:
        for number, each in enumerate(hanging):
            each.sendall(sign(b"data")[: 1 + 5 * number])
        with connect(path) as deaf:
            deaf.setblocking(False)
            with suppress(BlockingIOError):  # nothing of what it is answered is read, so at last nothing more is taken
                while True:
                    deaf.sendall(LIST * 1000)
            assert talk(path, LIST).startswith(b"\0\0\0")
    finally:
        for each in hanging:
            each.close()


def test_a_socket_that_was_left_there_goes_and_nothing_else_does(tmp_path: Path, keys: Keys) -> None:
    folder = tmp_path / "agent"
    folder.mkdir(mode=0o700)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folder / "ssh.sock"))
    left.close()
    with SshSocket(folder / "ssh.sock", keys):
        pass
    assert not (folder / "ssh.sock").exists()
    (folder / "ssh.sock").write_text("notes")
    with pytest.raises(NotPossible, match="is no socket"):
        SshSocket(folder / "ssh.sock", keys)
    assert (folder / "ssh.sock").read_text() == "notes"


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path, keys: Keys) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o750)
    with pytest.raises(StorageProblem, match="open to other users"):
        SshSocket(folder / "ssh.sock", keys)
    with pytest.raises(NotPossible, match="too long"):
        SshSocket(tmp_path / ("x" * 90) / "ssh.sock", keys)


def test_messages_are_read_strictly() -> None:
    assert ssh_protocol.read(b"\x0b") == ListKeys()
    assert ssh_protocol.read(sign(b"data")[4:]) == Sign(KEY, b"data")
    assert ssh_protocol.read(b"\x1bsession-bind@openssh.com") == SomethingElse()
    for wrong in (b"", b"\x0b\0", b"\x0d", sign(b"data")[4:-1], sign(b"data")[4:] + b"\0"):
        with pytest.raises(MalformedMessage):
            ssh_protocol.read(wrong)


def test_other_programs_are_told_why_there_is_no_signature(path: Path) -> None:
    agent = Agent(path, group().key)
    assert agent.sign(b"data") == ssh_wire.public_key(group().key) + b"data"
    assert agent.sign(b"") == ssh_wire.public_key(group().key)
    with pytest.raises(Aborted, match="the group has not signed: bob said no"):
        agent.sign(b"no")
    with pytest.raises(NotYet, match=r"within 0\.1 seconds"):
        Agent(path, group().key, patience=0.1).sign(b"wait")
    with pytest.raises(NotPossible, match="takes no message"):
        agent.sign(bytes(ssh_protocol.MAX_LENGTH))
    with pytest.raises(NotPossible, match="ed448"):
        Agent(path, group("ed448").key)


def test_where_no_agent_of_ours_is(tmp_path: Path) -> None:
    with pytest.raises(NotPossible, match="no agent answers"):
        Agent(tmp_path / "none", group().key).sign(b"data")
    for answer in (b"", FAILURE, string(b"\x1c"), string(b"\x1d"), string(b"\x0e" + string(b"signature"))):
        with socket.socket(socket.AF_UNIX) as other:
            path = tmp_path / "other"
            path.unlink(missing_ok=True)
            other.bind(str(path))
            other.listen()
            thread = threading.Thread(target=_answer_with, args=(other, answer))
            thread.start()
            with pytest.raises(NotPossible, match="no agent answers"):
                Agent(path, group().key).sign(b"data")
            thread.join()


def _answer_with(listening: socket.socket, answer: bytes) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(answer)
