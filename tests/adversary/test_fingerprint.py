"""Everything rests on the comparison of fingerprints: one digit wrong, and nobody is added."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties
from stage.parties import Party


@pytest.fixture
def alice(tmp_path: Path) -> Party:
    """Alice, who does not know Bob yet, and has his file."""
    alice = parties.gather(tmp_path)[0]
    (alice.directory / "bob.identity.pem").write_bytes(alice.home.read("peers/bob.pem") or b"")
    alice.home.remove("peers/bob.pem")
    return alice


@pytest.mark.parametrize("position", [0, 15, 31])
def test_one_wrong_digit_is_refused(alice: Party, tmp_path: Path, position: int) -> None:
    bob = Party("bob", tmp_path / "bob", "")
    digits = list(bob.public.fingerprint.replace(" ", ""))
    digits[position] = "0" if digits[position] != "0" else "1"
    ran = alice.run("peer", "add", "bob.identity.pem", "--fingerprint", "".join(digits))
    assert ran.status == 65
    assert "error: the fingerprint of this identity of bob is" in ran.stderr
    assert "peers/bob.pem" not in alice.files()


@pytest.mark.parametrize("spelling", [str, str.upper, lambda text: text.replace(" ", ":")])
def test_the_right_one_is_taken_however_it_is_written(alice: Party, tmp_path: Path, spelling: type[str]) -> None:
    bob = Party("bob", tmp_path / "bob", "")
    ran = alice.run("peer", "add", "bob.identity.pem", "--fingerprint", spelling(bob.public.fingerprint))
    assert ran.status == 0, ran.stderr
    assert "peers/bob.pem" in alice.files()
