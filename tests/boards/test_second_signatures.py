"""A whole file of minisign by one request on a board: one question and one PIN each, whoever goes away meanwhile."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from stage import joining, staging
from stage.memory_group import run
from stage.parties import KEY, Party
from stage.staging import Stage

from frost_hsm import boards
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Attempt, Response, SecondResponse
from frost_hsm.ceremony.signing import attempts
from frost_hsm.errors import FrostHsmError


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("second"), "ed25519")


@pytest.fixture
def people(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Party]:
    monkeypatch.setattr(attempts, "PATIENCE", 0.0)
    return stage.people(tmp_path / "people")


@pytest.fixture
def board(tmp_path: Path) -> str:
    return joining.board(tmp_path / "board")


def ask(party: Party, board: str, *options: str) -> None:
    (party.directory / "app.tar").write_bytes(b"release 1.0\n")
    given = ("minisign=app.tar", "ssh=app.tar", "--with", "comment=2 of 3", *options)
    asked = party.run("sign", "request", KEY, *given, "--board", board, "--json")
    assert asked.status == 0, asked.stderr
    assert [item["target"] for item in json.loads(asked.stdout)["items"]] == ["minisign", "ssh"]


def is_signed(party: Party) -> bool:
    """Whether the files are there, and minisign takes its own, until a byte of it is another."""
    made = party.directory / "app.tar.minisig"
    if not made.exists():
        return False
    assert party.run("keys", "export", KEY, "--format", "minisign", "-o", "key.pub", "--force").status == 0
    words = ("minisign", "-V", "-p", "key.pub", "-m", "app.tar")
    done = run(*words, cwd=party.directory)
    assert done.returncode == 0, done.stderr
    assert b"Trusted comment: 2 of 3" in done.stdout
    whole = made.read_bytes()
    made.write_bytes(whole.replace(b"2 of 3", b"3 of 3"))
    assert run(*words, cwd=party.directory).returncode != 0
    made.write_bytes(whole)
    return (party.directory / "app.tar.sig").exists()


def nonces(party: Party) -> int:
    return sum("nonces" in name for name in party.records())


def test_one_question_and_one_pin_each(people: list[Party], board: str, tmp_path: Path) -> None:
    """Each in one sitting: they join once, and go when all is signed. The request is shown where a question follows."""
    ask(people[0], board, "--signers", "alice,carol")
    joining.join([people[0], people[2]], board)
    assert is_signed(people[0])
    for party in (people[0], people[2]):
        said = joining.said(party)
        assert said.count("Request ") == 1
        assert said.count("PIN for token") == 1
        assert "two signatures for minisign" in said
        assert nonces(party) == 0
    assert (
        len(joining.on(board, tmp_path / "reader", Response))
        == len(joining.on(board, tmp_path / "reader", SecondResponse))
        == 2
    )


def test_who_goes_away_between_the_two_is_not_waited_for(people: list[Party], board: str, tmp_path: Path) -> None:
    """Bob has answered once, and never again: Alice and Carol make both anew, with other nonces."""
    alice, bob, carol = people
    ask(carol, board)
    for party in (bob, alice, carol, bob):
        joining.look(party, board)
    assert [attempt.signers for attempt in joining.on(board, tmp_path / "reader", Attempt)] == [(1, 2)]
    assert (
        len(joining.on(board, tmp_path / "reader", Response)),
        len(joining.on(board, tmp_path / "reader", SecondResponse)),
    ) == (1, 0)
    joining.take_turns([alice, carol], board, lambda: is_signed(carol), rounds=8)
    assert sorted(attempt.signers for attempt in joining.on(board, tmp_path / "reader", Attempt)) == [(1, 2), (1, 3)]
    everything = [each for attempt in joining.on(board, tmp_path / "reader", Attempt) for each in attempt.commitments]
    assert len(everything) == len(set(everything)) == 12
    assert "Request" not in joining.look(bob, board).stderr, "nothing is asked of who comes back"


def test_nonces_made_ahead_serve_both(people: list[Party], board: str, tmp_path: Path) -> None:
    alice, bob, carol = people
    for party in (bob, carol):
        assert party.run("sign", "preprocess", KEY, "--count", "3", "--board", board).status == 0
    ask(alice, board)
    joining.take_turns([bob, carol, alice], board, lambda: is_signed(alice), rounds=8)
    assert [attempt.signers for attempt in joining.on(board, tmp_path / "reader", Attempt)] == [(2, 3)]
    assert [nonces(party) for party in (bob, carol)] == [0, 0]


@pytest.mark.parametrize("lie", ["another first answer", "a second answer to others"])
def test_who_says_two_things_in_two_turns_is_not_waited_for(
    people: list[Party], board: str, tmp_path: Path, lie: str
) -> None:
    """Bob parts the answers of an attempt, which shows nothing against him: Alice and Carol make both anew."""
    alice, bob, carol = people
    ask(carol, board)
    for party in (bob, alice, carol, bob, alice):
        joining.look(party, board)
    answer = next(said.message for said in on_board_of(bob, board, tmp_path) if isinstance(said.message, Response))
    if lie == "another first answer":
        joining.look(bob, board)
        said: Response | SecondResponse = replace(answer, shares=answer.shares[::-1])
    else:
        said = SecondResponse(answer.request, bytes(32), answer.shares[:1])
    with bob.holder() as holder, boards.connect(board, tmp_path / "bob") as there:
        there.post(signed.write(said, holder))
    joining.take_turns([alice, carol], board, lambda: is_signed(carol), rounds=8)
    assert len(joining.on(board, tmp_path / "reader", Attempt)) == 2


def on_board_of(party: Party, board: str, tmp_path: Path) -> list[Signed[object]]:
    """What somebody has said of their key on a board."""
    found = []
    with boards.connect(board, tmp_path / "reader") as there:
        for _, data in there.messages():
            with suppress(FrostHsmError):
                found.append(signed.read(data, party.key().roster))
    return [said for said in found if said.sender == party.public]
