"""What people read before they do anything: help, and what their shell completes."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from frost_hsm import cli
from frost_hsm.cli.program import frost_hsm


def every_command() -> Iterator[tuple[str, ...]]:
    """Name every group and command there is."""
    for name in cli.COMMANDS:
        yield (name,)
        command = frost_hsm.get_command(click.Context(frost_hsm), name)
        if isinstance(command, click.Group):
            yield from ((name, verb) for verb in command.commands)


def found(words: tuple[str, ...]) -> click.Command:
    command: click.Command | None = frost_hsm
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    return command


def test_the_commands_that_people_know_are_there() -> None:
    assert {" ".join(words) for words in every_command()} >= {
        "init",
        "doctor",
        *("token", "token list"),
        *("identity", "identity create", "identity show", "identity export"),
        *("peer", "peer add", "peer list", "peer remove"),
        *("dkg", "dkg propose", "dkg round1", "dkg round2", "dkg finish", "dkg confirm", "dkg status", "dkg abort"),
        *("sign", "sign request", "sign commit", "sign respond", "sign aggregate", "sign status"),
        *("sign check", "sign preprocess", "sign discard", "dealer split", "dealer refresh", "dealer accept"),
        "verify",
        *("keys", "keys list", "keys show", "keys export", "keys delete"),
        "inspect",
        "completion",
    }


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_short_help_is_the_commands_own(name: str) -> None:
    assert found((name,)).get_short_help_str(limit=100) == cli.COMMANDS[name]


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_help_of_the_program_is_one_text(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([option]) == 0
    assert capsys.readouterr().out == cli.help_text()
    assert frost_hsm.get_help(click.Context(frost_hsm)) + "\n" == cli.help_text()
    assert all(f"  {name} " in cli.help_text() for name in cli.COMMANDS)
    assert max(map(len, cli.help_text().splitlines())) <= 80


def test_the_help_of_the_program_says_what_a_token_does_not_do() -> None:
    text = " ".join(cli.help_text().split())
    assert "no stock token can compute with the share" in text
    assert "the share is in this machine's memory for an instant" in text


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*words, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.startswith(f"Usage: frost-hsm {' '.join(words)} ")
    command = found(words)
    first = (command.help or "").split("\n\n")[0]
    assert first.endswith(".")
    assert len(first) <= 80, "the first line is shown in lists"
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    assert all(each.help and each.help.endswith(".") for each in options)
    if not isinstance(command, click.Group):
        assert "--json" in shown.out
        assert "--home" in shown.out
    assert "--pin " not in shown.out
    assert "--token URI" in shown.out or "--pin-source SOURCE" not in shown.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("sign", "the token keeps it, and cannot compute with it"),
        ("verify", "Needs no token and no PIN"),
        ("sign aggregate", "Needs no token"),
        ("sign check", "Needs no token"),
        ("sign preprocess", "serves one signature"),
        ("dealer", "could bring stolen old shares up to date"),
        ("dkg confirm", "Needs no token"),
        ("keys delete", "this program does not bring it back"),
        ("dkg abort", "--yes does not answer that"),
        ("peer add", "--yes says that you have"),
        ("doctor", "The exit status is 0 whatever is found"),
    ],
)
def test_help_says_what_matters(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run([*words.split(), "--help"])
    assert says in " ".join(capsys.readouterr().out.split())
