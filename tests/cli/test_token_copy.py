"""A SoftHSM2 token that a crash took away comes back by a command."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from stage import softhsm
from stage.parties import PROGRAM

PIN = "frost-1234"


@pytest.fixture
def environment(softhsm_module: str, tmp_path: Path) -> dict[str, str]:
    """Somebody with an identity in a SoftHSM2 of their own."""
    environment = {
        **os.environ,
        "SOFTHSM2_CONF": str(softhsm.configure(tmp_path)),
        "FROST_HSM_HOME": str(tmp_path / "home"),
    }
    command = ["softhsm2-util", "--init-token", "--free", "--label", "mine", "--pin", PIN, "--so-pin", PIN]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    made = frost_hsm(environment, tmp_path, "setup", "--me", "alice", "--module", softhsm_module, pin=True)
    assert made.returncode == 0, made.stderr
    return environment


def frost_hsm(
    environment: dict[str, str], directory: Path, *arguments: str, pin: bool = False
) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *arguments, *(["--pin-source", "env:SECRET"] if pin else [])]
    environment = {**environment, "SECRET": PIN}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("is_emptied", [True, False])
def test_a_token_is_put_back(environment: dict[str, str], tmp_path: Path, is_emptied: bool) -> None:
    (file,) = tmp_path.glob("tokens/*/token.object")
    if is_emptied:
        file.write_bytes(b"")
    else:
        file.unlink()
    for command in ("identity", "show", "--from-token"), ("doctor",):
        ran = frost_hsm(environment, tmp_path, *command)
        assert "frost-hsm token restore" in ran.stdout + ran.stderr
    restored = frost_hsm(environment, tmp_path, "token", "restore", "--json")
    assert json.loads(restored.stdout)["files"] == [str(file)]
    assert file.stat().st_mode & 0o777 == 0o600
    again = frost_hsm(environment, tmp_path, "doctor", "--login", pin=True)
    assert "your sign key signs, and its signatures verify" in again.stdout
    nothing = frost_hsm(environment, tmp_path, "token", "restore")
    assert nothing.returncode == 2
    assert "no token that a copy is kept of is damaged" in nothing.stderr


def test_the_copy_follows_the_pin(environment: dict[str, str], tmp_path: Path, softhsm_module: str) -> None:
    """What checks an old PIN does not stay."""
    (kept,) = tmp_path.glob("home/softhsm/*")
    before = kept.read_bytes()
    assert frost_hsm(environment, tmp_path, "identity", "create", pin=True).returncode == 0
    assert kept.read_bytes() == before
    tool = [
        "pkcs11-tool",
        "--module",
        softhsm_module,
        "--login",
        "--pin",
        PIN,
        "--change-pin",
        "--new-pin",
        "4321-frost",
    ]
    subprocess.run(tool, check=True, capture_output=True, env=environment)
    environment = {**environment, "NEW": "4321-frost"}
    ran = frost_hsm(environment, tmp_path, "identity", "create", "--pin-source", "env:NEW")
    assert ran.returncode == 0, ran.stderr
    assert kept.read_bytes()[8:] != before[8:]


def test_no_copy_and_no_token(environment: dict[str, str], tmp_path: Path) -> None:
    """A token that is not there for another reason is not promised back."""
    (directory,) = tmp_path.glob("tokens/*")
    directory.rename(tmp_path / "elsewhere")
    ran = frost_hsm(environment, tmp_path, "identity", "show", "--from-token")
    assert ran.returncode == 69
    assert "token restore" not in ran.stderr
