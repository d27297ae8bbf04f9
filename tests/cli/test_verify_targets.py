"""``verify --as``: what a group signed for other tools is verified here too, by the key alone, and shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from stage.authority import END, TOP
from stage.memory_group import group
from stage.parties import Party, Ran
from stage.signing_things import make, sign

NOW = 1_750_000_000
RELEASE = b"release 1.0\n"
TAG = f"object {'ab' * 20}\ntype commit\ntag v1.0\ntagger Team <team@example.org> {NOW} +0000\n\nVersion 1.0\n".encode()


@pytest.fixture
def stranger(tmp_path: Path) -> Party:
    """Somebody who has set nothing up."""
    (tmp_path / "release").write_bytes(RELEASE)
    return Party("nobody", tmp_path, "")


def verify(party: Party, target: str, *paths: str, suite: str = "ed25519") -> Ran:
    return party.run("verify", "--key", group(suite).key.serialize().hex(), "--suite", suite, "--as", target, *paths)


WITH_FILE = {
    "ssh": sign("ssh", make("ssh", RELEASE)).finished,
    "openpgp": sign("openpgp", make("openpgp", RELEASE)).finished,
    "signify": sign("signify", make("signify", RELEASE)).finished,
}
ALONE = {
    "git": (sign("git", TAG).finished, 'tag      "v1.0"'),
    "openpgp-cleartext": (sign("openpgp-cleartext", make("openpgp-cleartext", RELEASE)).finished, "12 bytes"),
    "x509-root": (TOP, 'subject  C="DE", O="Team", CN="Team Root"'),
    "x509-end": (END, "dns www.example.org"),
}


@pytest.mark.parametrize("target", WITH_FILE)
def test_a_file_and_its_signature(target: str, stranger: Party) -> None:
    (stranger.directory / "signed").write_bytes(WITH_FILE[target])
    (stranger.directory / "other").write_bytes(b"release 1.1\n")
    good = verify(stranger, target, "release", "signed")
    assert good.status == 0, good.stderr
    assert "signed: good signature by" in good.stdout
    assert "12 bytes" in good.stdout
    bad = verify(stranger, target, "other", "signed")
    assert bad.status == 10
    assert "BAD signature: signed is not one by" in bad.stderr
    assert "on other" in bad.stderr
    assert verify(stranger, target, "signed").status == 2
    assert verify(stranger, target, "release", "release").status == 65


def test_of_many_every_bad_one_is_named(stranger: Party) -> None:
    (stranger.directory / "signed").write_bytes(WITH_FILE["ssh"])
    (stranger.directory / "other").write_bytes(b"release 1.1\n")
    pairs = ["release", "release", "release", "signed", "other", "signed", "stranger", "signed"]
    (stranger.directory / "stranger").write_bytes(b"release 1.2\n")
    bad = verify(stranger, "ssh", *pairs)
    assert bad.status == 10
    assert "BAD signature, 2 of 4: signed is not one by" in bad.stderr
    assert "on other; signed is not" in bad.stderr
    assert "on stranger" in bad.stderr
    assert "\n  release: " in bad.stderr  # that one is no signature at all
    assert verify(stranger, "ssh", *pairs[:4]).status == 65


@pytest.mark.parametrize("target", ALONE)
def test_what_stands_alone(target: str, stranger: Party) -> None:
    made, shown = ALONE[target]
    (stranger.directory / "signed").write_bytes(made)
    good = verify(stranger, target, "signed")
    assert good.status == 0, good.stderr
    assert shown in good.stdout
    (stranger.directory / "signed").write_bytes(made.replace(b"e", b"f", 1))
    assert verify(stranger, target, "signed").status in (10, 65)


def test_in_json(stranger: Party) -> None:
    (stranger.directory / "signed").write_bytes(ALONE["git"][0])
    said = json.loads(verify(stranger, "git", "signed", "--json").stdout)
    assert said["target"] == "git"
    assert said["signatures"] == 1


def test_targets_that_are_not_there_or_not_for_the_key(stranger: Party) -> None:
    for target, suite, says in (("smoke", "ed25519", "no target"), ("git", "p256", "no tool takes")):
        refused = verify(stranger, target, "release", suite=suite)
        assert refused.status == 2
        assert says in refused.stderr


def test_a_file_too_large_to_be_read_whole(stranger: Party) -> None:
    large = bytes(17 << 20)
    (stranger.directory / "disk.img").write_bytes(large)
    (stranger.directory / "signed").write_bytes(sign("ssh", make("ssh", large)).finished)
    assert verify(stranger, "ssh", "disk.img", "signed").status == 0


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("frost_hsm.targets.suites, frost_hsm.targets.exporting", {"importlib.metadata", "cryptography"}),
        (
            "frost_hsm.cli.commands.sign, frost_hsm.cli.commands.dkg",
            {"frost_hsm.targets.ssh.sshsig", "cryptography.x509"},
        ),
    ],
)
def test_what_names_no_target_loads_none(modules: str, heavy: set[str]) -> None:
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "frost_hsm.targets" in loaded
    assert not loaded & {*heavy, "jwt", "embit"}
