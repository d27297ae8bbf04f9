"""How arguments are taken apart, the same way for every command.

A value that is given twice is an error, or adds up where it is a list of names: nothing that was typed is ignored. A
value that is empty is an error: mostly a variable of a script that is not set. ``~/`` is the home directory wherever
a file is named; the shell leaves it alone after ``=``.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frost_hsm.cli import completing
from frost_hsm.cli.talk.text import quoted
from frost_hsm.errors import UsageProblem
from frost_hsm.home_directory import expand

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # not generic before click 8.5

_MOST_WORDS = 20  # of a command line that are looked at for the name of a file which a shell took apart


class Shown(Exception):
    """Help, or the version, was asked for: this is the text. Whoever runs the command writes it to stdout."""


class _Help(click.Command):
    """A command whose help is written as all other output is."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _give_help
        return option


def _give_help(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        raise Shown(context.get_help())


class Group(_Help, click.Group):
    """A group of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which they come after one another."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with all of its first sentence."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_SENTENCE)) for name, each in commands.items() if each])


class Command(_Help):
    """A command; what its parameters are is settled by what help calls them."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        for parameter in self.params:
            _settle(parameter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments apart. Raises `click.UsageError` for an option that was given twice."""
        given = list(args)
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            raise self._explained(error, given) from None
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(given)
            for parameter, times in Counter(order).items():
                takes_one = isinstance(parameter, click.Option) and not (parameter.is_flag or parameter.multiple)
                if times > 1 and takes_one:
                    raise click.UsageError(f"{parameter.opts[-1]} was given {times} times, and counts once", ctx)
        return rest

    def _explained(self, error: click.UsageError, given: list[str]) -> Exception:
        """Say how it is written, if what is too much may be one of several names, or a part of a file's."""
        if "unexpected extra argument" not in error.message:
            return error
        lists = [option for option in self.params if isinstance(option, click.Option) and called(option) == "NAMES"]
        typed = [name for option in lists for name in option.opts if name in given]
        if (file := _file_of_several_words(given)) is not None:
            hint = f"the name of a file with blanks in it is quoted: {quoted(file)}"
        elif typed:
            hint = f"names are written with commas between them: {typed[0]} alice,bob"
        else:
            return error
        return UsageProblem(error.message[:1].lower() + error.message[1:].rstrip("."), hint=hint)


def _file_of_several_words(given: list[str]) -> str | None:
    """Find a file whose name a shell took apart, as it does where there are blanks."""
    words = given[:_MOST_WORDS]
    joined = (" ".join(words[start:end]) for start in range(len(words)) for end in range(start + 2, len(words) + 1))
    return next((name for name in joined if os.path.isfile(name)), None)  # noqa: PTH113 - any text will do


def group(function: Callable[[], None]) -> click.Group:
    """Make a group of commands of a function that has the group's name and its help."""
    return click.group(cls=Group, help=docstring(function))(function)


def docstring(function: Callable[..., object]) -> str | None:
    """Return the docstring, which Python leaves away with -OO, from the source then: it is what help says."""
    if function.__doc__ is not None or sys.flags.optimize < 2:
        return function.__doc__
    return _docstrings(function.__code__.co_filename).get(function.__name__)


@functools.cache
def _docstrings(path: str) -> dict[str, str | None]:
    functions = [node for node in ast.parse(Path(path).read_bytes()).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_docstring(node) for node in functions}


_SENTENCE = 200  # characters; longer ones would be cut


# ── What is given ────────────────────────────────────────────────────────────────────────────────────────────


class Text(_ParamType):
    """Some text, which is not empty."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it as it is."""
        if value == "":
            self.fail("it is empty; a variable that is not set?", param, ctx)
        return value


class File(Text):
    """The name of a file, ``-`` for stdin or stdout among them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it with the home directory in it."""
        text: str = super().convert(str(value), param, ctx)
        return str(expand(text)) if text.startswith("~/") else text

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem[str]]:
        """Offer files."""
        return [completing.path(incomplete)]


class Folder(File):
    """The name of a folder."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem[str]]:
        """Offer folders."""
        return [completing.path(incomplete, kind="dir")]


class NamedFile(Text):
    """A file after an equals sign: ``alice=a.json``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it with the home directory in it."""
        name, equals, path = str(super().convert(value, param, ctx)).rpartition("=")
        return name + equals + File().convert(path, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem[str]]:
        """Offer files, once it is said what for."""
        name, equals, path = incomplete.rpartition("=")
        return [completing.path(path, lead=name + equals)]


class Source(Text):
    """Where a PIN comes from."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem[str]]:
        """Offer the kinds of places, then files."""
        if incomplete.startswith("file:"):
            return [completing.path(incomplete.removeprefix("file:"), lead="file:")]
        kinds = ("prompt", "file:", "fd:", "env:")
        return [click.shell_completion.CompletionItem(kind) for kind in kinds if kind.startswith(incomplete)]


KINDS: dict[str, Text] = {
    **dict.fromkeys(("FILE", "FILES", "MESSAGE SIGNATURE [MESSAGE SIGNATURE"), File()),
    **dict.fromkeys(("PROPOSAL", "REQUEST", "DEALING", "BUNDLE", "COMPLAINT", "EVIDENCE", "NAME|FILE"), File()),
    "DIR": Folder(),
    "NAME[:LINE]=FILE": NamedFile(),
    "[ALIAS=]PATH": NamedFile(),
    "SOURCE": Source(),
    **dict.fromkeys(
        ("NAME", "NAMES", "KEY", "ID", "URI", "HEX", "BOARD", "TARGET", "TOPIC", "NAME=VALUE", "COMMAND"), Text()
    ),
}
"""What help calls a value → what it is."""


def called(parameter: click.Parameter) -> str | None:
    """Return what help calls the value of a parameter; None for a flag, a choice or a number."""
    if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.metavar is None):
        return None
    name = (parameter.metavar or (parameter.name or "").upper()).removesuffix("...")
    return name if name in KINDS else name.strip("[]")


def _settle(parameter: click.Parameter) -> None:
    name = called(parameter)
    if parameter.type is click.STRING and name in KINDS:
        parameter.type = KINDS[name]
    if name == "NAMES" and isinstance(parameter, click.Option):
        parameter.multiple, parameter.callback = True, _together


def _together(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> str | None:
    return ",".join(values) if values else None
