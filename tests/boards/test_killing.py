"""People who are killed at random instants, on every kind of board: see stage/board_life.py for more of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import board_life


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "is_whole"), [("dir", True), ("git", False), ("nats", False)])
def test_a_life_while_people_are_killed(tmp_path: Path, kind: str, is_whole: bool) -> None:
    with board_life.board(kind, tmp_path) as uri:
        life = board_life.live(tmp_path, uri, seed=1, kills=1, is_whole=is_whole)
    assert life.kills >= 2
