"""``dir:`` boards: the kit, and what sticks, synchronising programs and hostile people leave in a directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from frost_hsm import boards
from frost_hsm.boards import MAX_SIZE, name_of
from frost_hsm.errors import BoardProblem, BoardUnreachable
from frost_hsm.testing import BoardConformance


class TestDirectoryBoard(BoardConformance):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "board"
        folder.mkdir()
        return folder

    @pytest.fixture
    def uri(self, folder: Path) -> str:
        return f"dir:{folder}"

    @pytest.fixture
    def litter(self, folder: Path, tmp_path: Path) -> Callable[[], int]:
        def litter() -> int:
            secret = tmp_path / "secret"
            secret.write_bytes(b"not for the board")
            name = name_of(secret.read_bytes())
            (folder / f"{name}.pem").symlink_to(secret)
            os.mkfifo(folder / f"{name_of(b'pipe')}.pem")
            (folder / f"{name_of(b'folder')}.pem").mkdir()
            (folder / f"{name_of(b'other')}.pem").write_bytes(b"something else")
            (folder / f"{name_of(b'')}.pem").write_bytes(b"")
            with (folder / f"{name_of(b'large')}.pem").open("wb") as file:
                file.truncate(1 << 40)
            hostile = ["holiday.jpg", "\u202eerror: x", "a\nNext: rm -rf ~", "x" * 255, f"{name_of(b'x')}0.pem"]
            for each in hostile:
                (folder / each).write_bytes(b"x")
            (folder / os.fsdecode(b"\xff\xfe")).write_bytes(b"x")
            for ignored in (".stfolder", ".DS_Store", f".{name_of(b'x')}.pem.0a0a0a0a.partial"):
                (folder / ignored).write_bytes(b"x")
            return 6 + len(hostile) + 1

        return litter


def connect(folder: Path) -> boards.Board:
    return boards.connect(f"dir:{folder}", folder / "unused")


def given(board: boards.Board) -> list[bytes]:
    return sorted(data for _, data in board.messages())


def test_a_file_that_is_still_on_its_way_is_read_once_it_is_whole(tmp_path: Path) -> None:
    data = os.urandom(1000)
    path = tmp_path / f"{name_of(data)}.pem"
    with connect(tmp_path) as board:
        path.write_bytes(data[:400])
        assert board.wait(0)
        assert given(board) == []
        assert [line.partition(": ")[0] for line in board.passed_over] == [path.name]
        assert not board.wait(0)
        path.write_bytes(data)
        assert board.wait(0)
        assert given(board) == [data]
        assert list(board.passed_over) == []


@pytest.mark.parametrize("copy", [".sync-conflict-20261128-101010-ABCDEF.pem", " (1).pem", "~", ".pem.orig"])
def test_the_copy_that_a_synchronising_program_makes_is_the_message_too(tmp_path: Path, copy: str) -> None:
    data = b"a message"
    (tmp_path / f"{name_of(data)}.pem").write_bytes(b"what won")
    (tmp_path / f"{name_of(data)}{copy}").write_bytes(data)
    with connect(tmp_path) as board:
        assert given(board) == [data]
        board.post(data)
    with connect(tmp_path) as board:
        assert given(board) == [data]
    assert (tmp_path / f"{name_of(data)}.pem").read_bytes() == data


def test_a_copy_that_goes_takes_no_message_with_it(tmp_path: Path) -> None:
    """It was found first; what is read again from the beginning is the message under its other name."""
    data = b"a message"
    copy = tmp_path / f"{name_of(data)} (1).pem"
    copy.write_bytes(data)
    with connect(tmp_path) as board:
        assert given(board) == [data]
        board.post(data)
        assert given(board) == [data]
        copy.unlink()
        assert given(board) == [data]
        (tmp_path / f"{name_of(data)}.pem").write_bytes(b"damaged")
        copy.write_bytes(data)
        assert given(board) == [data]


def test_what_takes_the_place_of_a_message_is_replaced(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    folder = tmp_path / "board"
    folder.mkdir()
    os.mkfifo(folder / f"{name_of(b'one')}.pem")
    (folder / f"{name_of(b'two')}.pem").symlink_to(elsewhere)
    with connect(folder) as board:
        board.post(b"one")
        board.post(b"two")
        assert given(board) == [b"one", b"two"]
    assert elsewhere.read_bytes() == b"precious"


def test_a_folder_in_the_place_of_a_message_is_said(tmp_path: Path) -> None:
    (tmp_path / f"{name_of(b'one')}.pem").mkdir()
    with connect(tmp_path) as board, pytest.raises(BoardProblem, match="directory"):
        board.post(b"one")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name_of(b'one')}.pem"]


def test_a_stick_that_is_not_plugged_in_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(BoardUnreachable, match="there is no directory"):
        connect(tmp_path / "stick")
    (tmp_path / "stick").mkdir()
    with connect(tmp_path / "stick") as board:
        (tmp_path / "stick").rmdir()
        for operation in (lambda: board.post(b"one"), lambda: given(board), lambda: board.wait(0)):
            with pytest.raises(BoardUnreachable):
                operation()
        (tmp_path / "stick").mkdir()
        board.post(b"one")
        assert given(board) == [b"one"]


def test_a_board_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with connect(tmp_path) as board:
        monkeypatch.setattr(Path, "open", refuse)  # who runs this may be root
        with pytest.raises(BoardProblem, match="Permission denied"):
            board.post(b"one")


def test_what_is_not_given_back_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as where one may write and not read, or somebody changes it as fast as it is written."""
    with connect(tmp_path) as board:
        monkeypatch.setattr(board, "_read", lambda name: None)
        with pytest.raises(BoardProblem, match="does not hold what was just written"):
            board.post(b"one")


def test_too_many_files_are_said_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frost_hsm.boards.shelf.MAX_MESSAGES", 10)
    for number in range(11):
        (tmp_path / f"{number}").touch()
    with connect(tmp_path) as board, pytest.raises(BoardProblem, match="more than 10 files"):
        given(board)


def test_a_large_file_that_grew_after_it_was_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"{name_of(b'one')}.pem"
    path.write_bytes(b"one")
    with connect(tmp_path) as board:
        listed = list(board._list())  # type: ignore[attr-defined]
        monkeypatch.setattr(board, "_list", lambda: iter(listed))
        os.truncate(path, MAX_SIZE + 1)
        assert given(board) == []


_POSTER = """
import sys
from pathlib import Path
from frost_hsm import boards
me = sys.argv[2]
with boards.connect(sys.argv[1], Path(sys.argv[3])) as board:
    for number in range(20):
        board.post(f"{me} {number}".encode())
        board.post(f"everybody {number}".encode() * 1000)
    seen, cursor = set(), ""
    while len(seen) < 80:
        board.wait(10)
        for cursor, data in board.messages(cursor):
            assert data not in seen
            seen.add(data)
"""


def test_processes_that_post_and_wait_at_once(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    running = [
        subprocess.Popen([sys.executable, "-c", _POSTER, f"dir:{tmp_path / 'board'}", who, str(tmp_path / who)])
        for who in ("alice", "bob", "carol")
    ]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    assert len(list((tmp_path / "board").iterdir())) == 80


def test_a_process_that_is_killed_leaves_nothing_that_stays(tmp_path: Path) -> None:
    data = os.urandom(4 << 20)
    (tmp_path / "data").write_bytes(data)
    folder = tmp_path / "board"
    folder.mkdir()
    code = f"""
import os
from pathlib import Path
from frost_hsm import boards
board = boards.connect("dir:{folder}", Path("/nonexistent"))
os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
board.post(Path("{tmp_path / "data"}").read_bytes())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert [path.name[0] for path in folder.iterdir()] == ["."]
    with connect(folder) as board:
        assert given(board) == []
        board.post(data)
    assert [path.name for path in folder.iterdir()] == [f"{name_of(data)}.pem"]


def test_posting_lists_the_directory_once_however_much_is_posted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "board").mkdir()
    listed = []
    for name in ("listdir", "scandir"):
        bare = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, bare=bare: listed.append(path) or bare(path))
    with connect(tmp_path / "board") as board:
        for number in range(20):
            board.post(b"%d" % number)
        assert len(listed) == 1
        assert len(given(board)) == 20
