"""What ``doctor`` finds: always a list, never a traceback, always with the status 0."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from conftest import TokenFixture
from stage import softhsm
from stage.parties import Party

from frost_hsm import backends, plugins
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.commands import doctor
from frost_hsm.cli.config import Config
from frost_hsm.errors import NoConstantTime, PinIncorrect
from frost_hsm.frost.ciphersuites import ED25519, P256, Ciphersuite
from frost_hsm.groups import Group


def findings(party: Party, *arguments: str) -> dict[bool, list[str]]:
    """Return the findings, fine ones under True; they are the same lines in text."""
    before = sorted(party.directory.rglob("*"))
    ran = party.run("doctor", *arguments, "--json")
    assert ran.status == 0
    document = json.loads(ran.stdout)
    text = party.run("doctor", *arguments)
    assert text.status == 0
    assert "Traceback" not in ran.stderr + text.stderr
    found: dict[bool, list[str]] = {True: [], False: []}
    for each, line in zip(document["findings"], text.stdout.splitlines(), strict=False):
        assert line == f"{'ok  ' if each['ok'] else 'warn'}  {each['text']}"
        found[each["ok"]].append(each["text"])
    number = document["warnings"]
    assert number == len(found[False])
    *_, counted, verdict = text.stdout.splitlines()
    assert counted == f"{number or 'no'} warning{'' if number == 1 else 's'}"
    if document["ready"]:
        assert (document["first"], verdict[:27]) == (None, "Ready to take part in a key")
    else:
        assert verdict == f"Not ready for a key; first: {document['first']}"
    new = {str(path.relative_to(party.directory)) for path in set(party.directory.rglob("*")) - set(before)}
    assert {name for name in new if not name.startswith("home/softhsm")} <= {"home/lock"}
    return found


def configure(party: Party, uri: str, settings: Mapping[str, Mapping[str, str]]) -> None:
    Config(party.name, uri, settings).save(party.home)


def test_a_good_set_up(people: list[Party]) -> None:
    found = findings(people[0])
    assert any(line.startswith("frost-hsm ") and "Python" in line for line in found[True])
    assert any("FROST-P256-SHA256-v1 computes on libcrypto" in line for line in found[True])
    assert any("is private, its lock is free" in line for line in found[True])
    assert 'backend "software" loads  [used]' in found[True]
    assert any("holds the identity of alice" in line for line in found[True])
    assert [line.partition(" is ")[2] for line in found[False]] == [
        "software: it can be copied; never put an older copy of it back, for used nonces come back with it, "
        "and nonces that serve twice reveal your share"
    ]


def test_a_curve_that_nothing_computes_in_constant_time(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Group:
        raise NoConstantTime("pycryptodome runs without its C code")

    without = Ciphersuite("ed25519", "FROST-ED25519-SHA512-v1", ED25519._hashing, refuse)
    monkeypatch.setattr(doctor, "ALL", (without, P256))
    found = findings(people[0])
    assert any(
        line.startswith("FROST-ED25519-SHA512-v1 cannot be used: pycryptodome runs without its C code; install")
        for line in found[False]
    )
    assert any("FROST-P256-SHA256-v1 computes on libcrypto" in line for line in found[True])


def test_nothing_is_set_up(people: list[Party]) -> None:
    shutil.rmtree(people[0].directory / "home")
    found = findings(people[0])
    assert f"there is no state directory {people[0].directory / 'home'}; make one: frost-hsm setup" in found[False]
    assert sum("state directory" in line for line in found[False]) == 1


def test_a_home_open_to_others(people: list[Party]) -> None:
    (people[0].directory / "home").chmod(0o755)
    assert any("home is open to other users; chown it" in line for line in findings(people[0])[False])


def test_a_broken_configuration(people: list[Party]) -> None:
    (people[0].directory / "home/config.toml").write_text("]")
    assert any("config.toml is not TOML" in line for line in findings(people[0])[False])


def test_a_token_that_is_not_there(people: list[Party]) -> None:
    Path(people[0].uri.removeprefix("software:")).unlink()
    assert any("alice.token" in line for line in findings(people[0])[False])


def test_few_tries_left(people: list[Party]) -> None:
    alice = people[0]
    with pytest.raises(PinIncorrect):
        backends.load("software", {}, None).open(alice.uri, lambda info: "wrong")  # type: ignore[arg-type]
    assert any("a wrong PIN was given lately; few tries may be left" in line for line in findings(alice)[False])


def test_a_module_that_is_not_there(people: list[Party]) -> None:
    configure(people[0], "pkcs11:token=x?module-name=none", {"pkcs11": {"none": "/nowhere/none.so"}})
    assert any("/nowhere/none.so" in line for line in findings(people[0])[False])


def test_a_module_that_is_none(people: list[Party]) -> None:
    text = people[0].directory / "module.so"
    text.write_text("not a library")
    configure(people[0], "pkcs11:token=x?module-name=text", {"pkcs11": {"text": str(text)}})
    assert any("module.so" in line for line in findings(people[0])[False])


def test_a_softhsm_token_without_identity(
    people: list[Party], softhsm_module: str, new_token: Callable[..., TokenFixture]
) -> None:
    token = new_token("doctor")
    configure(people[0], f"{token.uri}?module-name=softhsm", {"pkcs11": {"softhsm": softhsm_module}})
    found = findings(people[0])
    assert any('token "doctor"' in line and "holds no identity yet" in line for line in found[False])
    assert any("its user PIN is set" in line for line in found[True])


def test_a_softhsm_token_without_pin(people: list[Party], softhsm_module: str) -> None:
    softhsm.initialise(softhsm_module, "no-pin", None)
    configure(people[0], "pkcs11:token=no-pin?module-name=softhsm", {"pkcs11": {"softhsm": softhsm_module}})
    assert any("its user PIN is not set" in line for line in findings(people[0])[False])


def test_it_says_how_to_make_a_softhsm_token(people: list[Party], softhsm_module: str, tmp_path: Path) -> None:
    """In a process of its own: this one has tokens already."""
    configuration = softhsm.configure(tmp_path)
    configure(people[0], "pkcs11:token=x?module-name=softhsm", {"pkcs11": {"softhsm": softhsm_module}})
    set_up = f"import os; os.environ['SOFTHSM2_CONF'] = {str(configuration)!r}; "
    ran = people[0].launch("doctor", program=(sys.executable, "-c", f"{set_up}from frost_hsm.cli import main; main()"))
    assert ran.status == 0
    assert "softhsm2-util --init-token --free --label" in ran.stdout


def test_a_broken_plug_in_breaks_nothing_else(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    class Explodes:
        def __init__(self, *_: object) -> None:
            raise RuntimeError("the plug-in exploded")

    broken = (("vault", "no_such_module:Backend"), ("bomb", "cli_test_bomb:Explodes"))
    entries = [EntryPoint(name, value, backends.ENTRY_POINT_GROUP) for name, value in broken]
    monkeypatch.setitem(sys.modules, "cli_test_bomb", type("Module", (), {"Explodes": Explodes}))
    monkeypatch.setattr(plugins, "entries", lambda group: entries)
    found = findings(people[0])
    assert any("No module named 'no_such_module'" in line and "[not used]" in line for line in found[False])
    assert any("the plug-in exploded" in line and "[not used]" in line for line in found[False])
    assert 'backend "software" loads  [used]' in found[True]
    assert people[0].run("keys", "list").status == 0


def test_with_the_pin_the_keys_are_tried(people: list[Party]) -> None:
    """``people`` are in SoftHSM2 or software tokens; nothing is written, and the PIN is tried once."""
    found = findings(people[0], "--login", "--pin-source", f"file:{people[0].directory / 'pin'}")
    assert any(line.endswith(": the PIN is right") for line in found[True])
    assert "your sign key signs, and its signatures verify" in found[True]
    assert "your agree key opens what is encrypted to it, by ECDH" in found[True]


def test_keys_that_could_be_adopted_are_listed_with_the_command(
    people: list[Party], new_token: Callable[..., TokenFixture], softhsm_module: str
) -> None:
    alice, fixture = people[0], new_token("tools")
    tool = ["pkcs11-tool", "--module", softhsm_module, "--token-label", fixture.label, "--login", "--pin", fixture.pin]
    for key_id, *options in (("01", "--usage-sign"), ("02", "--usage-sign", "--usage-derive")):
        command = [*tool, "--keypairgen", "--key-type", "EC:prime256v1", "--id", key_id, "--sensitive", *options]
        subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(alice.directory / "home")
    StateDirectory.create(alice.directory / "home")
    configure(alice, f"{fixture.uri}?module-name=softhsm", {"pkcs11": {"softhsm": softhsm_module}})
    found = findings(alice, "--login", "--pin-source", f"file:{alice.directory / 'pin'}")
    (line,) = [line for line in found[True] if line.startswith("to adopt keys")]
    command = line.partition(": ")[2].split()
    assert command[:3] == ["frost-hsm", "identity", "create"]
    adopted = alice.run(*command[1:], "--pin-source", f"file:{alice.directory / 'pin'}")
    assert adopted.status == 0, adopted.stderr
    assert any(line.startswith('key 02 "" can sign and agree') for line in found[True])
