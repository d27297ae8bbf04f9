"""What a shell completes: names from the state directory, files wherever files are meant, in bash, zsh and fish."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli.at_terminal import Session
from cli.test_help import every_command, found
from stage import parties
from stage.parties import KEY, PROGRAM, Party

from frost_hsm.cli import parsing
from frost_hsm.cli.parsing import called

SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-C", "function fish_prompt; echo -n 'ready> '; end"),
}
LOAD = {
    "bash": "source <(frost-hsm completion bash)",
    "zsh": "source <(frost-hsm completion zsh)",
    "fish": "frost-hsm completion fish | source",
}


@pytest.fixture
def alice(group: list[Party], tmp_path: Path) -> Party:
    """Alice, with the program where shells find it, files and a folder."""
    alice = group[0]
    program = tmp_path / "bin/frost-hsm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    for name in ("quite other.pem", "in/message.pem"):
        (alice.directory / name).parent.mkdir(exist_ok=True)
        (alice.directory / name).touch()
    return alice


# ── What is offered ──


def offered(party: Party, *words: str) -> list[tuple[str, str]]:
    """Ask as the scripts do: the last word is the one being typed. Returns kinds and values."""
    environment = {
        "_FROST_HSM_COMPLETE": "bash_complete",
        "COMP_LINE": " ".join(["frost-hsm", *words]),
        "FROST_HSM_HOME": str(party.directory / "home"),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    done = subprocess.run(PROGRAM, env=environment, cwd=party.directory, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    lines = [line.split("\x1f") for line in done.stdout.splitlines() if line]
    return [(kind, lead + value) for kind, lead, value in lines]


def names(*values: str) -> list[tuple[str, str]]:
    return [("plain", value) for value in values]


def test_names_are_completed_without_a_token(group: list[Party]) -> None:
    alice = group[0]
    wanted = parties.request(group[:2], b"hello")
    parties.commit([alice], wanted)
    shutil.rmtree(alice.directory / "pin", ignore_errors=True)
    Path(alice.uri.removeprefix("software:")).unlink()
    assert offered(alice, "k") == names("keys")
    assert offered(alice, "keys", "show", "tr") == names(KEY)
    assert offered(alice, "dkg", "status", "") == names(KEY)
    assert offered(alice, "peer", "remove", "") == names("bob", "carol")
    assert offered(alice, "dkg", "propose", "x", "--with", "bob,") == names("bob,carol")
    assert offered(alice, "completion", "z") == names("zsh")
    # Names and files, where both are meant.
    assert offered(alice, "verify", "--key", "t") == [*names(KEY), ("file", "t")]
    assert offered(alice, "sign", "status", "") == [*names(alice.session(wanted).id.hex()), ("file", "")]
    # Where a path is only a part of a word.
    assert offered(alice, "peer", "list", "--home=h") == [("dir", "--home=h")]
    assert offered(alice, "identity", "create", "--pin-source", "f") == names("file:", "fd:")
    assert offered(alice, "identity", "create", "--pin-source", "file:pi") == [("file", "file:pi")]
    assert offered(alice, "sign", "request", KEY, "m", "--prepared", "bob:1=a") == [("file", "bob:1=a")]


def test_nothing_is_completed_where_nothing_is_set_up(people: list[Party]) -> None:
    shutil.rmtree(people[0].directory / "home")
    assert offered(people[0], "keys", "show", "") == []


def every_parameter() -> Iterator[tuple[str, click.Parameter]]:
    for words in every_command():
        command = found(words)
        if not isinstance(command, click.Group):
            yield from ((" ".join(words), parameter) for parameter in command.params)


def test_it_is_known_what_every_value_is() -> None:
    """Collected: what help calls it decides what is offered, and what an empty value or ~/ means."""
    for command, parameter in every_parameter():
        name = called(parameter)
        if name is None or name in ("SHELL", "TEXT") or not isinstance(parameter.type, parsing.Text):
            assert name in (None, "SHELL", "TEXT") or parameter.type is not click.STRING, (command, name)
            continue
        context = click.Context(found(tuple(command.split())))
        offers = {item.type for item in parameter.shell_complete(context, "a=b")}
        wants_files = isinstance(parameter.type, parsing.File | parsing.NamedFile)
        assert not wants_files or offers & {"file", "dir"}, (command, name)


# ── In the shells ──


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_completes(alice: Party, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    quoted = "quite\\ other.pem"
    lines = {
        "peer add qui": quoted,
        "verify --key qui": quoted,
        f"verify --key {KEY[:3]}": KEY,
        "sign commit qui": quoted,
        "inspect in/mes": "in/message.pem",
        f"dkg round2 {KEY} --in i": "in/",
        "identity export -o qui": quoted,
        "peer list --home=ho": "--home=home/",
        "identity create --pin-source file:pi": "file:pin",
        "peer remove car": "carol",
        "compl": "completion",
    }
    environment = {
        "PS1": "ready> ",
        "TERM": "dumb",
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(tmp_path),
        "FROST_HSM_HOME": str(alice.directory / "home"),
    }
    with Session((), cwd=alice.directory, program=SHELLS[shell], environment=environment) as at:
        at.expect("ready> ")
        at.type(f"{LOAD[shell]}; echo load''ed\n")
        at.expect("loaded\r\n")
        at.expect("ready> ")
        for line, completed in lines.items():
            at.type(f"frost-hsm {line}\t")
            at.expect(completed.removeprefix(line.split(" ")[-1].split("=")[-1].split(":")[-1]))
            at.type("\x15")  # away with the line
