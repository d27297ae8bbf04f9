"""Agents make both of minisign's signatures by one question each, with nonces made now or ahead."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import attending, joining, parties
from stage.memory_group import run
from stage.parties import KEY

from frost_hsm.ceremony.messages.using import SecondResponse


@pytest.mark.parametrize("ahead", ["0", "3"], ids=["now", "ahead"])
def test_a_file_for_minisign(tmp_path_factory: pytest.TempPathFactory, ahead: str) -> None:
    folder: Path = tmp_path_factory.mktemp("second")  # sockets have short names
    people = parties.gather(folder / "people", ("alice", "bob"))
    parties.generate(people, suite="ed25519")
    board = joining.board(folder / "board")
    alice = people[0]
    (alice.directory / "app.tar").write_bytes(b"release 1.0\n")
    asking = [(party, ["--ask", attending.hook(party), "--ahead", ahead]) for party in people]
    with attending.running(board, asking):
        asked = alice.run("sign", "request", KEY, "minisign=app.tar", "--with", "comment=2 of 2", "--board", board)
        assert asked.status == 0, asked.stderr
        attending.wait_until(lambda: len(joining.on(board, folder / "reader", SecondResponse)) == len(people))
        assert all("your signature share is sent" in attending.said(party) for party in people)
    pin = f"file:{alice.directory / 'pin'}"
    assert "wrote app.tar.minisig" in alice.run("join", board, "--once", "--pin-source", pin).stderr
    assert [len(attending.questions(party)) for party in people] == [1, 1]
    assert alice.run("keys", "export", KEY, "--format", "minisign", "-o", "key.pub").status == 0
    done = run("minisign", "-V", "-p", "key.pub", "-m", "app.tar", cwd=alice.directory)
    assert done.returncode == 0, done.stderr
    assert b"Trusted comment: 2 of 2" in done.stdout
