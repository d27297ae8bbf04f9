"""``frost-hsm board check``, what ``config.toml`` says of boards, and what a reader does with a board."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from frost_hsm import boards
from frost_hsm.boards import name_of
from frost_hsm.boards.reading import PROBE, Reading
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import Config
from frost_hsm.errors import BoardProblem, ConfigProblem, UsageProblem

Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def check(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "from frost_hsm.cli import main; main()"
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        line = [sys.executable, "-c", code, "board", "check", *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)

    return check


def test_a_board_that_works(check: Check, tmp_path: Path) -> None:
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "a\nb").touch()
    for number in ("0 messages", "1 message"):
        done = check(f"dir:{folder}")
        assert done.returncode == 0
        said = done.stdout.splitlines()
        assert said[0] == f"ok    dir:{folder} is there"
        assert said[1].startswith(f"ok    {number} of ")
        assert said[2] == "ok    passed over: a\\nb: not named for its contents"
        assert said[-1] == "the board works"
    assert len(list(folder.iterdir())) == 3
    assert json.loads(check(f"dir:{folder}", "--json").stdout)["ok"] is True


def test_a_repository_that_is_not_there(check: Check, tmp_path: Path) -> None:
    done = check(f"git:file://{tmp_path}/none.git#main")
    assert done.returncode == 75
    said = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert said.startswith(f"error: git ls-remote at file://{tmp_path}/none.git: fatal: ")


@pytest.mark.parametrize(
    ("uri", "status"), [("dir:/nonexistent", 75), ("carrier:pigeon", 69), ("board", 2), ("git:x", 2), ("nats://x", 2)]
)
def test_boards_that_do_not_work(check: Check, uri: str, status: int) -> None:
    done = check(uri)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("error: ")


# ── The configuration ──


@pytest.fixture
def home(tmp_path: Path) -> StateDirectory:
    return StateDirectory.create(tmp_path / "state")


def test_boards_of_keys(home: StateDirectory) -> None:
    written = Config("alice", "software:a", boards={"release": "dir:/media/stick", "*": "nats://a.example/FROST"})
    written.save(home)
    read = Config.load(home)
    assert read == written
    assert read.board_of("release") == "dir:/media/stick"
    assert read.board_of("other") == "nats://a.example/FROST"
    assert Config("alice", "software:a").board_of("release") is None


@pytest.mark.parametrize("table", ['boards = "dir:x"', "[boards]\nrelease = 1", '[boards]\n"Re lease" = "dir:x"'])
def test_tables_of_boards_that_are_none(home: StateDirectory, table: str) -> None:
    home.put("config.toml", f'schema = "frost-hsm/config/1"\nme = "alice"\ntoken = "software:a"\n{table}\n'.encode())
    with pytest.raises(ConfigProblem):
        Config.load(home)


# ── Reading ──


def test_each_message_comes_once_and_no_sender_fills_a_reader(tmp_path: Path) -> None:
    def look(data: bytes) -> tuple[str, bytes] | None:
        sender = {b"a": "alice", b"b": "bob"}.get(data[:1])
        return (sender, data) if sender is not None else None

    with boards.connect(f"dir:{tmp_path}", tmp_path) as board:
        reading = Reading(board, look, max_messages=3, max_bytes=100)
        board.post(b"x: a stranger's")
        board.post(PROBE + b"1")
        for number in range(5):
            board.post(b"a%d" % number)
        board.post(b"b" * 60)
        given = list(reading.new())
        assert [sender for sender, _ in given].count("alice") == 3
        assert ("bob", b"b" * 60) in given
        assert len(reading.passed_over) == 3
        assert (
            f"{name_of(b'x: a stranger' + bytes([39]) + b's')}: from nobody known here, or for somebody else"
            in reading.passed_over
        )
        assert list(reading.new()) == []
        board.post(b"b" * 41)
        board.post(b"b" * 40)
        assert list(reading.new()) == [("bob", b"b" * 40)]


# ── Plug-ins ──


def test_what_is_installed_is_listed_and_nothing_is_loaded() -> None:
    code = (
        "import sys; from frost_hsm import boards; print(*sorted(boards.installed())); "
        "print([name for name in sys.modules if 'nats' in name or name == 'frost_hsm.boards.git'])"
    )
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert listed.splitlines() == ["dir git nats tls", "[]"]


def test_a_plug_in_may_fail_in_any_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name, value, dist = "x", "x:Board", None

        def __init__(self, load: Callable[[], object]) -> None:
            self.load = load

    def fail(*_: object) -> object:
        raise RuntimeError("broken")

    for load in (fail, lambda: fail):
        monkeypatch.setattr("frost_hsm.plugins.entries", lambda group, load=load: [Entry(load)])
        with pytest.raises(BoardProblem, match="broken"):
            boards.connect("x:", tmp_path)


@pytest.mark.parametrize("uri", ["", "board", ":x", "a b:c", "/path", "dir:\x1b[2J"])
def test_what_has_no_scheme(uri: str) -> None:
    with pytest.raises(UsageProblem):
        boards.scheme(uri)
