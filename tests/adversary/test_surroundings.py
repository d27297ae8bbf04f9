"""Odd surroundings: terminals that lack letters, names that are not text, folders that a kill left empty."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from stage import parties
from stage.parties import KEY, PROGRAM, Party


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path)


def test_an_output_that_lacks_letters_shows_what_it_can(trio: list[Party]) -> None:
    alice = trio[0]
    assert alice.run("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol", "--purpose", "café 日本").status == 0
    command = [*PROGRAM, "inspect", f"{KEY}.proposal.pem", "--home", "home"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, cwd=alice.directory, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "café \\u65e5\\u672c".encode("latin-1") in done.stdout


def test_a_token_path_that_is_no_text_is_refused_in_one_sentence(trio: list[Party]) -> None:
    alice = trio[0]
    folder = os.fsencode(alice.directory) + b"/\xff"
    Path(os.fsdecode(folder)).mkdir()
    shutil.copy(os.fsencode(alice.uri.removeprefix("software:")), folder + b"/a.token")
    command = [*map(os.fsencode, PROGRAM), b"init", b"--me", b"alice", b"--home", b"other"]
    uri = b"software:" + folder + b"/a.token"
    done = subprocess.run([*command, b"--token", uri], cwd=alice.directory, capture_output=True, check=False)
    assert done.returncode == 78
    assert done.stderr.startswith(b"error: a path to be written down is not UTF-8")


def test_a_folder_that_a_kill_left_empty_does_not_block_its_name(trio: list[Party]) -> None:
    alice = trio[0]
    (alice.directory / f"home/keys/{KEY}.{bytes(32).hex()}").mkdir(mode=0o700, parents=True)
    ran = alice.run("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    assert ran.status == 0, ran.stderr
