"""A life of a key over a board, while people are killed: python tests/stage/board_life.py [BOARD] [KILLS] [SEED]

BOARD is ``dir`` (a directory), ``git`` (a repository), ``nats`` (a server is started) or the URI of an empty board.
Four people join and stay, each in a process of their own: all but the last make a key, sign, refresh it, sign, take the
last one in, and sign. Now and then one of them gets SIGKILL and begins again. In the end all have the same key in the
same epoch, and every signature is there and verified.

A kill may cost somebody the nonces of an answer, and who signs then does not sign that request: others do, or it is
asked for again.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from stage import joining, nats_server, parties
from stage.parties import KEY, Party

from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.errors import FrostHsmError

PATIENCE = 120.0  # seconds for one step of a life
KINDS = ("dir", "git", "nats")


@contextmanager
def board(kind: str, directory: Path) -> Iterator[str]:
    """Make an empty board of a kind; gives its URI."""
    if kind == "nats":
        with nats_server.running(directory / "nats") as server:
            yield f"nats://{server.host}/LIFE"
    elif kind == "git":
        subprocess.run(["git", "init", "--quiet", "--bare", directory / "board.git"], check=True)
        yield f"git:file://{directory / 'board.git'}#board"
    elif kind == "dir":
        yield joining.board(directory / "board")
    else:
        yield kind


class Life:
    """The people and their processes. shown: the board as they are shown it. kills, signatures: how many there were."""

    def __init__(
        self, people: Sequence[Party], uri: str, seed: int, shown: str, environment: Mapping[str, str] | None
    ) -> None:
        self.people = list(people)
        self.kills = self.signatures = 0
        self._uri = uri
        self._shown = shown
        self._environment = environment
        self._random = random.Random(seed)
        self._running = {party.name: self._start(party) for party in people}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def _start(self, party: Party) -> subprocess.Popen[bytes]:
        return joining.start(party, self._shown, "--stay", environment=self._environment)

    def until(self, is_done: Callable[[], bool], kills: int = 0) -> None:
        """Kill so many, at random instants, and wait until something is done."""
        deadline = time.monotonic() + PATIENCE
        while kills or not _holds(is_done):
            logs = [f"{party.name}:\n{joining.said(party)}" for party in self.people]
            assert time.monotonic() < deadline, "\n".join(logs)
            time.sleep(self._random.uniform(0.05, 0.6))
            if kills:
                victim = self._random.choice(self.people)
                self._running[victim.name].kill()
                self._running[victim.name].wait()
                self._running[victim.name] = self._start(victim)
                self.kills += 1
                kills -= 1

    def run(self, party: Party, *arguments: str) -> None:
        ran = party.run(*arguments)
        assert ran.status == 0, ran.stderr

    def sign(self, party: Party, name: str, among: Sequence[Party], files: int, kills: int = 0) -> None:
        """Have whoever is there sign so many files; ask again where it came to nothing."""
        for attempt in range(5):
            names = [f"{name}.{attempt}.{number}" for number in range(files)]
            for each in names:
                (party.directory / each).write_text(each)
            last, said = party.directory / f"{names[-1]}.sig", len(joining.said(party))
            signers = ",".join(each.name for each in among)
            self.run(party, "sign", "request", KEY, *names, "--any-of", signers, "--board", self._uri)

            def has_ended(last: Path = last, said: int = said) -> bool:
                log = joining.said(party)[said:]
                return last.exists() or "comes to nothing" in log or "ask for a new request" in log

            self.until(has_ended, kills)
            kills = 0
            if last.exists():
                for each in names:
                    self.run(party, "verify", "--key", KEY, each, f"{each}.sig")
                self.signatures += files
                return
        raise AssertionError(f"{name} was asked for five times")


def _holds(is_done: Callable[[], bool]) -> bool:
    with suppress(FrostHsmError):  # it is being written, or not there yet
        return is_done()
    return False


def live(
    people: Sequence[Party],
    uri: str,
    seed: int,
    kills: int,
    *,
    is_whole: bool = True,
    files: int = 1,
    shown: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Life:
    """Live it; kills: in each of its steps. is_whole: else it ends with the first signature. files: signed each time.

    shown: what stands in front of the board, for all who join, in this environment.
    """
    *first, last = people
    alice, bob, *others = first
    with Life(people if is_whole else first, uri, seed, shown or uri, environment) as life:
        names = ",".join(party.name for party in (bob, *others))
        life.run(alice, "dkg", "propose", KEY, "-t", "2", "--with", names, "--board", uri)
        life.until(lambda: all(party.key().status is KeyStatus.ACTIVE for party in first), kills)
        assert len({party.key().verifying_key for party in first}) == 1
        life.sign(alice, "first", first, files, kills)
        if not is_whole:
            return life
        life.run(bob, "refresh", "propose", KEY, "--board", uri)
        life.until(lambda: all(party.key().epoch == 1 for party in first), kills)
        life.sign(bob, "refreshed", first, files, kills)
        bundle = last.directory / "bundle"
        life.run(alice, "keys", "export", KEY, "--format", "bundle", "-o", str(bundle))
        life.run(last, "keys", "import", str(bundle))
        life.run(last, "repair", "request", KEY, "--helpers", f"{alice.name},{bob.name}", "--new", "--board", uri)
        life.until(lambda: all(len(party.key().roster) == len(people) for party in people), kills)
        life.sign(last, "of all", people, files, kills)
        assert len({(party.key().verifying_key, party.key().state.digest) for party in people}) == 1
        return life


def main(kind: str = "dir", kills: str = "20", seed: str = "") -> None:
    """Live one, and say how it went."""
    number = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
    print(f"{kind}, {kills} kills in each of 6 steps, seed {number}")
    with tempfile.TemporaryDirectory() as directory, board(kind, Path(directory)) as uri:
        begun = time.monotonic()
        people = parties.gather(Path(directory) / "people", ("alice", "bob", "carol", "dave"))
        life = live(people, uri, number, int(kills))
        print(f"one key, {life.signatures} signatures, {life.kills} kills, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
