"""``frost-hsm help``: every page, every command and every error code is found, on a terminal and elsewhere."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from frost_hsm import cli, manual
from frost_hsm.cli.talk.markdown import rendered
from frost_hsm.manual import error_codes, public_names


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.run(["help", *words]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def test_pages_are_listed_by_section(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys).splitlines()
    for section, names in manual.SECTIONS.items():
        at = lines.index(section)
        assert [line.split()[0] for line in lines[at + 1 : at + 1 + len(names)]] == list(names)
    assert max(map(len, lines)) <= 90


@pytest.mark.parametrize("name", manual.NAMES)
def test_a_page_is_shown_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, name)
    assert text.startswith(f"# {manual.title(name)}\n")
    assert "<!--" not in text
    words = manual.page(name).split()
    assert set(words) - {"<!--", "-->", "commands", "errors", "names"} <= set(text.split())


@pytest.mark.parametrize("words", [("dkg", "round1"), ("dkg-round1",), ("dkg round1",), ("DKG", "Round1")])
def test_a_command_is_a_topic(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["dkg", "round1", "--help"]) == 0
    usage = capsys.readouterr().out.splitlines()[0]
    assert usage in shown(capsys, *words).splitlines()


def test_a_page_and_a_command_of_one_name_are_shown_both(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "refresh")
    assert text.startswith("# New shares for the same key\n")
    assert "Usage: frost-hsm refresh [OPTIONS] COMMAND" in text


@pytest.mark.parametrize("code", ["waiting", "pin-locked", "nonce-used"])
def test_an_error_code_is_a_topic(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, code)
    assert text.startswith(f"# {code}\n\nExit status ")
    assert "What to do: " in text


def test_the_page_of_errors_has_every_code_with_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "errors")
    assert error_codes.codes()
    for code, said in error_codes.codes().items():
        assert f"\n## {code}\n" in text
        assert said.count("\n\n") >= 2


def test_the_page_of_commands_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "commands")
    assert "\n| `dkg round1` | Agree to PROPOSAL, a file, and send your commitment. |\n" in text
    assert all(f"\n| `{name}" in text for name in cli.COMMANDS)


def test_pages_are_the_same_where_python_leaves_docstrings_away() -> None:
    program = "from frost_hsm.manual import error_codes, public_names as p; print(error_codes.text(), p.text(), end='')"
    command = [sys.executable, "-OO", "-c", program]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown == f"{error_codes.text()} {public_names.text()}"


@pytest.mark.parametrize(
    ("topic", "meant"),
    [("waitng", "waiting"), ("bord", "boards"), ("YubiHSM", "tokens"), ("dkg roundone", "dkg-round1")],
)
def test_an_unknown_topic_gets_suggestions(topic: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["help", topic]) == 66
    said = capsys.readouterr().err
    assert f"frost-hsm help {meant}" in said.splitlines()[1]


def test_a_topic_like_nothing_is_told_where_topics_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["help", "zzzzzz"]) == 66
    assert "hint: frost-hsm help lists the pages" in capsys.readouterr().err


def test_a_page_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    page = json.loads(shown(capsys, "threats", "--json").splitlines()[-1])
    assert (page["topic"], page["text"]) == ("threats", manual.page("threats"))


def test_on_a_terminal_the_pager_shows_it() -> None:
    outer, inner = pty.openpty()
    environment = {**os.environ, "PAGER": "sed s/^/paged:/", "TERM": "xterm", "COLUMNS": "60"}
    program = [sys.executable, "-m", "frost_hsm", "help", "boards"]
    with subprocess.Popen(program, stdin=inner, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        text = b""
        try:
            while data := os.read(outer, 65536):
                text += data
        except OSError:  # Linux says so when the other side is closed
            pass
    os.close(outer)
    assert process.returncode == 0
    assert text.startswith(b"paged:Over a board, without carrying files\r\n")


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("name", manual.NAMES)
def test_pages_fit_a_terminal(name: str, width: int) -> None:
    text = rendered(manual.page(name), width)
    plain = [line for line in text.splitlines() if " " in line.strip() and not line.startswith("  ")]
    assert max(map(len, plain)) <= width + 30  # a path or a name is not broken
    assert "```" not in text
    assert "](" not in text


def test_links_name_the_page_as_it_is_typed() -> None:
    assert rendered("# A\n\nsee [suites](suites.md#x), [it](https://a.example/)\n", 80) == (
        "A\n=\n\nsee suites (help suites), it (https://a.example/)\n"
    )


def test_a_table_is_a_list_where_it_is_too_wide() -> None:
    table = "# A\n\n| a | b |\n|---|---|\n| one | two three |\n"
    assert rendered(table, 80).endswith("a    b\none  two three\n")
    assert rendered(table, 12).endswith("one\n    b: two\n      three\n")


def test_every_public_name_is_in_the_reference() -> None:
    import frost_hsm

    parts = re.split(r"^#+ ", public_names.text(), flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts if not part.partition("\n")[2].strip()] == [], "says nothing"
    names = public_names.names()
    for name in frost_hsm.__all__:
        assert name in names
    assert {"KeyGeneration.round1", "Refresh.confirm"} <= set(names), "what it has from what it is made of"
    assert {"dkg.part1", "GroupKey.load", "frost_hsm.backends.Token", "frost_hsm.boards.Board.post"} <= set(names)
