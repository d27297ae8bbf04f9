"""``frost-hsm help``: the manual, which is shipped with the program."""

from __future__ import annotations

import difflib
import shutil
import sys
from collections.abc import Iterator, Mapping

import click

from frost_hsm import manual
from frost_hsm.cli import PROGRAM, completing
from frost_hsm.cli.options import command
from frost_hsm.cli.talk import pager
from frost_hsm.cli.talk.markdown import rendered
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotKnown
from frost_hsm.manual import error_codes, public_names

_WIDEST = 100


@command(None, "help")
@click.argument("topic", nargs=-1, metavar="[TOPIC]...", shell_complete=completing.topics)
@click.option("--no-pager", is_flag=True, help="Write the page to stdout, on a terminal too.")
def help(place: Workplace, topic: tuple[str, ...], no_pager: bool) -> Result:
    """Read the manual: its pages, or one of them.

    Without TOPIC, the pages are listed. TOPIC is a page, a command (dkg round1), or the code of an error in --json. On
    a terminal a page is shown by $PAGER; elsewhere it is written as it is, in Markdown.
    """
    if not topic:
        return Result("help", list(_contents()), {"sections": {name: list(of) for name, of in manual.SECTIONS.items()}})
    name = "-".join(" ".join(topic).split()).removesuffix(".md").lower()
    text = _topic(name)
    if text is None:
        raise NotKnown(f'the manual has no page "{name}"', hint=_suggestion(name))
    if _as_json():
        return Result("help", fields={"topic": name, "text": text})
    if sys.stdout is not None and sys.stdout.isatty() and not no_pager:
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        pager.show(rendered(text, width), sys.stdout.fileno())
        return Result("help")
    return Result("help", text.splitlines())


def _as_json() -> bool:
    return bool(click.get_current_context().params["as_json"])


def _contents() -> Iterator[str]:
    widest = max(map(len, manual.NAMES))
    for section, names in manual.SECTIONS.items():
        yield section
        yield from (f"  {name:<{widest}}  {manual.title(name)}" for name in names)
        yield ""
    yield f"Read one: {PROGRAM} help NAME. A command is a topic too: {PROGRAM} help dkg round1"


def _topic(name: str) -> str | None:
    """Return all that there is on a topic: its page, then the command of that name; or an error code."""
    found = [_filled(name)] if name in manual.NAMES else []
    if (words := _commands().get(name)) is not None:
        found.append(_help_of(words, "##" if found else "#"))
    if not found and (code := error_codes.codes().get(name)) is not None:
        found.append(code.removeprefix("#"))
    return "\n".join(found) or None


def _filled(name: str) -> str:
    """Return a page with what programs put into it."""
    text = manual.page(name)
    for mark, make in _MADE.items():
        if mark in text:
            text = text.replace(mark, make())
    return text


def _table_of_commands() -> str:
    rows = [
        f"| `{' '.join(words)}` | {found.get_short_help_str(limit=200)} |"
        for words in _commands().values()
        if not isinstance(found := _find(words), click.Group)
    ]
    return "\n".join(["| command | |", "|---|---|", *rows])


_MADE = {
    "<!-- commands -->": _table_of_commands,
    "<!-- errors -->": error_codes.text,
    "<!-- names -->": public_names.text,
}
"""What a comment in a page stands for."""


def _commands() -> Mapping[str, tuple[str, ...]]:
    """Return the words of every command and group, by its topic: dkg-round1."""

    def below(words: tuple[str, ...], found: click.Command) -> Iterator[tuple[str, ...]]:
        if words:
            yield words
        if isinstance(found, click.Group):
            for verb in found.list_commands(click.Context(found)):
                yield from below((*words, verb), _find((*words, verb)))

    return {"-".join(words): words for words in below((), _find(()))}


def _find(words: tuple[str, ...]) -> click.Command:
    from frost_hsm.cli.program import frost_hsm  # which loads this command by its name

    found: click.Command = frost_hsm
    for word in words:
        below = found.get_command(click.Context(found), word) if isinstance(found, click.Group) else None
        if below is None:
            raise NotKnown(f"there is no command {' '.join(words)}")
        found = below
    return found


def _help_of(words: tuple[str, ...], mark: str) -> str:
    found = _find(words)
    name = f"{PROGRAM} {' '.join(words)}"
    width = min(shutil.get_terminal_size().columns, _WIDEST) - 2
    with click.Context(found, info_name=name, terminal_width=width, help_option_names=["-h", "--help"]) as context:
        return f"{mark} {name}\n\n```text\n{found.get_help(context)}\n```\n"


def _suggestion(name: str) -> str:
    """Say which topics are meant, perhaps: those that are written alike, or else those that speak of it."""
    every = [*manual.NAMES, *_commands(), *error_codes.codes()]
    words = name.replace("-", " ")
    near = difflib.get_close_matches(name, every, n=3)
    near += [each for each in manual.NAMES if words in manual.page(each).lower() and each not in near]
    shown = [f"{PROGRAM} help {each}" for each in near[:3]]
    return f"perhaps: {', '.join(shown)}" if shown else f"{PROGRAM} help lists the pages"
