"""A folder for as long as a command runs: what a killed command leaves goes with the next."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import signal
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from frost_hsm.cli.files import temporary
from frost_hsm.errors import StorageProblem


def hold(connection: Connection) -> None:
    with temporary.folder("test") as folder:
        (folder / "file").write_bytes(b"")
        connection.send(folder)
        connection.recv()


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_command_left_goes_with_the_next(place: Path) -> None:
    """One that is in use stays, and so does what is not ours."""
    other = place / "frost-hsm-test.link"
    other.symlink_to("/")
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=hold, args=(theirs,))
    child.start()
    held = ours.recv()
    with temporary.folder("test") as folder:
        assert {*place.iterdir()} == {held, folder, other}
        assert folder.stat().st_mode & 0o077 == 0
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert (held / "file").exists()
    with temporary.folder("test") as folder:
        assert {*place.iterdir()} == {folder, other}
    assert {*place.iterdir()} == {other}


def test_one_that_another_run_took_for_left_is_made_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = tempfile.mkdtemp, []

    def unlucky(prefix: str) -> str:
        made.append(make(prefix=prefix))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", unlucky)
    with temporary.folder("test") as folder:
        assert [*place.iterdir()] == [folder]
    assert len(made) == 2


def test_where_there_is_no_place_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StorageProblem, match="cannot make a temporary directory"), temporary.folder("test"):
        pass


def test_where_there_are_no_locks(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends, and leaves nothing."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageProblem, match="No locks available"), temporary.folder("test"):
        pass
    assert not [*place.iterdir()]
