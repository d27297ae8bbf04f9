"""How arguments are taken, on every command: twice, empty, with ~."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli.judging import error_of, refused
from cli.test_help import every_command, found
from stage import parties
from stage.parties import KEY, PROGRAM, Party

from frost_hsm.cli import options, parsing
from frost_hsm.cli.options import split_names
from frost_hsm.cli.parsing import called
from frost_hsm.cli.talk import output


def every_option() -> Iterator[tuple[tuple[str, ...], click.Option]]:
    for words in every_command():
        for parameter in found(words).params:
            if isinstance(parameter, click.Option) and not isinstance(found(words), click.Group):
                yield words, parameter


def required(command: click.Command) -> list[str]:
    """What a command needs to be taken apart at all."""
    words: list[str] = []
    for parameter in command.params:
        if not parameter.required:
            continue
        value = parameter.type.choices[0] if isinstance(parameter.type, click.Choice) else "2"
        words += [value, value] if isinstance(parameter, click.Argument) and parameter.nargs == -1 else []
        words += [value] if isinstance(parameter, click.Argument) and parameter.nargs == 1 else []
        words += [parameter.opts[0], value] if isinstance(parameter, click.Option) else []
    return words


def test_an_option_that_is_given_twice_is_an_error_or_adds_up() -> None:
    """Collected: every option of every command that takes a value."""
    looked_at = 0
    for words, option in every_option():
        if option.is_flag or option.hidden:
            continue
        looked_at += 1
        command, value = found(words), "3"
        if isinstance(option.type, click.Choice):
            value = option.type.choices[0]
        given = required(command)
        twice = [option.opts[0], f"a{value}=b" if option.multiple and "=" in (option.metavar or "") else value] * 2
        context = click.Context(command, info_name=words[-1])
        if option.multiple:
            command.parse_args(context, [*given, *twice])
            taken = context.params[str(option.name)]
            assert len(taken) >= (1 if isinstance(taken, dict) else 2), words
            continue
        with pytest.raises(click.UsageError, match="times, and counts once"):
            command.parse_args(context, [*given, *twice])
    assert looked_at > 100


def test_lists_of_names_add_up(people: list[Party]) -> None:
    ran = people[0].run("dkg", "propose", "k", "-t", "2", "--with", "bob", "--with", "carol")
    assert ran.status == 0
    assert "alice (you), bob, carol" in " ".join(ran.stdout.split())


def test_an_empty_value_is_an_error() -> None:
    """Collected: an unset variable of a script is no folder, no file and no name."""
    looked_at = 0
    for words in every_command():
        command = found(words)
        for parameter in command.params:
            if isinstance(parameter.type, parsing.Text):
                looked_at += 1
                with pytest.raises(click.BadParameter, match="it is empty; a variable that is not set"):
                    parameter.type_cast_value(click.Context(command), [""] if takes_several(parameter) else "")
    assert looked_at > 150


def takes_several(parameter: click.Parameter) -> bool:
    return parameter.multiple or parameter.nargs == -1


def test_a_tilde_is_the_home_directory_wherever_a_file_is_named(
    people: list[Party], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    alice = people[0]
    (alice.directory / "home").rename(tmp_path / "state")
    assert alice.run("identity", "export", "--home", "~/state", "-o", "~/me.pem").status == 0
    assert (tmp_path / "me.pem").exists()
    assert subprocess.run([*PROGRAM, "peer", "list", "--home=~/state"], check=True, capture_output=True).stdout
    monkeypatch.setenv("FROST_HSM_HOME", "~/state")
    done = subprocess.run([*PROGRAM, "peer", "list"], cwd=tmp_path, capture_output=True, check=True)
    assert b"bob" in done.stdout
    assert not (tmp_path / "~").exists()
    assert parsing.NamedFile().convert("bob:1=~/x", None, None) == f"bob:1={tmp_path}/x"
    kinds = {called(parameter) for words, parameter in every_option() if isinstance(parameter.type, parsing.File)}
    assert kinds >= {"FILE", "DIR"}


def test_a_token_that_is_named_is_looked_at(people: list[Party]) -> None:
    alice, bob, _ = people
    assert "Identity of alice" in alice.run("identity", "show").stdout
    assert "Identity of bob" in alice.run("identity", "show", "--token", bob.uri).stdout
    assert alice.run("identity", "show", "--token", "software:none").status == 69
    assert alice.run("identity", "show", "--token", "nonsense").status != 0


def test_several_peers_at_once(people: list[Party]) -> None:
    alice, *others = people
    for party in others:
        alice.home.remove(f"peers/{party.name}.pem")
        (alice.directory / f"{party.name}.pem").write_bytes(party.public.to_pem())
    ran = alice.run("peer", "add", "bob.pem", "carol.pem", "--json")
    assert ran.status == 0
    assert alice.home.names("peers") == ["bob.pem", "carol.pem"]
    refused(
        alice, "peer", "add", "bob.pem", "carol.pem", "--fingerprint", "00" * 16,
        status=2, code="usage", says="a fingerprint belongs to one file",
    )  # fmt: skip
    (alice.directory / "bob.pem").write_text("")
    alice.home.remove("peers/carol.pem")
    assert alice.run("peer", "add", "carol.pem", "bob.pem").status == 65
    assert alice.home.names("peers") == ["bob.pem"]  # all, or none


def test_what_is_no_signature_is_not_called_a_bad_one(group: list[Party]) -> None:
    alice = group[0]
    folder, signature = alice.directory, parties.sign(group[:2], b"hello")
    (folder / "m").write_bytes(b"hello")
    files = {
        "sig": signature,
        "base64": base64.b64encode(signature),
        "hex": signature.hex().encode(),
        "line": signature + b"\n",
        "empty": b"",
        "short": signature[:-1],
        "bad": signature[:-1] + bytes([signature[-1] ^ 1]),
        "noise": bytes(len(signature)),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    for name, status, says in (
        ("sig", 0, ""),
        (
            "base64",
            65,
            "base64 is no signature: it has 88 bytes, and one of p256 has 65; it looks like base64",
        ),
        ("hex", 65, "hex is no signature: it has 130 bytes, and one of p256 has 65; it looks like hex"),
        ("line", 65, "line is no signature: it has 66 bytes, and one of p256 has 65; a line feed was added at its end"),
        (
            "empty",
            65,
            "empty is no signature: it has 0 bytes, and one of p256 has 65; it looks like nothing",
        ),
        ("short", 65, "short is no signature: it has 64 bytes, and one of p256 has 65"),
        ("bad", 10, "BAD signature: bad is not a signature by treasury on m"),
        ("noise", 10, "BAD signature: noise is not a signature by treasury on m"),
    ):
        ran = alice.run("verify", "--key", KEY, "m", name, "--json")
        assert ran.status == status, name
        assert status == 0 or says in error_of(ran)["message"]
    swapped = error_of(alice.run("verify", "--key", KEY, "sig", "m", "--json"))
    assert swapped["message"].endswith("; sig has 65: is it the other way round?")
    both = alice.run("verify", "--key", KEY, "m", "bad", "m", "hex", "m", "sig", "--json")
    assert both.status == 10
    assert error_of(both)["message"].startswith(
        "BAD signature, 1 of 3: bad is not a signature by treasury on m\n  hex is"
    )


def test_tables_fit_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ["treasury", "021b077caede4a2f", "p256", "2 of 3", "active"],
        ["other", "03" * 8, "p256", "2 of 3", "pending"],
    ]
    header = ["NAME", "KEY", "SUITE", "THRESHOLD", "STATE"]
    monkeypatch.setattr(output, "_width", lambda: 80)
    assert output.table(header, rows)[1] == "treasury  021b077caede4a2f  p256   2 of 3     active"
    monkeypatch.setattr(output, "_width", lambda: 50)
    lines = output.table(header, rows)
    assert lines[:2] == ["NAME       treasury", "KEY        021b077caede4a2f"]
    assert "" in lines
    assert max(map(len, lines)) <= 50


@pytest.mark.parametrize("when", ["always", "never"])
def test_colour_on_request(people: list[Party], when: str) -> None:
    for option in (["--color", when], [f"--color={when}"]):
        done = subprocess.run([*PROGRAM, "keys", "show", "x", *option], capture_output=True, text=True, check=False)
        assert ("\x1b[31merror:\x1b[0m" in done.stderr) == (when == "always")
    assert "always" in options.COLOURED


def test_names_stand_apart_by_commas_or_blanks() -> None:
    for given in ("alice,bob", "alice, bob", "alice bob", " alice ,,bob "):
        assert split_names(given) == ["alice", "bob"]
