"""``git:`` boards: the kit over file://, two writers at once, history that is rewritten, hostile repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from frost_hsm import boards
from frost_hsm.boards import name_of
from frost_hsm.errors import BoardProblem, BoardUnreachable, UsageProblem
from frost_hsm.testing import BoardConformance


def git(*arguments: str, cwd: Path) -> str:
    identity = ("-c", "user.name=mallory", "-c", "user.email=mallory@localhost", "-c", "protocol.file.allow=always")
    ran = subprocess.run(["git", *identity, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return ran.stdout


def make_repository(path: Path) -> Path:
    path.mkdir()
    git("init", "--quiet", "--bare", cwd=path)
    return path


def open_as(person: str, repository: Path) -> boards.Board:
    return boards.connect(f"git:file://{repository}#board", repository.parent / "caches" / person)


def given(board: boards.Board) -> list[bytes]:
    return sorted(data for _, data in board.messages())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Callable[[], Path]:
    """A working tree of the board's branch, of somebody who uses git by hand."""

    def checkout() -> Path:
        place = tmp_path / "checkout"
        git("clone", "--quiet", "--branch", "board", str(repository), str(place), cwd=tmp_path)
        return place

    return checkout


class TestGitBoard(BoardConformance):
    @pytest.fixture
    def uri(self, repository: Path) -> str:
        return f"git:file://{repository}#board"

    @pytest.fixture
    def litter(self, checkout: Callable[[], Path], tmp_path: Path) -> Callable[[], int]:
        def litter() -> int:
            place = checkout()
            other = make_repository(tmp_path / "other.git")
            (place / f"{name_of(b'other')}.pem").write_bytes(b"something else")
            (place / f"{name_of(b'link')}.pem").symlink_to("/etc/passwd")
            (place / f"{name_of(b'folder')}.pem").mkdir()
            (place / f"{name_of(b'folder')}.pem" / "file").write_bytes(b"x")
            (place / "README").write_bytes(b"x")
            (place / "a\nNext: rm -rf ~").write_bytes(b"x")
            (place / ".gitattributes").write_bytes(b"* filter=lfs text eol=crlf ident\n")
            (place / ".gitmodules").write_text(f'[submodule "{name_of(b"m")}.pem"]\npath = m\nurl = {other}\n')
            git("add", "--all", cwd=place)
            gitlink = f"160000,{'1' * 40},{name_of(b'module')}.pem"
            git("update-index", "--add", "--cacheinfo", gitlink, cwd=place)
            git("commit", "--quiet", "-m", "litter", cwd=place)
            git("push", "--quiet", cwd=place)
            return 6

        return litter


def test_the_branch_is_made_by_the_first_message_and_others_are_let_be(repository: Path) -> None:
    with open_as("alice", repository) as board:
        assert given(board) == []
        assert git("for-each-ref", cwd=repository) == ""
        board.post(b"one")
    assert git("for-each-ref", "--format=%(refname)", cwd=repository).split() == ["refs/heads/board"]
    assert git("ls-tree", "--name-only", "board", cwd=repository).split() == [f"{name_of(b'one')}.pem"]
    assert git("cat-file", "blob", f"board:{name_of(b'one')}.pem", cwd=repository) == "one"


def test_a_history_that_was_rewritten_stops_nobody(repository: Path, checkout: Callable[[], Path]) -> None:
    with open_as("alice", repository) as alice, open_as("bob", repository) as bob:
        alice.post(b"one")
        bob.post(b"two")
        assert given(alice) == [b"one", b"two"]
        place = checkout()
        git("checkout", "--quiet", "--orphan", "anew", cwd=place)
        git("rm", "--quiet", "--cached", f"{name_of(b'one')}.pem", cwd=place)
        git("commit", "--quiet", "-m", "rewritten", cwd=place)
        git("push", "--quiet", "--force", "origin", "anew:board", cwd=place)
        bob.post(b"three")
        assert given(alice) == [b"three", b"two"]
        alice.post(b"one")  # the board has lost it
        assert given(bob) == [b"one", b"three", b"two"]


def test_a_branch_that_is_gone(repository: Path) -> None:
    with open_as("alice", repository) as alice:
        alice.post(b"one")
        git("update-ref", "-d", "refs/heads/board", cwd=repository)
        assert given(alice) == []
        alice.post(b"one")
        assert given(alice) == [b"one"]


def test_only_the_newest_commit_is_fetched(repository: Path, tmp_path: Path) -> None:
    with open_as("alice", repository) as alice:
        for number in range(5):
            alice.post(b"%d" % number)
    with open_as("bob", repository) as bob:
        assert len(given(bob)) == 5
    [clone] = (tmp_path / "caches" / "bob").iterdir()
    assert git("rev-list", "--count", "refs/board/tip", cwd=clone).strip() == "1"


_WRITER = """
import sys
from pathlib import Path
from frost_hsm import boards
with boards.connect(sys.argv[1], Path(sys.argv[3])) as board:
    for number in range(4):
        board.post(f"{sys.argv[2]} {number}".encode())
    seen, cursor = set(), ""
    while len(seen) < 8:
        board.wait(10)
        for cursor, data in board.messages(cursor):
            assert data not in seen
            seen.add(data)
"""


def test_two_writers_at_once(repository: Path, tmp_path: Path) -> None:
    uri = f"git:file://{repository}#board"
    running = [
        subprocess.Popen([sys.executable, "-c", _WRITER, uri, who, str(tmp_path / who)]) for who in ("alice", "bob")
    ]
    assert [each.wait(120) for each in running] == [0, 0]
    assert len(git("ls-tree", "--name-only", "board", cwd=repository).split()) == 8
    assert git("rev-list", "--count", "board", cwd=repository).strip() == "8"


def test_two_processes_of_one_person_share_the_clone(repository: Path, tmp_path: Path) -> None:
    uri, cache = f"git:file://{repository}#board", str(tmp_path / "cache")
    running = [subprocess.Popen([sys.executable, "-c", _WRITER, uri, who, cache]) for who in ("one", "two")]
    assert [each.wait(120) for each in running] == [0, 0]


# ── What must not happen ──


def test_hooks_do_not_run(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a repository on this machine would run as whoever pushes; those of the clone, as whoever reads."""
    trace = tmp_path / "trace"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    names = [
        "pre-receive",
        "update",
        "post-receive",
        "post-update",
        "reference-transaction",
        "pre-push",
        "proc-receive",
    ]
    for folder in (hooks, repository / "hooks"):
        folder.mkdir(exist_ok=True)
        for name in names:
            hook = folder / name
            hook.write_text(f"#!/bin/sh\necho {name} >>{trace}\n")
            hook.chmod(0o755)
    command = f"echo command >>{trace}; false"
    for key in ("core.fsmonitor", "core.alternateRefsCommand", "uploadpack.packObjectsHook", "core.sshCommand"):
        git("config", key, command, cwd=repository)
    git("config", "core.hooksPath", str(hooks), cwd=repository)
    other = make_repository(tmp_path / "other.git")
    (repository / "objects" / "info").mkdir(exist_ok=True)
    (repository / "objects" / "info" / "alternates").write_text(f"{other}/objects\n")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    git("config", "--global", "core.hooksPath", str(hooks), cwd=home)
    git("config", "--global", "init.templateDir", str(tmp_path / "template"), cwd=home)
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "hooks").symlink_to(hooks)
    with open_as("alice", repository) as alice, open_as("bob", repository) as bob:
        alice.post(b"one")
        bob.post(b"two")
        assert given(alice) == [b"one", b"two"]
    assert not trace.exists(), trace.read_text()


@pytest.mark.parametrize(
    "repository_and_branch",
    [
        "ext::sh -c date#board",
        "fd::17#board",
        "::https://example.org#board",
        "--upload-pack=date#board",
        "-x#board",
        "#board",
        "/srv/board.git",
        "/srv/board.git#",
        "/srv/board.git#-x",
        "/srv/board.git#a..b",
        "/srv/board.git#a:b",
        "/srv/board.git#a b",
        "/srv/board.git#board.lock",
        "https://alice:secret@example.org/board.git#board",
    ],
)
def test_uris_that_git_would_take_otherwise(repository_and_branch: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        boards.connect(f"git:{repository_and_branch}", tmp_path)
    assert "secret" not in str(caught.value)


def test_a_transport_that_runs_a_program_is_refused_by_git_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the configuration rewrites a URL into one, or the environment allows it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:https")
    git("config", "--global", f"url.ext::touch {tmp_path}/ran .insteadOf", "https://example.invalid/", cwd=home)
    with boards.connect("git:https://example.invalid/x#board", tmp_path / "cache") as board:
        with pytest.raises(BoardUnreachable, match="transport 'ext' not allowed"):
            given(board)
    assert not (tmp_path / "ran").exists()


def test_the_environment_does_not_lead_git_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = make_repository(tmp_path / "elsewhere.git")
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(elsewhere))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.hooksPath=/tmp'")
    with open_as("alice", repository) as alice:
        alice.post(b"one")
        assert given(alice) == [b"one"]
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_CONFIG_PARAMETERS"):
        monkeypatch.delenv(name)
    assert git("count-objects", cwd=elsewhere).startswith("0 objects")


def test_a_repository_that_is_away(repository: Path, tmp_path: Path) -> None:
    with open_as("alice", repository) as alice:
        alice.post(b"one")
        repository.rename(tmp_path / "away")
        for operation in (lambda: alice.post(b"two"), lambda: given(alice), lambda: alice.wait(0)):
            with pytest.raises(BoardUnreachable, match="does not appear to be a git repository"):
                operation()
        (tmp_path / "away").rename(repository)
        alice.post(b"two")
        assert given(alice) == [b"one", b"two"]


def test_a_repository_that_takes_nothing_says_why(repository: Path) -> None:
    git("config", "receive.denyNonFastForwards", "true", cwd=repository)
    with open_as("alice", repository) as alice:
        alice.post(b"one")
        git("config", "receive.maxInputSize", "10", cwd=repository)
        with pytest.raises(BoardUnreachable, match="git push"):
            alice.post(os.urandom(1000))
        assert given(alice) == [b"one"]


def test_git_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BoardProblem, match="git") as caught:
        boards.connect("git:https://example.org/x#board", tmp_path / "cache")
    assert caught.value.hint == "install git"


def test_the_clone_may_be_emptied_at_any_time(repository: Path, tmp_path: Path) -> None:
    with open_as("alice", repository) as alice:
        alice.post(b"one")
    subprocess.run(["rm", "-rf", str(tmp_path / "caches")], check=True)
    with open_as("alice", repository) as alice:
        assert given(alice) == [b"one"]
