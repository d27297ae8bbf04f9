"""What the pages name is there: pages, headings, files of the repository, commands and their options."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from stage import walkthrough

from frost_hsm import cli, manual
from frost_hsm.cli.program import frost_hsm

ROOT = walkthrough.CHECKOUT
OURS = {
    "README.md": walkthrough.README,
    ".github/CHANGELOG.md": ROOT / ".github" / "CHANGELOG.md",
    **{f"{name}.md": path for name, path in walkthrough.PAGES.items()},
    **{path.name: path for path in sorted((ROOT / ".github").glob("*.md"))},
}
PAGES = pytest.mark.parametrize("path", OURS.values(), ids=OURS)

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)]+)\)")
_FILE = re.compile(r"(?:tests|frost_hsm|softhsm-config|\.ci|\.github)/[\w./-]*")


def prose(text: str) -> str:
    return _FENCED.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors that a page gets for its headings."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)", prose(text), re.MULTILINE)
    }


def test_every_page_is_in_one_section_and_has_a_title() -> None:
    assert sorted(manual.NAMES) == sorted(path.stem for path in Path(manual.__file__).parent.glob("*.md"))
    assert len(set(manual.NAMES)) == len(manual.NAMES)
    for name in manual.NAMES:
        assert re.match(r"# \S.*\n\n\S", manual.page(name)), name
        assert manual.title(name)


@PAGES
def test_links_lead_somewhere(path: Path) -> None:
    for link in _LINK.findall(prose(path.read_text())):
        if re.match("https?:", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), link
        if path.parent == Path(manual.__file__).parent:
            assert there.parent == path.parent, f"{link} is not in the wheel"
        if anchor:
            assert anchor in anchors(there.read_text()), link


def typed(text: str) -> Iterator[str]:
    """Every command of ours in a text, from its name on: in code spans, sessions and what is for reading."""
    for block in _FENCED.findall(text):
        for line in re.findall(r"^(?:\w+\$ )?(frost-hsm .*)", block, re.MULTILINE):
            yield line.removeprefix("frost-hsm ")
    yield from re.findall(r"^ {4}frost-hsm (.*)", text, re.MULTILINE)
    for span in _SPAN.findall(prose(text)):
        words = " ".join(span.split())
        if words.startswith("frost-hsm "):
            yield words.removeprefix("frost-hsm ")
        elif words.partition(" ")[0] in cli.COMMANDS and " " in words:
            yield words


def test_what_contributors_are_told_to_run_is_there() -> None:
    blocks = _FENCED.findall((ROOT / ".github/CONTRIBUTING.md").read_text())
    words = [word for block in blocks for line in block.splitlines() for word in line.split()]
    named = [word for word in words if _FILE.match(word)]
    assert len(named) >= 4
    assert [word for word in named if not (ROOT / word).exists()] == []


def words_of(line: str) -> list[str]:
    """The words of the first command of a line, as a shell takes them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: not set(word) <= set(";|>&"), lexer))


def problem(line: str) -> str | None:
    """What is wrong with a command as a page has it: an unknown word or option."""
    words = words_of(line)
    command: click.Command = frost_hsm
    while words and isinstance(command, click.Group) and re.fullmatch("[a-z0-9]+", words[0]):
        word = words.pop(0)
        below = command.get_command(click.Context(command), word)
        if below is None:
            return f"there is no command {word}"
        command = below
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        option = word.partition("=")[0]
        if re.match("-[a-z-]", option) and option not in {*known, "--help", "-h"}:
            return f"there is no option {option}"
    return None


@PAGES
def test_commands_and_their_options_exist(path: Path) -> None:
    for line in typed(path.read_text()):
        assert problem(line) is None, f"frost-hsm {line}: {problem(line)}"


@pytest.mark.parametrize("line", ["dkg nonsense", "nonsense", "sign commit --nonsense", "help --as x"])
def test_what_does_not_exist_is_found(line: str) -> None:
    assert problem(line) is not None


def test_the_readme_is_short() -> None:
    data = walkthrough.README.read_bytes()
    assert len(data) <= 12_000
    assert len(data.splitlines()) <= 200
