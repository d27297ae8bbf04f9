"""Programs that ask a group for signatures: run again once they are there, or waiting for them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from stage.memory_group import group
from stage.signing_things import sign_what_waits

from frost_hsm import GroupPrivateKey
from frost_hsm.errors import InvalidSignature, NotYet, StorageProblem
from frost_hsm.targets.programs.message_folder import MessageFolder


def test_a_program_that_is_run_again(tmp_path: Path) -> None:
    folder = tmp_path / "to sign"
    key = GroupPrivateKey.of(group().key, MessageFolder(folder, group().key).sign)
    for message in (b"one", b"two", b"one"):
        with pytest.raises(NotYet, match=r"to sign/[0-9a-f]{16}\.to-sign$"):
            key.sign(message)
    assert sorted(path.read_bytes() for path in folder.iterdir()) == [b"one", b"two"]
    sign_what_waits(folder)
    for message in (b"one", b"two"):
        key.public_key().verify(key.sign(message), message)


def test_a_program_that_waits_in_many_threads(tmp_path: Path) -> None:
    folder = MessageFolder(tmp_path, group().key, patience=60)
    signed: dict[bytes, bytes] = {}

    def ask(message: bytes) -> None:
        signed[message] = folder.sign(message)

    threads = [threading.Thread(target=ask, args=(b"message %d" % number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        sign_what_waits(tmp_path)
        threads[0].join(0.05)
    assert len(signed) == 4
    for message, signature in signed.items():
        GroupPrivateKey.of(group().key, lambda _, made=signature: made).sign(message)


def test_what_lies_there_is_verified(tmp_path: Path) -> None:
    folder = MessageFolder(tmp_path, group().key)
    for wrong in (group().sign(b"another"), b"", bytes(64)):
        with pytest.raises(NotYet):
            folder.sign(b"message")
        (path,) = tmp_path.glob("*.to-sign")
        path.with_name(f"{path.name}.sig").write_bytes(wrong)
        with pytest.raises(InvalidSignature, match="not a signature by this key"):
            folder.sign(b"message")
        path.with_name(f"{path.name}.sig").unlink()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageProblem, match="cannot use the folder"):
        MessageFolder(tmp_path / "file", group().key).sign(b"message")
