"""``join``: people in processes of their own do everything over a board, and carry no file."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest
from stage import hostile_board, joining, nats_server, parties
from stage.parties import KEY, Party


@pytest.fixture
def people(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path / "people")


@pytest.fixture
def board(tmp_path: Path) -> str:
    return joining.board(tmp_path / "board")


def test_a_life_of_a_key(people: list[Party], board: str) -> None:
    """Strangers make a key, sign with it, refresh it and sign again; each PIN is asked once a sitting."""
    alice, bob, carol = people
    joining.forget_each_other(people)
    for party in people:
        assert party.run("join", board, "--once", "--yes").status == 0  # hands out the identity
    proposed = alice.run("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol", "--board", board, "--yes")
    assert proposed.status == 0, proposed.stderr
    joining.join(people, board)
    assert len({key_of(party) for party in people}) == 1
    for signers, before in (([alice, bob], None), ([alice, carol], "refresh")):
        if before is not None:
            assert bob.run("refresh", "propose", KEY, "--board", board).status == 0
            joining.join(people, board)
        (alice.directory / "m").write_text(f"hello {before}\n")
        names = ",".join(party.name for party in signers)
        asked = alice.run("sign", "request", KEY, "m", "--signers", names, "--board", board, "--force")
        assert asked.status == 0, asked.stderr
        joining.join(signers, board)
        assert alice.run("verify", "--key", KEY, "m", "m.sig").status == 0
        (alice.directory / "m.sig").unlink()
    for party in people:
        log = joining.said(party)
        assert "nothing is left for you to do" in log


def propose(people: list[Party], board: str) -> None:
    first, *others = people
    names = ",".join(party.name for party in others)
    proposed = first.run("dkg", "propose", KEY, "-t", "2", "--with", names, "--board", board)
    assert proposed.status == 0, proposed.stderr


def key_of(party: Party) -> str:
    return party.run("keys", "export", KEY, "--format", "hex", "-o", "-").stdout


@pytest.mark.slow
def test_a_hostile_board_and_people_who_are_killed(people: list[Party], board: str, tmp_path: Path, seed: int) -> None:
    """They end with the same key, and with a signature, whatever is lost, withheld, forged and cut short."""
    environment = hostile_board.install(tmp_path / "plugin")
    hostile = f"hostile:1:{board}"
    chance = random.Random(1)
    propose(people, board)
    joining.join_while_killed(people, hostile, chance, 5, environment)
    keys = {key_of(party) for party in people}
    assert len(keys) == 1
    assert keys != {""}
    alice, _, carol = people
    (alice.directory / "m").write_text("hello\n")
    asked = alice.run("sign", "request", KEY, "m", "--signers", "alice,carol", "--board", board)
    assert asked.status == 0, asked.stderr
    joining.join_while_killed([alice, carol], hostile, chance, 3, environment)
    assert alice.run("verify", "--key", KEY, "m", "m.sig").status == 0


@pytest.fixture
def git_board(tmp_path: Path) -> str:
    repository = tmp_path / "board.git"
    subprocess.run(["git", "init", "--quiet", "--bare", repository], check=True)
    return f"git:file://{repository}#board"


def sign(first: Party, second: Party, board: str) -> None:
    (first.directory / "m").write_text("hello\n")
    names = f"{first.name},{second.name}"
    asked = first.run("sign", "request", KEY, "m", "--signers", names, "--board", board)
    assert asked.status == 0, asked.stderr
    joining.join([first, second], board)
    assert first.run("verify", "--key", KEY, "m", "m.sig").status == 0


def test_a_git_repository(people: list[Party], git_board: str) -> None:
    propose(people, git_board)
    joining.join(people, git_board)
    assert len({key_of(party) for party in people}) == 1
    sign(people[1], people[2], git_board)


@pytest.mark.slow
def test_a_cluster_of_nats_whose_leader_is_killed_in_mid_ceremony(people: list[Party], tmp_path: Path) -> None:
    with nats_server.cluster(tmp_path) as servers:
        board = f"nats://{','.join(server.host for server in servers)}/FROST?replicas=3"
        propose(people, board)
        running = [joining.start(party, board) for party in people]
        try:
            joining.wait_to_hear(people[0], "your commitment is sent")
            leader = nats_server.leader_of("FROST", servers)
            assert leader is not None
            leader.kill()
            assert [process.wait(joining.PATIENCE) for process in running] == [0, 0, 0], joining.said(people[0])
        finally:
            for process in running:
                process.kill()
                process.wait()
        assert len({key_of(party) for party in people}) == 1
        sign(people[1], people[2], board)


def test_a_share_for_somebody_new(tmp_path: Path, board: str) -> None:
    people = parties.gather(tmp_path / "people", ("alice", "bob", "carol", "dave"))
    *first, dave = people
    parties.generate(first)
    bundle = first[0].run("keys", "export", KEY, "--format", "bundle", "-o", str(tmp_path / "bundle"))
    assert bundle.status == 0, bundle.stderr
    assert dave.run("keys", "import", str(tmp_path / "bundle")).status == 0
    asked = dave.run("repair", "request", KEY, "--helpers", "alice,bob", "--new", "--board", board)
    assert asked.status == 0, asked.stderr
    joining.join(people, board)
    for party in people:
        assert "dave" in party.run("keys", "show", KEY).stdout
    assert "dave is participant 4" in joining.said(first[2])


# ── status ──


def test_status_says_whose_turn_it_is(people: list[Party], board: str) -> None:
    alice, bob, _ = people
    assert alice.run("status", "--board", board).stdout == "nothing is open\n"
    propose(people, board)
    assert bob.run("join", board, "--once", "--yes", "--pin-source", f"file:{bob.directory / 'pin'}").status == 75
    for party, turn in ((alice, "you"), (bob, "alice, carol")):
        said = json.loads(party.run("status", "--board", board, "--json").stdout)["open"]
        assert [(each["what"], ", ".join(each["waits_for"])) for each in said] == [(f'key "{KEY}"', turn)]
        assert said[0]["type"] == f"frost-hsm join {board}"
    assert json.loads(alice.run("status", "--json").stdout)["open"][0]["type"] == f"frost-hsm dkg status {KEY}"
