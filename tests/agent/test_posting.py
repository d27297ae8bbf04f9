"""What a program wants, on a board that is away just when the group is asked: it is asked all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from stage import attending, joining, parties
from stage.parties import Party

from frost_hsm.agent.judge import Judge
from frost_hsm.agent.log import Log
from frost_hsm.agent.ssh_protocol import Sign
from frost_hsm.boards import NOTHING
from frost_hsm.boards.directory import DirectoryBoard
from frost_hsm.ceremony.messages.using import Response
from frost_hsm.cli.commands.agent import read_policy
from frost_hsm.cli.sittings.attending import Attending
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import BoardProblem, BoardUnreachable, CeremonyStopped
from frost_hsm.targets.ssh import wire


@dataclass
class Scene:
    """Alice, whose agent is at work in this process, and Bob. away: the error that posting ends in, at first."""

    people: list[Party]
    uri: str
    agent: Attending
    again: Callable[[], AbstractContextManager[Attending]]
    away: BoardProblem | None = None
    arrives: bool = False
    posted: int = 0

    def ask(self) -> Future[bytes]:
        key = self.people[0].key().public_key_package.verifying_key
        return self.agent.keys.sign(Sign(wire.public_key(key), b"data", is_raw=True), 0)

    def go_on(self) -> None:
        with suppress(BoardUnreachable):
            self.agent._is_all_done(is_once=False, is_staying=True)


@contextmanager
def replaced(before: ExitStack, after: AbstractContextManager[Attending]) -> Iterator[Attending]:
    before.close()
    with after as agent:
        yield agent


@pytest.fixture(params=[["alice", "bob"], None], ids=["by name", "who is there"])
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Scene]:
    people = alice, *_ = parties.gather(tmp_path / "people")
    parties.generate(people, suite="ed25519")
    uri, post = joining.board(tmp_path / "board"), DirectoryBoard.post
    place = Workplace(alice.home.path, pin_source=f"file:{alice.directory / 'pin'}")
    rules = read_policy(str(attending.write_policy(alice, all='target = "*"')))
    options = {"asked": None, "signers": request.param, "ahead": 0, "files": None, "clone": None}

    @contextmanager
    def attend() -> Iterator[Attending]:
        with Log(tmp_path / "log", alice.public) as log:
            with Attending(place, uri, log, Judge(log, rules), **options) as agent:
                yield agent

    with ExitStack() as stack:
        made = Scene(people, uri, stack.enter_context(attend()), lambda: replaced(stack.pop_all(), attend()))

        def put(board: DirectoryBoard, data: bytes, beside: Mapping[str, bytes] = NOTHING) -> None:
            made.posted += 1
            if made.arrives or made.away is None:
                post(board, data, beside)
            if made.away is not None:
                raise made.away

        made.go_on()
        monkeypatch.setattr(DirectoryBoard, "post", put)
        monkeypatch.setattr(DirectoryBoard, "wait", lambda *_: True)  # nobody waits here
        yield made


@pytest.mark.parametrize("arrives", [True, False], ids=["it arrives", "it is lost"])
def test_a_board_that_is_away_when_the_group_is_asked(scene: Scene, arrives: bool) -> None:
    signature = scene.ask()
    scene.away, scene.arrives = BoardUnreachable("it is away"), arrives
    for _ in range(2):
        scene.go_on()
    assert (scene.posted > 1, signature.done()) == (True, False)
    scene.away = None
    for _ in range(10):
        scene.go_on()
        joining.look(scene.people[1], scene.uri)
        if signature.done():
            break
    assert len(signature.result(0)) == 64


def test_a_board_that_takes_no_such_message(scene: Scene) -> None:
    """The program is told, and nobody is asked, then or later."""
    signature = scene.ask()
    scene.away = BoardProblem("it takes no more")
    scene.go_on()
    with pytest.raises(BoardProblem, match="it takes no more"):
        signature.result(0)
    scene.away = None
    scene.go_on()
    assert "nothing is open" in scene.people[1].run("status", "--board", scene.uri).stdout
    assert "nothing is open" in scene.people[0].run("status").stdout


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_programs_wanted_of_an_agent_that_ended_is_taken_back(scene: Scene, is_killed: bool) -> None:
    """They have gone: the others are asked no more, and a new agent does not go on with it."""
    alice, bob, carol = scene.people
    signature = scene.ask()
    scene.go_on()
    assert "signature" in bob.run("status", "--board", scene.uri).stdout
    if not is_killed:
        scene.agent.take_back()
        assert isinstance(signature.exception(0), CeremonyStopped)
        assert "nothing is open" in bob.run("status", "--board", scene.uri).stdout
    with scene.again() as scene.agent:
        scene.go_on()
        for party in (bob, carol):
            assert "nothing is open" in party.run("status", "--board", scene.uri).stdout
    assert joining.on(scene.uri, alice.directory / "reader", Response) == []
