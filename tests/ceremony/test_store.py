"""The state directory: whole files or none, one writer, nobody else's eyes, and a full disk."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from frost_hsm.ceremony import store
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import NotKnown, StepConflict, StorageProblem


@pytest.fixture
def home(tmp_path: Path) -> StateDirectory:
    return StateDirectory.create(tmp_path / "home")


def in_child(function: Callable[[], object]) -> int:
    """Run in a fork of this process; returns its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_everything_is_private(home: StateDirectory) -> None:
    previous = os.umask(0)
    try:
        home.put("a/b/file", b"contents")
    finally:
        os.umask(previous)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.path.rglob("*")}
    files = {"lock", "directory-id", "head", "index.0", "file"}
    assert modes == {**dict.fromkeys(files, 0o600), "a": 0o700, "b": 0o700}


def test_what_others_can_enter_or_read_is_refused(home: StateDirectory, tmp_path: Path) -> None:
    home.put("file", b"contents")
    (home.path / "file").chmod(0o644)
    with pytest.raises(StorageProblem, match="open to other users"):
        home.read("file")
    home.path.chmod(0o750)
    with pytest.raises(StorageProblem, match="open to other users"):
        StateDirectory.open(home.path)
    with pytest.raises(NotKnown):
        StateDirectory.open(tmp_path / "nothing")
    (tmp_path / "a file").touch()
    with pytest.raises(StorageProblem, match="not a directory"):
        StateDirectory.open(tmp_path / "a file")


def test_a_lock_that_is_a_link_is_not_followed(home: StateDirectory, tmp_path: Path) -> None:
    (home.path / "lock").unlink()
    (home.path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageProblem), home.lock():
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_put_once(home: StateDirectory) -> None:
    home.put("folder/file", b"contents")
    home.put("folder/file", b"contents")
    with pytest.raises(StepConflict):
        home.put("folder/file", b"other contents")
    assert home.read("folder/file") == b"contents"
    home.replace("folder/file", b"other contents")
    assert home.read("folder/file") == b"other contents"
    home.remove("folder/file")
    home.remove("folder/file")
    assert home.read("folder/file") is None
    assert home.names("folder") == []


def test_many_files_are_put_at_once(home: StateDirectory) -> None:
    """Beside those that are there, which are not changed; none of them, if one of them cannot be."""
    home.put("folder/a", b"A")
    home.put_all({"folder/a": b"A", "folder/b": b"B", "other/below/c": b"C", "d": b""})
    there = {"folder/a": b"A", "folder/b": b"B", "other/below/c": b"C", "d": b""}
    assert {name: home.read(name) for name in (*home.files("folder"), *home.files("other"), "d")} == there
    home.put_all({"folder/a": b"A", "folder/b": b"B"})
    with pytest.raises(StepConflict):
        home.put_all({"folder/e": b"E", "folder/f": b"F", "folder/b": b"other"})
    assert home.names("folder") == ["a", "b"]
    home.put_all({"folder/e": b"E"})
    home.put_all({})
    assert home.names("folder") == ["a", "b", "e"]
    home.replace_all({"folder/a": b"other", "g": b"G"})
    assert [home.read(name) for name in ("folder/a", "folder/b", "g")] == [b"other", b"B", b"G"]
    assert not (home.path / "batch").exists()
    assert {oct(path.stat().st_mode & 0o777) for path in (home.path / "folder").iterdir()} == {"0o600"}


def test_many_files_that_were_changed_from_outside_are_mended_at_once(home: StateDirectory) -> None:
    files = {"folder/a": b"A", "folder/b": b"B", "folder/c": b"C"}
    home.put_all(files)
    (home.path / "folder/a").write_bytes(b"by hand")
    (home.path / "folder/b").unlink()
    home.put_all(files)
    assert {name: home.read(name) for name in home.files("folder")} == files


def test_a_folder_moves_in_one_step(home: StateDirectory) -> None:
    home.put("ceremonies/x/round1/alice.pem", b"contents")
    home.move("ceremonies/x", "given-up/1")
    assert not home.exists("ceremonies/x")
    assert home.read("given-up/1/round1/alice.pem") == b"contents"


def test_what_a_killed_writer_left_is_cleared_away(home: StateDirectory) -> None:
    def write_and_die() -> None:
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        home.put("file", b"contents" * 1000)

    assert in_child(write_and_die) == -signal.SIGKILL
    assert home.read("file") is None
    assert (home.path / "partial").exists()
    with StateDirectory.open(home.path).lock():
        assert not (home.path / "partial").exists()
    home.put("file", b"contents")
    assert home.read("file") == b"contents"


def test_a_killed_holder_lets_go_of_the_lock(home: StateDirectory) -> None:
    def lock_and_die() -> None:
        with home.lock():
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(lock_and_die) == -signal.SIGKILL
    with home.lock():
        pass


def test_a_lock_may_be_nested_and_is_let_go_after_an_error(home: StateDirectory) -> None:
    with pytest.raises(ZeroDivisionError), home.lock(), home.lock():
        raise ZeroDivisionError
    assert in_child(lambda: StateDirectory.open(home.path).put("file", b"")) == 0


def test_who_waits_too_long_for_the_lock_says_so(home: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK_PATIENCE", 0.1)
    other = StateDirectory.open(home.path)
    with home.lock(), pytest.raises(StorageProblem, match="another process is at work"), other.lock():
        pass


def _count(path: Path, times: int) -> None:
    home = StateDirectory.open(path)
    for _ in range(times):
        with home.lock():
            home.replace("counter", str(int(home.read("counter") or b"0") + 1).encode())


def test_writers_in_threads_and_processes_take_turns(home: StateDirectory) -> None:
    times = 15
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_count, args=(home.path, times)) for _ in range(3)]
    for process in processes:
        process.start()
    threads = [threading.Thread(target=_count, args=(home.path, times)) for _ in range(2)]
    shared = [threading.Thread(target=_add_one, args=(home, times)) for _ in range(2)]
    for thread in (*threads, *shared):
        thread.start()
    for each in (*processes, *threads, *shared):
        each.join()
    assert home.read("counter") == str(7 * times).encode()


def _add_one(home: StateDirectory, times: int) -> None:
    for _ in range(times):
        with home.lock():
            home.replace("counter", str(int(home.read("counter") or b"0") + 1).encode())


def test_readers_see_the_old_file_or_the_new_one(home: StateDirectory) -> None:
    contents = [bytes([number]) * 50_000 for number in range(2)]
    home.put("file", contents[0])

    def write() -> None:
        for turn in range(200):
            home.replace("file", contents[turn % 2])

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(StateDirectory.open(home.path).read("file"))
        time.sleep(0)
    writer.join()
    assert seen <= set(contents)


def test_a_full_disk_changes_nothing(home: StateDirectory) -> None:
    """The limit of a file's size stands for the disk's: the write fails in the middle."""
    home.put("file", b"old contents")

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        for change in (lambda: home.replace("file", bytes(10_000)), lambda: home.put("other", bytes(10_000))):
            try:
                change()
            except StorageProblem:
                continue
            raise AssertionError("it fitted")

    assert in_child(fill) == 0
    assert home.read("file") == b"old contents"
    assert sorted(path.name for path in home.path.iterdir()) == ["directory-id", "file", "head", "index.0", "lock"]


def test_a_lock_that_was_removed_is_no_lock(home: StateDirectory) -> None:
    """Whoever holds it changes nothing more; whoever waited for it waits for the one that is there now."""
    other, third = StateDirectory.open(home.path), StateDirectory.open(home.path)
    waiting = threading.Thread(target=lambda: third.put("third", b""))
    with home.lock():
        waiting.start()
        time.sleep(0.1)
        (home.path / "lock").unlink()
        with other.lock():
            with pytest.raises(StorageProblem, match="lock was removed"):
                home.put("file", b"contents")
            other.put("file", b"other contents")
    with StateDirectory.open(home.path).lock():
        assert home.read("file") == b"other contents"
    waiting.join()
    assert home.read("third") == b""


def test_what_is_removed_while_it_is_read_is_not_read(tmp_path: Path) -> None:
    home, other = StateDirectory.create(tmp_path / "home"), StateDirectory(tmp_path / "home")
    home.put_all({"folder/first": b"1", "folder/second": b"2"})
    listed = []

    def names() -> list[str]:
        listed.append([f"folder/{name}" for name in home.names("folder")])
        if len(listed) == 1:
            other.remove("folder/second")
        return listed[-1]

    assert home.read_all(names) == {"folder/first": b"1"}
    assert len(listed) == 2
