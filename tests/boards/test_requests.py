"""Requests that lie on a board: ended, declined, cut short; nobody waits for what will not come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.at_terminal import Session
from stage import joining, parties, staging
from stage.parties import KEY, Party
from stage.staging import Stage

from frost_hsm.boards.reading import Reading
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Attempt
from frost_hsm.cli.sittings.heard import Heard
from frost_hsm.cli.sittings.posting import Posting
from frost_hsm.cli.sittings.signing_matter import SigningMatter
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.cli.workplace import Workplace


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("requests"), "p256")


@pytest.fixture
def people(stage: Stage, tmp_path: Path) -> list[Party]:
    return stage.people(tmp_path / "people")


@pytest.fixture
def board(tmp_path: Path) -> str:
    return joining.board(tmp_path / "board")


def ask(first: Party, second: Party, board: str, name: str = "m") -> str:
    (first.directory / name).write_text("hello\n")
    names = f"{first.name},{second.name}"
    asked = first.run("sign", "request", KEY, name, "--signers", names, "--board", board, "--json")
    assert asked.status == 0, asked.stderr
    return str(json.loads(asked.stdout)["request"])


def is_open(party: Party, board: str) -> bool:
    return json.loads(party.run("status", "--board", board, "--json").stdout)["open"] != []


def test_who_asked_ends_it(people: list[Party], board: str) -> None:
    alice, _, carol = people
    request = ask(alice, carol, board)
    assert joining.look(carol, board).status == 75
    ended = alice.run("sign", "abort", request[:8], "--board", board)
    assert ended.status == 0, ended.stderr
    assert "you have ended it, for alice, carol" in ended.stdout
    assert not is_open(carol, board)
    assert "it comes to nothing: alice has ended it" in joining.look(carol, board).stderr
    for party in (alice, carol):
        assert "nothing is open for you" in joining.look(party, board).stdout
    assert "alice has ended it" in carol.run("sign", "status").stdout


def test_who_is_to_sign_ends_it_before_they_were_asked(people: list[Party], board: str) -> None:
    alice, _, carol = people
    request = ask(alice, carol, board)
    ended = carol.run("sign", "abort", request[:8], "--board", board)
    assert ended.status == 0, ended.stderr
    assert "you will not sign" in ended.stdout
    assert "nothing is open for you" in joining.look(carol, board).stdout
    assert not is_open(alice, board)
    told = joining.look(alice, board)
    assert (told.status, "comes to nothing: carol will not sign" in told.stderr) == (76, True)
    assert "nothing is open for you" in joining.look(alice, board).stdout, "they were told"


def test_no_is_remembered_and_said(people: list[Party], board: str) -> None:
    alice, _, carol = people
    ask(alice, carol, board)
    waiting = joining.start(alice, board)
    try:
        arguments = ["join", board, "--once", "--home", str(carol.home.path)]
        with Session(arguments, cwd=carol.directory) as session:
            session.expect("Agree to sign this message?")
            session.type("\n")
            session.expect("PIN for token")
            session.interrupt()
            assert session.end() == 130
        with Session(arguments, cwd=carol.directory) as session:
            session.expect("PIN for token")  # not asked again whether to sign; the others do not know
            session.type(f"{carol.pin}\n")
            session.expect("you said no, and the others are told")
            assert session.end() == 0
            assert "Agree to sign" not in session.shown
        assert "nothing is open for you" in joining.look(carol, board).stdout
        assert waiting.wait(joining.PATIENCE) == 76
        assert "carol will not sign" in joining.said(alice)
    finally:
        waiting.kill()
        waiting.wait()


def test_what_is_over_is_forgotten_by_who_stays(people: list[Party], board: str) -> None:
    """An agent may sign for months: what was said in a request goes with it, and makes room for more of each."""
    alice, _, carol = people
    held = []
    place = Workplace(alice.directory / "home", pin_source=f"file:{alice.directory / 'pin'}", terminal=Terminal())
    on = place.board(board)
    heard = Heard(place, on)
    heard._reading = Reading(on, heard._look, max_messages=10)  # some are of how the key was made
    for number in range(4):
        ask(alice, carol, board, f"m{number}")
        heard.read()
        [matter] = [each for each in heard.matters.values() if isinstance(each, SigningMatter)]
        for party in (carol, alice, carol, alice):
            joining.look(party, board)
        heard.read()
        held.append(heard.number_of(matter))
        heard.let_go(matter)
        heard.read()
        assert (heard.number_of(matter), matter.id in heard.matters) == (0, False)
    assert held == [4] * 4, "two commitments and two answers"
    assert heard.passed_over == []


def test_nobody_waits_for_an_answer_that_was_cut_short(people: list[Party], board: str) -> None:
    """A kill between the destruction of nonces and the answer costs them: here they are just gone."""
    alice, _, carol = people
    ask(alice, carol, board)
    assert joining.look(carol, board).status == 75
    with carol.open_token() as token:
        for name in token.record_names():
            if "nonces" in name:
                token.delete_record(name)
    assert joining.look(alice, board).status == 75
    lost = joining.look(carol, board)
    assert (lost.status, "ask for a new request" in lost.stderr) == (76, True)
    told = joining.look(alice, board)
    assert (told.status, "carol will not sign" in told.stderr) == (76, True)
    ask(alice, carol, board, "again")
    for party in (carol, alice, carol, alice):
        joining.look(party, board)
    assert alice.run("verify", "--key", KEY, "again", "again.sig").status == 0


def test_no_stranger_takes_up_what_was_made_ahead(people: list[Party], board: str, tmp_path: Path) -> None:
    """Whoever can write on a board says that an attempt of theirs takes it all up."""
    alice, bob, _ = people
    [eve] = parties.gather(tmp_path / "eve", ["eve"])
    key = alice.key()
    for party in (alice, bob):
        ran = party.run("sign", "preprocess", KEY, "--count", "1", "--board", board)
        assert ran.status == 0, ran.stderr
    place = Workplace(alice.directory / "home", terminal=Terminal())
    with place.board(board) as there:
        posting = Posting(board, there)
        found = posting.prepared(key, ["alice", "bob"], 1)
        assert list(found) == ["alice", "bob"]
        taken = tuple(each.serialize() for made in found.values() for each in made)
        for party, names in ((eve, ["alice", "bob"]), (bob, [])):
            with party.holder() as holder:
                there.post(signed.write(Attempt(bytes(32), (1, 2), taken), holder))
            assert list(posting.prepared(key, ["alice", "bob"], 1)) == names
