"""One pair of nonces, three state directories, one token: whatever stops, fails, stalls or loses power, one answer.

Three copies of Alice's state directory are asked for three messages with the same pair. One of them is struck at an
instant: before a system call of its own or of a software token, or a call of the token. What the others do meanwhile,
and what all of them do afterwards, must leave no two answers, nor anything from which her share can be computed.
"""

from __future__ import annotations

import errno
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import TokenFixture
from stage import parties
from stage.disk import Disk, Stopped
from stage.p256 import scalar
from stage.solving import Answer, solve

from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import FrostHsmError, TokenLost
from frost_hsm.frost.packages import SigningPackage

HOMES = ("home", "copy", "other")
MESSAGES = (b"pay 5 to dave", b"pay 50 to dave", b"pay 5000 to mallory")
CALLS = ("record_names", "read_record", "write_record", "delete_record", "agree", "sign")


LAST, APART = 200, 7  # of the instants that are struck


class Instants:
    """Counts the instants of one attempt, and strikes at one of them. then: what happens there; may raise."""

    def __init__(
        self, at: int = 0, then: Callable[[str], None] = lambda call: None, *, calls: tuple[str, ...] = ("disk", *CALLS)
    ) -> None:
        self.count = 0
        self._calls = calls
        self._at = at
        self._then = then
        self._is_in = False

    def come(self, call: str) -> None:
        if self._is_in or call not in self._calls:  # of somebody who works while this one is stalled
            return
        self.count += 1
        if self._at and self.count >= self._at:
            self._is_in = True
            try:
                self._then(call)
            finally:
                self._is_in = False


def once(then: Callable[[], None]) -> Callable[[str], None]:
    waiting = [then]
    return lambda call: waiting.pop()() if waiting else None


def killed(call: str) -> None:
    raise Stopped


def failing(call: str) -> None:
    if call == "disk":
        raise OSError(errno.EIO, "Input/output error")
    raise TokenLost(f"the token is gone at {call}")


class Watched:
    """A token whose calls are instants. answers: whether what it answers to the last one arrives."""

    def __init__(self, token: Any, instants: Instants, *, is_answer_lost: bool = False) -> None:
        self._token = token
        self._instants = instants
        self._is_answer_lost = is_answer_lost

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._token, name)
        if name not in CALLS:
            return value

        def call(*arguments: Any) -> Any:
            if not self._is_answer_lost:
                self._instants.come(name)
                return value(*arguments)
            done = value(*arguments)
            self._instants.come(name)
            return done

        return call


class Scene:
    """Everything as it is before the first answer, as often as wanted, and the answers that came out since."""

    def __init__(self, directory: Path, new_token: Callable[[str, Path], str] | None, settings: Any) -> None:
        self._kept = directory / "kept"
        people = parties.gather(directory / "people", ["alice", "bob"], new_token=new_token, settings=settings)
        self.alice = people[0]
        self.key = parties.generate(people)
        commitments = {}
        for party in people:
            with party.holder() as holder:
                [commitments[self.key.identifier(party.name)]] = SealedSigner(
                    party.key(), holder, party.home
                ).preprocess(1)
        self.packages = [SigningPackage(self.key.suite, commitments, message) for message in MESSAGES]
        for name in HOMES[1:]:
            shutil.copytree(self.alice.directory / "home", self.alice.directory / name)
        shutil.copytree(self.alice.directory, self._kept)
        with self.alice.holder() as holder:
            self._records = {name: holder.token.read_record(name) for name in holder.token.record_names()}
        self.answers: list[Answer] = []

    def begin(self) -> None:
        """Put everything back; a token that is not a file, by its records."""
        self.answers = []
        shutil.rmtree(self.alice.directory)
        shutil.copytree(self._kept, self.alice.directory)
        with self.alice.open_token() as token:
            there = set(token.record_names())
            for name in there - self._records.keys():
                token.delete_record(name)
            for name in self._records.keys() - there:
                token.write_record(name, self._records[name])

    def attempt(
        self, number: int, instants: Instants | None = None, *, is_answer_lost: bool = False, take_over: bool = False
    ) -> None:
        """Have one of the directories answer its message, however it ends."""
        watched = instants or Instants()
        home = StateDirectory.open(self.alice.directory / HOMES[number])
        with suppress(FrostHsmError, Stopped), self.alice.holder() as holder:
            token: Any = Watched(holder.token, watched, is_answer_lost=is_answer_lost)
            seen = replace(holder, token=token)
            if take_over:
                Marks(seen, home).take_over()
            package = self.packages[number]
            SealedSigner(self.key, seen, home).sign(package, keep=lambda share: self.answers.append((package, share)))

    def require_one_life(self) -> None:
        """Everybody tries again; then there is one answer at most, and it tells nothing."""
        for number in (1, 0, 2):
            self.attempt(number)
        assert len({package.message for package, _ in self.answers}) <= 1
        assert solve(self.key, "alice", self.answers) is None


@pytest.fixture(scope="module")
def software(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("software"), None, parties.QUICK)


@pytest.fixture
def softhsm(tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings) -> Scene:
    def token(name: str, folder: Path) -> str:
        if name == "alice":
            return str(new_token("life").uri)
        return parties.software_token(folder / f"{name}.token")

    return Scene(tmp_path, token, backend_settings)


@contextmanager
def watching(scene: Scene, instants: Instants) -> Iterator[Disk]:
    with Disk(scene.alice.directory, before=lambda: instants.come("disk")) as disk:
        yield disk


def strike(
    scene: Scene,
    at: int,
    then: Callable[[str], None],
    *,
    is_answer_lost: bool = False,
    calls: tuple[str, ...] = ("disk", *CALLS),
) -> bool:
    """Strike the first directory at an instant; returns whether there was one."""
    scene.begin()
    instants = Instants(at, then, calls=calls)
    with watching(scene, instants):
        scene.attempt(0, instants, is_answer_lost=is_answer_lost)
    return instants.count >= at


def test_the_solver_finds_the_share_in_three_answers_with_one_pair(software: Scene) -> None:
    """So it would find it below, too."""
    software.begin()
    [(name, nonces)] = [each for each in software._records.items() if each[0].startswith("signing-nonces")]
    for number in range(3):
        assert solve(software.key, "alice", software.answers) is None
        software.attempt(number)
        with software.alice.open_token() as token:
            token.write_record(name, nonces)  # to another directory, which knows of nothing
    share = solve(software.key, "alice", software.answers)
    assert share is not None
    identifier = software.key.identifier("alice")
    group = software.key.suite.group
    encoded = group.encode(group.multiply_base(scalar(group, share)))
    assert encoded == software.key.public_key_package.verifying_shares[identifier].serialize()


@pytest.mark.parametrize("end", ["killed", "power cut", "power cut, names kept"])
def test_killed_at_any_instant(software: Scene, end: str) -> None:
    answered = []
    for at in range(1, LAST, APART):
        software.begin()
        instants = Instants(at, killed)
        with watching(software, instants) as disk:
            software.attempt(0, instants)
            disk.leave()
            if end != "killed":
                disk.cut_power(is_listed="names" in end)
        if instants.count < at:
            break
        software.require_one_life()
        answered.append(bool(software.answers))
    assert set(answered) == {False, True}, "before the decision it can be made again, after it the pair is lost"


@pytest.mark.parametrize("is_answer_lost", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("ever", [False, True], ids=["once", "from then on"])
def test_failing_at_any_instant(software: Scene, ever: bool, is_answer_lost: bool) -> None:
    answered = 0
    for at in range(1, LAST, 2 * APART):
        waiting = ["once"]

        def then(call: str, waiting: list[str] = waiting) -> None:
            if ever or (waiting and waiting.pop()):
                failing(call)

        if not strike(software, at, then, is_answer_lost=is_answer_lost):
            break
        software.require_one_life()
        answered += bool(software.answers)
    assert answered


def test_stalled_at_any_call(software: Scene) -> None:
    """While the first is stalled the second answers, itself stalled while the third does; all of them wake up again.

    At calls of the token: between its own system calls it holds a lock, and nobody else gets on.
    """
    randomly, answered = random.Random(2), 0
    for at in range(1, LAST):

        def third() -> None:
            software.attempt(2, take_over=randomly.random() < 0.5)

        inner = Instants(randomly.randrange(1, 12), once(third), calls=CALLS)
        second = once(lambda inner=inner: software.attempt(1, inner))  # type: ignore[misc]
        if not strike(software, at, second, calls=CALLS):
            break
        answered += bool(software.answers)
        software.require_one_life()
    assert answered, "somebody comes to an end"


@pytest.mark.slow
@pytest.mark.parametrize("then", [killed, failing, "stalled"], ids=["killed", "failing", "stalled"])
def test_with_softhsm(softhsm: Scene, then: Any) -> None:
    answered = 0
    for at in range(1, LAST, 2 * APART):
        what = once(lambda: softhsm.attempt(1)) if then == "stalled" else then
        if not strike(softhsm, at, what, is_answer_lost=bool(at % 4 == 1)):
            break
        softhsm.require_one_life()
        answered += bool(softhsm.answers)
    assert answered
