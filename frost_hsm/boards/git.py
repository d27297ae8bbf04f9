"""``git:REPOSITORY#BRANCH``: a branch of any repository that git reaches, one file a message, in its topmost directory.

The program git carries, in a bare clone of our own without a working tree: nothing is checked out, so no filter, no
submodule, no large-file program and no attribute of the repository is ever looked at. Only the newest commit is
fetched; what it holds counts, however it came about. Posting puts one file on top of it and pushes; whoever was
slower fetches and tries again, so that neither conflicts nor a history that was rewritten stop anybody.

A repository is as little trusted as its contents. Hooks do not run, neither ours nor those of a repository that is a
directory here, which git runs as the person who pushes. URLs that name a program to run, or an option, are refused.
git asks for nothing: what it needs to log in is kept by an agent, or by git's credential helpers.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from frost_hsm import file_lock
from frost_hsm.boards import scheme
from frost_hsm.boards.shelf import Lying, Shelf
from frost_hsm.errors import BoardProblem, BoardUnreachable, UsageProblem
from frost_hsm.home_directory import expand

_TRIES: Final = 20  # of posting, while others post too
_PATIENCE: Final = 120.0  # seconds for one run of git
_LARGEST_FILE: Final = 2 << 20  # blocks of 512 bytes that git may write into one file: 1 GiB

_TIP: Final = "refs/board/tip"

_CONFIGURATION: Final = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.alternateRefsCommand": "true",
    "receive.denyCurrentBranch": "refuse",
    "receive.autogc": "false",
}
"""What might run a program of the repository's choice, in a repository that is a directory here too."""

_OWN_CONFIGURATION: Final = {
    **_CONFIGURATION,
    "protocol.allow": "never",
    **{f"protocol.{each}.allow": "always" for each in ("file", "git", "http", "https", "ssh")},
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "push.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "user.name": "frost-hsm",
    "user.email": "frost-hsm@localhost",
}

_ENVIRONMENT_KEPT: Final = re.compile(r"GIT_SSH.*|GIT_ASKPASS|GIT_PROXY.*|GIT_SSL.*|GIT_HTTP.*|(?!GIT_).*")

_BRANCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")


class GitBoard(Shelf):
    """The branch that ``git:REPOSITORY#BRANCH`` names; it is made by the first message."""

    def __init__(self, uri: str, cache: Path, reader: str = "") -> None:
        """Make the clone, empty; nothing is asked of the repository yet. Raises `UsageProblem`, `BoardProblem`."""
        super().__init__(reader)
        self.repository, self._branch = _parse(uri)
        self._is_local = self.repository.startswith(("/", "file://"))
        self._clone = cache
        self._blobs: dict[str, str] = {}  # the file's name → its object
        self._tip: str | None = None  # as it was fetched last
        self._listed: str | None = None  # as it was read last
        self._cat: subprocess.Popen[bytes] | None = None
        try:
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BoardProblem(f"cannot use {cache}: {error.strerror}") from error
        with self._alone():
            self._git("init", "--quiet", "--bare", "--template=", str(cache))

    def wait(self, timeout: float) -> bool:
        """Ask the repository again and again where its branch is."""
        self._require_open()
        deadline = time.monotonic() + timeout
        pause, longest = (0.2, 1.0) if self._is_local else (2.0, 15.0)
        while True:
            if self._has_unread() or self._remote_tip() != self._listed:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, longest)

    # ── What lies there ──

    def _list(self) -> Iterator[tuple[str, Lying | None]]:
        with self._alone():
            self._fetch()
            self._listed = self._tip
            listed = self._git("ls-tree", "-z", "-l", self._tip).split(b"\0")[:-1] if self._tip is not None else []
        self._blobs = {}
        for line in listed:
            described, _, name_bytes = line.partition(b"\t")
            mode, kind, blob, size = described.decode().split()
            name = os.fsdecode(name_bytes)
            if self._is_for_others(name):
                continue
            if kind == "blob" and mode.startswith("100"):
                self._blobs[name] = blob
                yield name, Lying(int(size), blob)
            else:
                yield name, None

    def _read(self, name: str) -> bytes | None:
        blob = self._blobs.get(name)
        if blob is None:
            return None
        if self._cat is None:
            line, environment = self._line("cat-file", "--batch")
            pipe = subprocess.PIPE
            self._cat = subprocess.Popen(  # noqa: S603 - as in `_run`
                line, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        given, answers = self._cat.stdin, self._cat.stdout
        if given is None or answers is None:
            return None
        try:
            given.write(f"{blob}\n".encode())
            given.flush()
            _, kind, size = answers.readline().decode().split()
            data = answers.read(int(size) + 1)[:-1]
        except (OSError, ValueError):  # it was killed, or the clone emptied
            self._stop_cat()
            raise BoardProblem(f"git cat-file does not answer in {self._clone}", hint="run the command again") from None
        return data if kind == "blob" else None

    def close(self) -> None:
        """Let go."""
        super().close()
        self._stop_cat()

    def _stop_cat(self) -> None:
        if self._cat is not None:
            self._cat.kill()
            self._cat.communicate()
            self._cat = None

    def _put(self, files: Mapping[str, bytes]) -> None:
        with self._alone():
            entries = {name.encode(): self._entry(name, data) for name, data in files.items()}
            what = f"Post {list(files)[-1][:16]}"
            for attempt in range(_TRIES):
                self._fetch()
                there = self._git("ls-tree", "-z", self._tip).split(b"\0")[:-1] if self._tip is not None else []
                if set(there).issuperset(entries.values()):
                    return
                others = [line for line in there if line.partition(b"\t")[2] not in entries]
                listed = b"".join(each + b"\0" for each in (*others, *entries.values()))
                tree = self._git("mktree", "-z", "--missing", given=listed)
                parents = ["-p", self._tip] if self._tip is not None else []
                commit = self._git("commit-tree", tree.decode().strip(), *parents, "-m", what)
                if self._push(commit.decode().strip()):
                    return
                time.sleep(random.uniform(0, 0.05 * (attempt + 1)))  # noqa: S311 - so that two do not meet again
        raise BoardUnreachable(
            f"others were faster {_TRIES} times at {self.repository}", hint="run the same command again"
        )

    def _entry(self, name: str, data: bytes) -> bytes:
        """Keep a file's contents in the clone; returns its line in a tree."""
        blob = self._git("hash-object", "-w", "--stdin", given=data).strip()
        return b"100644 blob %b\t%b" % (blob, name.encode())

    # ── Talking to the repository ──

    def _remote_tip(self) -> str | None:
        listed = self._git("ls-remote", *self._program("upload-pack"), "--", self.repository, self._ref).decode()
        found = [line.partition("\t") for line in listed.splitlines()]
        return next((commit for commit, _, ref in found if ref == self._ref), None)

    def _fetch(self) -> None:
        """Bring the newest commit of the branch, and nothing before it."""
        tip = self._remote_tip()
        if tip is not None and tip != self._tip:
            options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--force", "--no-auto-gc"]
            where = [*self._program("upload-pack"), "--", self.repository, f"+{self._ref}:{_TIP}"]
            self._git("fetch", *options, *where)
            tip = self._git("rev-parse", "--verify", f"{_TIP}^{{commit}}").decode().strip()
        self._tip = tip

    def _push(self, commit: str) -> bool:
        """Put a commit at the branch's end; False if somebody else was faster."""
        lease = f"--force-with-lease={self._ref}:{self._tip or ''}"
        where = [*self._program("receive-pack"), "--", self.repository, f"{commit}:{self._ref}"]
        ran = self._run("push", "--quiet", "--no-verify", lease, *where)
        if ran.returncode == 0:
            self._tip = commit
            return True
        if self._remote_tip() != self._tip:
            return False
        if b"cannot lock ref" in ran.stderr or b"failed to update ref" in ran.stderr:
            return False  # somebody is just about to be
        raise self._problem("push", ran)

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self._branch}"

    def _program(self, name: str) -> list[str]:
        """Have git at the other end, where that is this machine, run as configured by us, not by the repository."""
        if not self._is_local:
            return []
        settings = " ".join(f"-c {key}={value}" for key, value in _CONFIGURATION.items())
        return [f"--{name}=git {settings} {name}"]

    def _git(self, command: str, *arguments: str, given: bytes = b"") -> bytes:
        ran = self._run(command, *arguments, given=given)
        if ran.returncode != 0:
            raise self._problem(command, ran)
        return ran.stdout

    def _run(self, command: str, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        line, environment = self._line(command, *arguments)
        try:
            return subprocess.run(  # noqa: S603 - the arguments are ours, and git is found as every program is
                ["/bin/sh", "-c", f'ulimit -f {_LARGEST_FILE}; exec "$@"', "sh", *line],
                input=given,
                capture_output=True,
                check=False,
                env=environment,
                cwd=self._clone,
                timeout=_PATIENCE,
                start_new_session=True,  # no terminal to ask on, and a Ctrl-C is ours to handle
            )
        except subprocess.TimeoutExpired:
            raise BoardUnreachable(f"{self.repository} did not answer in {_PATIENCE:.0f} s") from None
        except OSError as error:
            raise BoardProblem(f"cannot run git: {error.strerror}", hint="install git") from error

    def _line(self, command: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Return a command line of git's, and the environment for it, without what would lead git elsewhere."""
        settings = [word for key, value in _OWN_CONFIGURATION.items() for word in ("-c", f"{key}={value}")]
        environment = {key: value for key, value in os.environ.items() if _ENVIRONMENT_KEPT.fullmatch(key)}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        return ["git", f"--git-dir={self._clone}", *settings, command, *arguments], environment

    def _problem(self, command: str, ran: subprocess.CompletedProcess[bytes]) -> BoardProblem:
        said = [line for line in ran.stderr.decode(errors="replace").splitlines() if line.strip()]
        why = next(
            (line for line in said if line.startswith(("fatal:", "error:", "remote:"))), said[-1] if said else ""
        )
        if ran.returncode == 127:
            return BoardProblem("the program git is not installed", hint="install git")
        kind = BoardUnreachable if command in ("ls-remote", "fetch", "push") else BoardProblem
        return kind(f"git {command} at {self.repository}: {why}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes of this person out of the clone."""
        try:
            lock = file_lock.acquire(self._clone / "frost-hsm.lock", time.monotonic() + _PATIENCE)
        except OSError as error:
            raise BoardProblem(f"cannot lock {self._clone}: {error.strerror}") from error
        try:
            yield
        finally:
            os.close(lock)


def _parse(uri: str) -> tuple[str, str]:
    """Take a URI apart. Raises `UsageProblem` for what git would take for a program or an option."""
    repository, _, branch = uri.removeprefix(f"{scheme(uri)}:").rpartition("#")
    if not repository or not _BRANCH.fullmatch(branch) or ".." in branch or branch.endswith(("/", ".", ".lock")):
        raise UsageProblem(
            f'"{uri}" does not name a repository and a branch',
            hint="it looks like git:https://example.org/board.git#main, or git:/srv/board.git#main",
        )
    if repository.startswith("-") or re.match(r"[A-Za-z0-9+.-]*::", repository):
        raise UsageProblem(
            f"{repository} names no repository but a program or an option", hint="use https, ssh or a path"
        )
    if re.match(r"[a-z+]+://[^/@]*:[^/@]*@", repository):
        raise UsageProblem(
            "a password in a URL is seen by every user of the machine and kept by the shell",
            hint="leave it to git's credential helper",
        )
    here = expand(repository)
    return (str(here.absolute()) if "://" not in repository and here.exists() else repository), branch
