"""The options that commands share, on the commands themselves: people type them after the verb."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from frost_hsm.cli.parsing import Command, docstring
from frost_hsm.cli.talk.output import COLOURED, Result, show
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import PinOnCommandLine, UsageProblem

Function = TypeVar("Function", bound=Callable[..., object])


def command(
    group: click.Group | None, name: str, *, token: bool = False, login: bool = True, asks: bool = False
) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a command of a function from a `Workplace` and its own parameters to a `Result`.

    token: it may open the token, so it takes ``--token``. login: it may then log in, so it takes ``--pin-source``.
    asks: it may ask yes or no. ``--yes`` is taken by all that may log in, so that a script can say it at every step of
    a ceremony.

    The command returns what shows its result, to be called when click is through: click has ways of its own when
    output fails.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def run(
            home: str | None,
            as_json: bool,
            verbose: bool,  # this and color are read where they matter, in `frost_hsm.cli.program`
            color: str,
            token_uri: str | None = None,
            pin_source: str = "prompt",
            allow_final_pin_try: bool = False,
            assume_yes: bool = False,
            **parameters: Any,
        ) -> Callable[[], None]:
            terminal = Terminal(assume_yes=assume_yes)
            place = Workplace(
                Path(home) if home is not None else None, token_uri, pin_source, allow_final_pin_try, terminal
            )
            with _pointing_to_help():
                return functools.partial(show, function(place, **parameters), as_json=as_json)

        decorated: Callable[..., object] = run
        logs_in = token and login
        added = [
            *(_TOKEN if token else ()),
            *(_LOGIN if logs_in else ()),
            *(_ASKS if asks or logs_in else ()),
            *_ALWAYS,
        ]
        for option in reversed(added):
            decorated = option(decorated)
        make = group.command if group is not None else click.command
        made: click.Command = make(name, cls=Command, help=docstring(function))(decorated)
        return made

    return decorate


@contextmanager
def _pointing_to_help() -> Iterator[None]:
    """Name the command whose help says what is possible."""
    try:
        yield
    except UsageProblem as error:
        if error.hint == UsageProblem.default_hint:
            error.hint = f"see: {click.get_current_context().command_path} --help"
        raise


def _refuse_pin(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise PinOnCommandLine(
            "PINs are never taken from the command line: other users can read it and the shell keeps it in history"
        )


_TOKEN = (
    click.option(
        "--token",
        "token_uri",
        metavar="URI",
        envvar="FROST_HSM_TOKEN",
        help="The token to use, as frost-hsm token list prints it; else the one of init.",
    ),
)

_LOGIN = (
    click.option(
        "--pin-source",
        metavar="SOURCE",
        default="prompt",
        show_default=True,
        help="Where the PIN comes from: prompt, file:PATH, fd:N or env:NAME. Never the PIN itself.",
    ),
    click.option(
        "--allow-final-pin-try",
        is_flag=True,
        help="Use the last PIN try before the token locks; without this it is left alone.",
    ),
)

_ASKS = (click.option("--yes", "assume_yes", is_flag=True, help="Answer yes to what is asked."),)

_ALWAYS = (
    click.option(
        "--home",
        metavar="DIR",
        envvar="FROST_HSM_HOME",
        help="The state directory; else $XDG_STATE_HOME/frost-hsm or ~/.local/state/frost-hsm.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, for errors too."),
    click.option(
        "--color", type=click.Choice(COLOURED), default="auto", help="Whether words like error: are coloured."
    ),
    click.option("-v", "--verbose", is_flag=True, help="Show a traceback if frost-hsm itself fails."),
    click.option(
        "--pin", hidden=True, expose_value=False, is_eager=True, is_flag=False, flag_value="", callback=_refuse_pin
    ),
)


def output(function: Function) -> Function:
    """Add ``-o`` and ``--force``."""
    function = click.option("--force", is_flag=True, help="Overwrite an output file that differs.")(function)
    return click.option("-o", "--output", metavar="FILE", help="Where to write; - is stdout.")(function)


def modules(function: Function) -> Function:
    """Add ``--module``, any number of times: the setting of the pkcs11 backend, alias → absolute path."""
    return click.option(
        "--module",
        "modules",
        metavar="[ALIAS=]PATH",
        multiple=True,
        callback=lambda context, parameter, value: dict(map(_module, value)),
        help="A PKCS#11 module, a library file; the alias is what token URIs call it.",
    )(function)


def own_copies(function: Function) -> Function:
    """Add ``--files`` and ``--clone``."""
    function = click.option(
        "--clone",
        metavar="DIR",
        help="Your own clone of a repository: it is asked whether it has what a tag or commit of git names.",
    )(function)
    return click.option(
        "--files", metavar="DIR", help="Where your own copies are of the files to be signed: they are compared."
    )(function)


def split_names(text: str) -> list[str]:
    """Take a list of names apart: alice,carol. No name has a blank, so these separate, too."""
    return text.replace(",", " ").split()


def _module(text: str) -> tuple[str, str]:
    alias, equals, path = text.partition("=")
    if not equals:
        alias, path = Path(text).name.split(".")[0].removeprefix("lib"), text
    return alias, str(Path(path).absolute())
