"""Files that a bystander puts beside the messages: passed over, whatever their size."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import memory_peak, parties
from stage.parties import KEY, Party


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path / "people")


def test_large_files_in_the_directory_stop_nobody_and_are_not_read(trio: list[Party], tmp_path: Path) -> None:
    box = tmp_path / "inbox"
    box.mkdir()
    for name, message in parties.round1(trio, parties.propose(trio)).items():
        (box / name).write_bytes(message)
    for number in range(20):
        with (box / f"film {number}").open("wb") as file:
            file.truncate(100 << 20)
    before = memory_peak.begin_again()
    ran = trio[0].run("dkg", "round2", KEY, "--in", str(box))
    assert ran.status == 0, ran.stderr
    assert "note: passed over in" in ran.stderr
    assert memory_peak.megabytes() - before < 64
