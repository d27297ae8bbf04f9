"""``setup``: from nothing to an identity, in one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.at_terminal import Session
from stage import softhsm
from stage.parties import PROGRAM

from frost_hsm.backends.pkcs11.modules.p11kit import configured
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.errors import OutputExists, PinUnusable

PIN = "frost-1234"
Ran = subprocess.CompletedProcess[str]


@pytest.fixture
def environment(softhsm_module: str, tmp_path: Path) -> dict[str, str]:
    """A machine of one's own: a SoftHSM2 without tokens, and no state directory."""
    return {
        **os.environ,
        "SOFTHSM2_CONF": str(softhsm.configure(tmp_path)),
        "FROST_HSM_HOME": str(tmp_path / "home"),
        "SECRET": PIN,
    }


@pytest.fixture
def make_token(environment: dict[str, str]) -> Callable[[str], None]:
    def make(label: str) -> None:
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    return make


@pytest.fixture
def setup(softhsm_module: str, environment: dict[str, str], tmp_path: Path) -> Callable[..., Ran]:
    def setup(*arguments: str) -> Ran:
        command = [*PROGRAM, "setup", "--module", softhsm_module, "--pin-source", "env:SECRET", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return setup


def test_one_token_is_taken_and_the_identity_made(
    make_token: Callable[[str], None], setup: Callable[..., Ran], tmp_path: Path
) -> None:
    make_token("mine")
    ran = setup("--me", "alice", "--json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    made = PublicIdentity.from_pem((tmp_path / "alice.identity.pem").read_bytes())
    assert (document["me"], document["fingerprint"]) == ("alice", made.fingerprint.replace(" ", ""))
    again = setup("--me", "alice")
    assert again.returncode == 0, again.stderr
    assert PublicIdentity.from_pem((tmp_path / "alice.identity.pem").read_bytes()) == made


def test_what_was_said_can_be_taken_back_until_the_identity_is_made(
    make_token: Callable[[str], None], setup: Callable[..., Ran], environment: dict[str, str], tmp_path: Path
) -> None:
    make_token("mine")
    make_token("theirs")
    config = tmp_path / "home/config.toml"
    del environment["SECRET"]
    assert setup("--me", "bob", "--token", "pkcs11:token=theirs").returncode == PinUnusable.exit
    assert 'token = "pkcs11:token=theirs;' in config.read_text()
    command = [*PROGRAM, "setup", "--pin-source", "env:SECRET"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "going on as bob, with pkcs11:token=theirs;" in ran.stderr
    environment["SECRET"] = PIN
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())  # as an editor leaves it
    assert setup("--me", "alice", "--token", "pkcs11:token=mine").returncode == 0
    assert 'me = "alice"\ntoken = "pkcs11:token=mine;' in config.read_text()
    before = config.read_bytes()
    for another in (("--me", "bob"), ("--module", "/another.so")):
        ran = setup(*another)
        assert (ran.returncode, "alice has an identity already" in ran.stderr) == (OutputExists.exit, True)
    assert config.read_bytes() == before


def test_which_of_several_is_not_guessed(
    make_token: Callable[[str], None], setup: Callable[..., Ran], tmp_path: Path
) -> None:
    make_token("one")
    make_token("two")
    ran = setup("--me", "alice")
    assert ran.returncode == 69
    assert "2 tokens are in reach" in ran.stderr
    assert not (tmp_path / "home").exists()
    (uri,) = [line.strip() for line in ran.stderr.splitlines() if line.startswith("  pkcs11:token=two")]
    assert setup("--me", "alice", "--token", uri).returncode == 0


def test_a_person_chooses_and_is_asked_for_a_name(
    make_token: Callable[[str], None], softhsm_module: str, environment: dict[str, str], tmp_path: Path
) -> None:
    make_token("one")
    make_token("two")
    arguments = ["setup", "--module", softhsm_module, "--pin-source", "env:SECRET"]
    with Session(arguments, cwd=tmp_path, environment=environment) as session:
        session.expect("is yours?")
        (number,) = [line.split()[0] for line in session.shown.splitlines() if 'token "two"' in line]
        session.type("7\n")
        session.expect("not a number from 1 to 2")
        session.expect("is yours?")
        session.type(f"{number}\n")
        session.expect("in lower case?")
        session.type("bob\n")
        assert session.end() == 0
    assert 'token = "pkcs11:token=two;' in (tmp_path / "home/config.toml").read_text()
    assert (tmp_path / "bob.identity.pem").is_file()


def test_no_token(setup: Callable[..., Ran], environment: dict[str, str], tmp_path: Path) -> None:
    ran = setup("--me", "alice")
    assert ran.returncode == 69
    assert "no initialised token with a PIN is in reach" in ran.stderr
    assert "hint: frost-hsm doctor says how to make one" in ran.stderr
    assert not (tmp_path / "home").exists()
    said = subprocess.run(
        [*PROGRAM, "doctor"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    make = "for SoftHSM2: softhsm2-util --init-token --free --label NAME"
    first = f"make a token with its vendor's tool ({make}), then: frost-hsm setup"
    assert said.stdout.splitlines()[-1] == f"Not ready for a key; first: {first}"


def test_where_there_is_a_token_setup_comes_first(
    make_token: Callable[[str], None], environment: dict[str, str], tmp_path: Path
) -> None:
    make_token("mine")
    said = subprocess.run(
        [*PROGRAM, "doctor"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[-1] == "Not ready for a key; first: frost-hsm setup"


TALKATIVE = r"""
import os
from frost_hsm.backends.pkcs11 import Pkcs11Backend
from frost_hsm.cli import main

def chatter(backend):
    os.write(2, b"ERROR:tcti: could not open a device\n")
    backend._interaction.message("a module does not start; looking further")
    return []

Pkcs11Backend.tokens = chatter
main()
"""


@pytest.mark.parametrize("command", [("token", "list"), ("setup", "--me", "alice"), ("init", "--me", "alice")])
def test_what_modules_write_by_themselves_is_not_between_our_lines(
    environment: dict[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    line = [sys.executable, "-c", TALKATIVE, *command]
    ran = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == (0 if command == ("token", "list") else 69)
    assert "a module does not start; looking further\n" in ran.stderr
    assert "tcti" not in ran.stderr
    assert command == ("token", "list") or "no initialised token" in ran.stderr


@pytest.mark.parametrize("command", [("init",), ("setup", "--pin-source", "env:SECRET")], ids=["init", "setup"])
def test_a_token_that_p11_kit_brings_is_remembered_by_its_own_module(
    make_token: Callable[[str], None], environment: dict[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Through p11-kit, each command would run every module of the machine."""
    if not any("softhsm" in path for _, path in configured()):
        pytest.skip("there is no p11-kit, or it does not bring SoftHSM2")
    make_token("mine")
    line = [*PROGRAM, *command, "--me", "alice"]
    ran = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    written = tomllib.loads((tmp_path / "home/config.toml").read_text())
    [path] = written["backends"]["pkcs11"].values()
    assert "softhsm" in Path(path).name
    assert "serial=" in written["token"]
