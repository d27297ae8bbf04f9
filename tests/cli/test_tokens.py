"""Which token is meant: with SoftHSM2, where several are in reach at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.judging import changes, error_of, snapshot
from conftest import TokenFixture
from stage.faulty_backend import Faults, FaultyBackend
from stage.parties import Party, Ran

from frost_hsm import backends, cli
from frost_hsm.backends import PinState
from frost_hsm.backends.pkcs11 import Pkcs11Backend

NewToken = Callable[..., TokenFixture]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command with a home of its own."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = cli.run([*arguments, "--home", str(tmp_path / "home"), "--json"])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def pin(tmp_path: Path) -> str:
    path = tmp_path / "pin"
    path.write_text("frost-1234")
    path.chmod(0o600)
    return f"file:{path}"


def test_two_tokens_match(run: Callable[..., Ran], softhsm_module: str, new_token: NewToken) -> None:
    one, two = new_token("same"), new_token("same")
    wanted = ("init", "--me", "alice", "--module", f"softhsm={softhsm_module}")
    for options in (("--token", "pkcs11:token=same"), ()):
        ran = run(*wanted, *options)
        error = error_of(ran)
        assert (ran.status, error["code"]) == (69, "token-ambiguous")
        assert "tokens match\n" in error["message"]
        for token in (one, two):
            assert f"  pkcs11:token=same;serial={token.serial}?module-name=softhsm" in error["message"].splitlines()
        assert error["hint"] == "pass one of these lines to --token"
    line = next(line for line in error["message"].splitlines() if one.serial in line).strip()
    ran = run(*wanted, "--token", line)
    assert ran.status == 0
    assert json.loads(ran.stdout)["token"] == line


def test_what_token_list_prints_is_what_token_takes(
    run: Callable[..., Ran], softhsm_module: str, new_token: NewToken
) -> None:
    token = new_token("listed")
    listed = json.loads(run("token", "list", "--module", softhsm_module).stdout)["tokens"]
    [entry] = [each for each in listed if each["serial"] == token.serial]
    ran = run("init", "--me", "alice", "--module", softhsm_module, "--token", entry["uri"])
    assert json.loads(ran.stdout)["token"] == entry["uri"]


def test_a_whole_identity_in_softhsm(
    run: Callable[..., Ran], softhsm_module: str, new_token: NewToken, pin: str, tmp_path: Path
) -> None:
    token, other = new_token("mine"), new_token("other")
    assert run("init", "--me", "alice", "--module", f"m={softhsm_module}", "--token", token.uri).status == 0
    file = str(tmp_path / "alice.identity.pem")
    made = run("identity", "create", "--pin-source", pin, "-o", file)
    assert made.status == 0
    assert f'"fingerprint":"{json.loads(made.stdout)["fingerprint"]}"' in run("identity", "show", "--from-token").stdout

    wrong = ("dkg", "propose", "x", "-t", "2", "--with", "bob", "--pin-source", "env:NOTHING", "--token", other.uri)
    assert run(*wrong).status == 66  # no peer yet: nothing else is looked at before
    wrong = ("identity", "create", "--pin-source", "env:NOTHING", "--token", other.uri, "-o", file)
    ran = run(*wrong)
    assert (ran.status, error_of(ran)["code"]) == (77, "token-mismatch")
    assert f'not token "other" (serial {other.serial})' in error_of(ran)["message"]
    assert "no PIN was tried" in error_of(ran)["hint"]
    ran = run("identity", "create", "--pin-source", pin, "--token", "pkcs11:token=gone", "-o", file)
    assert (ran.status, error_of(ran)["code"]) == (69, "token-missing")


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        (PinState.FINAL_TRY, 77, "pin-final-try"),
        (PinState.LOCKED, 77, "pin-locked"),
        (PinState.NOT_SET, 77, "pin-unusable"),
    ],
)
def test_states_that_softhsm_never_has(
    run: Callable[..., Ran],
    softhsm_module: str,
    new_token: NewToken,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    state: PinState,
    status: int,
    code: str,
) -> None:
    token = new_token(f"state-{state}")
    assert run("init", "--me", "alice", "--module", f"m={softhsm_module}", "--token", token.uri).status == 0
    faults = Faults(pin_state=state)
    monkeypatch.setattr(
        "frost_hsm.backends.load",
        lambda name, settings, interaction: FaultyBackend(Pkcs11Backend(settings, interaction), faults),
    )
    ran = run("identity", "create", "--pin-source", "env:NOTHING", "-o", str(tmp_path / "alice.pem"))
    assert (ran.status, error_of(ran)["code"]) == (status, code)
    assert faults.calls == []


def test_a_token_that_goes_away(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = people[0]
    before = snapshot(alice)
    faults = Faults(lost_at=2)
    load = backends.load
    monkeypatch.setattr(backends, "load", lambda *arguments: FaultyBackend(load(*arguments), faults))
    ran = alice.run("dkg", "propose", "vault", "-t", "2", "--with", "bob,carol", "--json")
    assert (ran.status, error_of(ran)["code"]) == (74, "device-lost")
    assert "steps can be repeated" in error_of(ran)["hint"]
    assert changes(before, snapshot(alice)) == []
    monkeypatch.undo()
    assert alice.run("dkg", "propose", "vault", "-t", "2", "--with", "bob,carol").status == 0


def test_a_module_that_is_not_there(run: Callable[..., Ran]) -> None:
    ran = run("init", "--me", "alice", "--module", "/nowhere/none.so", "--token", "pkcs11:token=x")
    assert (ran.status, error_of(ran)["code"]) == (69, "module-unavailable")
    assert "/nowhere/none.so" in error_of(ran)["message"]
    ran = run("token", "list", "--module", "/nowhere/none.so")
    assert (ran.status, error_of(ran)["code"]) == (69, "module-unavailable")


def test_a_backend_that_is_not_there(run: Callable[..., Ran]) -> None:
    ran = run("init", "--me", "alice", "--token", "vault:x")
    assert (ran.status, error_of(ran)["code"]) == (69, "backend-unavailable")
    ran = run("init", "--me", "alice", "--token", "nonsense")
    assert (ran.status, error_of(ran)["code"]) == (2, "usage")


def test_an_earlier_configuration_is_not_overwritten(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home/config.toml").write_text("mine")
    ran = run("init", "--me", "alice", "--token", "software:x")
    assert (ran.status, error_of(ran)["code"]) == (73, "output-exists")
    assert (tmp_path / "home/config.toml").read_text() == "mine"
    ran = run("init", "--me", "alice", "--token", f"software:{tmp_path}/x")
    assert ran.status == 73
    assert not (tmp_path / "x").exists()
