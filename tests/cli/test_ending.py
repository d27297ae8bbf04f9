"""A run that is ended early, or cannot be heard: sessions are closed; what was done is neither undone nor unsaid."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.at_terminal import Session
from cli.judging import changes, snapshot
from stage import parties
from stage.parties import KEY, PIN, PROGRAM, Party
from stage.staging import Stage

SPY = next((str(path) for path in Path("/usr/lib").glob("**/pkcs11-spy.so")), None)


@pytest.mark.parametrize("way", ["SIGTERM", "SIGHUP", "Ctrl-C", "nothing"])
def test_sessions_are_closed_however_it_ends(
    way: str, tmp_path: Path, softhsm_module: str, new_token: Callable[..., Any]
) -> None:
    """OpenSC's spy writes down every call of the module."""
    if SPY is None:
        pytest.skip("OpenSC's spy module is not installed: apt-get install opensc")
    log = tmp_path / "calls"
    environment = {"PKCS11SPY": softhsm_module, "PKCS11SPY_OUTPUT": str(log), "FROST_HSM_HOME": str(tmp_path / "home")}
    token = new_token(f"ends-{way}", PIN)
    init = [*PROGRAM, "init", "--me", "alice", "--token", token.uri, "--module", f"softhsm={SPY}"]
    subprocess.run(init, cwd=tmp_path, env={**os.environ, **environment}, check=True, capture_output=True)
    log.unlink()
    with Session(["identity", "create"], cwd=tmp_path, environment=environment) as session:
        session.expect("PIN for token")
        if way == "Ctrl-C":
            session.interrupt()
        elif way == "nothing":
            session.type(f"{PIN}\n")
        else:
            os.kill(session.process, signal.Signals[way])
        assert session.end() == {"SIGTERM": 143, "SIGHUP": 129, "Ctrl-C": 130, "nothing": 0}[way]
    calls = re.findall(r"^\d+: (C_\w+)", log.read_text(), re.MULTILINE)
    assert calls.count("C_OpenSession") == calls.count("C_CloseSession") > 0
    assert calls.count("C_Finalize") >= calls.count("C_Initialize") > 0
    assert ("error: ended by SIG" in session.shown) == way.startswith("SIG")


def with_signatures(folder: Path) -> list[Party]:
    people = parties.gather(folder)
    parties.generate(people)
    alice = people[0].directory
    (alice / "message").write_bytes(b"hello")
    (alice / "good").write_bytes(signature := parties.sign(people[:2], b"hello"))
    (alice / "bad").write_bytes(signature[:-1] + bytes([signature[-1] ^ 1]))
    return people


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("signed"), with_signatures)


@pytest.fixture
def signed(stage: Stage, tmp_path: Path) -> Party:
    """Alice, with a message, a signature of the group, and a bad one."""
    return stage.people(tmp_path / "people")[0]


NOWHERE = {
    "a full disk": "2>/dev/full",
    "closed": "2>&-",
    "nobody who reads": "2> >(:)",
    "all closed": "<&- 2>&-",
}


@pytest.mark.parametrize("redirection", NOWHERE.values(), ids=NOWHERE)
def test_talk_that_nobody_hears_changes_nothing(signed: Party, redirection: str) -> None:
    """Neither the status, nor the JSON, nor the work."""

    def run(command: str) -> subprocess.CompletedProcess[str]:
        line = ["bash", "-c", f"{shlex.join(PROGRAM)} {command} --home home {redirection}"]
        return subprocess.run(line, cwd=signed.directory, stdout=subprocess.PIPE, text=True, check=False)

    assert run(f"verify --key {KEY} message good").returncode == 0
    assert run(f"verify --key {KEY} message bad").returncode == 10
    assert run(f"verify --key {KEY} good message").returncode == 65
    bad = run(f"verify --key {KEY} message bad --json")
    assert (bad.returncode, json.loads(bad.stdout)["error"]["code"]) == (10, "signature-invalid")
    assert run("backup create -o b.pem --pin-source file:pin").returncode == 0
    assert (signed.directory / "b.pem").exists()
    assert run("sign").returncode == 2


SAYING = (
    "--help",
    "--version",
    "verify --help",
    "peer --help",
    "keys list",
    "keys list --json",
    "completion bash",
    "doctor",
)


@pytest.mark.parametrize(
    ("command", "redirection"),
    [
        *((command, ">/dev/full") for command in SAYING),
        *((command, redirection) for command in ("--help", "keys list --json") for redirection in (">&-", "> >(:)")),
    ],
)
def test_output_that_goes_nowhere_is_one_sentence_and_one_status(signed: Party, command: str, redirection: str) -> None:
    pause = "sleep 0.2; " if "(:)" in redirection else ""
    home = " --home home" if command.startswith(("keys", "doctor")) else ""
    line = f"( {pause}exec {shlex.join(PROGRAM)} {command}{home} ) {redirection}"
    done = subprocess.run(["bash", "-c", line], cwd=signed.directory, capture_output=True, text=True, check=False)
    assert done.returncode == 74, done.stderr
    assert done.stderr.count("error: cannot write to stdout: ") == 1
    assert "Traceback" not in done.stderr
    assert "internal" not in done.stderr
    assert done.stdout == ""


def test_a_closed_descriptor_is_not_taken_by_a_file(signed: Party) -> None:
    """What is opened first gets the lowest number: nothing that is printed may end up in it."""
    before = snapshot(signed)
    line = f"{shlex.join(PROGRAM)} keys export {KEY} -o out.json --home home <&- >&- 2>&-"
    done = subprocess.run(["bash", "-c", line], cwd=signed.directory, check=False)
    assert done.returncode == 74  # it could not say that it wrote
    assert changes(before, snapshot(signed)) == ["out.json"]
    assert json.loads((signed.directory / "out.json").read_bytes())


def test_a_signal_that_comes_while_an_object_is_let_go_of_is_not_lost() -> None:
    """Python ignores what is raised then; whoever stays for long asks again."""
    code = """
import os, signal
from frost_hsm.cli import ending

class Wiped:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass

ending.end_in_order()
ending.require_going_on()
Wiped()
try:
    ending.require_going_on()
except ending.Ended as ended:
    print("ended", ended.status)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "ended 143\n"), ran.stderr
    assert "Exception ignored" in ran.stderr
