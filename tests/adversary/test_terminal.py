"""Keys that send no text: an answer that is none, and a PIN that is never tried."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.at_terminal import Session
from stage import parties
from stage.parties import Party


@pytest.fixture
def alice(tmp_path: Path) -> Party:
    return parties.gather(tmp_path)[0]


def test_a_pin_that_is_no_text_is_not_tried(alice: Party) -> None:
    with Session(["identity", "create", "--home", "home"], cwd=alice.directory) as session:
        for _ in range(3):
            session.expect("PIN for token")
            session.type(b"\xff\xfe\n")
        assert session.end() == 77
    assert "error: what was typed is no text; it was not tried" in session.shown
    assert alice.open_token().info.pin_state == "ok"


def test_an_answer_that_is_no_text_is_no(alice: Party) -> None:
    (alice.directory / "bob.identity.pem").write_bytes(alice.home.read("peers/bob.pem") or b"")
    alice.home.remove("peers/bob.pem")
    with Session(["peer", "add", "bob.identity.pem", "--home", "home"], cwd=alice.directory) as session:
        session.expect("Does it match?")
        session.type(b"\xff\n")
        session.expect("Does it match?")
        session.type("\n")
        assert session.end() == 130
    assert not alice.home.exists("peers/bob.pem")
