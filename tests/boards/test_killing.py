"""People who are killed at random instants, on every kind of board: see stage/board_life.py for more of it.

Five people take a minute a board, and do it on one; FROST_HSM_EVERY=boards has them do it on each.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import board_life, hostile_board, parties, softhsm
from stage.samples import takes_every


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "is_whole"), [("dir", True), ("git", False), ("nats", False)])
def test_a_life_while_people_are_killed(tmp_path: Path, kind: str, is_whole: bool) -> None:
    people = parties.gather(tmp_path / "people", ("alice", "bob", "carol", "dave"))
    with board_life.board(kind, tmp_path) as uri:
        life = board_life.live(people, uri, seed=1, kills=1, is_whole=is_whole)
    assert life.kills >= 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", board_life.KINDS if takes_every("boards") else ["nats"])
def test_five_people_with_tokens_are_killed_before_a_hostile_board(
    tmp_path: Path, kind: str, softhsm_module: str
) -> None:
    """It shows everybody something else: a key, 21 signatures, a refresh and a repair, and all have the same key."""

    def new_token(name: str, _: Path) -> str:
        return f"pkcs11:token={name};serial={softhsm.initialise(softhsm_module, name, parties.PIN)}"

    settings = {"pkcs11": {"softhsm": softhsm_module}, **parties.QUICK}
    names = ("alice", "bob", "carol", "dave", "erin")
    people = parties.gather(tmp_path / "people", names, new_token=new_token, settings=settings)
    environment = hostile_board.install(tmp_path / "plugin")
    with board_life.board(kind, tmp_path) as uri:
        shown = f"hostile:1:{uri}"
        life = board_life.live(people, uri, seed=1, kills=1, files=7, shown=shown, environment=environment)
    assert (life.kills, life.signatures) == (6, 21)
