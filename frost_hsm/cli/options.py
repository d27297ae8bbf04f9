"""The options that commands share, on the commands themselves: people type them after the verb."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from frost_hsm.cli.output import Result, show
from frost_hsm.cli.terminal import PROMPT, Terminal
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import PinOnCommandLine

Function = TypeVar("Function", bound=Callable[..., object])


def command(
    group: click.Group | None, name: str, *, token: bool = False, asks: bool = False
) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a command of a function from a `Workplace` and its own parameters to a `Result`.

    token: it may open the token, so it takes ``--token`` and ``--pin-source``. asks: it may ask yes or no.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def run(
            home: Path | None,
            as_json: bool,
            verbose: bool,
            token_uri: str | None = None,
            pin_source: str = PROMPT,
            allow_final_pin_try: bool = False,
            assume_yes: bool = False,
            **parameters: Any,
        ) -> None:
            terminal = Terminal(assume_yes=assume_yes)
            place = Workplace(home, token_uri, pin_source, allow_final_pin_try, as_json, terminal)
            show(function(place, **parameters), as_json=as_json)

        decorated: Callable[..., None] = run
        for option in reversed(_shared(token=token, asks=asks)):
            decorated = option(decorated)
        make = group.command if group is not None else click.command
        made: click.Command = make(name)(decorated)
        return made

    return decorate


def _shared(*, token: bool, asks: bool) -> list[Callable[[Callable[..., None]], Callable[..., None]]]:
    options: list[Callable[[Callable[..., None]], Callable[..., None]]] = []
    if token:
        options += [
            click.option(
                "--token",
                "token_uri",
                metavar="URI",
                envvar="FROST_HSM_TOKEN",
                help="The token, where it cannot be guessed.",
            ),
            click.option("--pin-source", metavar="SOURCE", default=PROMPT, help="prompt, file:PATH, fd:N or env:NAME."),
            click.option("--allow-final-pin-try", is_flag=True, help="Use the last PIN try before the token locks."),
            click.option("--pin", hidden=True, expose_value=False, callback=_refuse_pin),
        ]
    if asks:
        options.append(click.option("--yes", "assume_yes", is_flag=True, help="Answer yes to what is asked."))
    options += [
        click.option(
            "--home",
            metavar="DIR",
            envvar="FROST_HSM_HOME",
            type=click.Path(path_type=Path),
            help="The state directory.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object, errors too."),
        click.option("-v", "--verbose", is_flag=True, help="Show a traceback if frost-hsm itself fails."),
    ]
    return options


def _refuse_pin(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        _pin_is_public()


def _pin_is_public() -> NoReturn:
    raise PinOnCommandLine(
        "PINs are never taken from the command line: other users can read it and the shell keeps it in history"
    )


def output(function: Function) -> Function:
    """Add ``-o`` and ``--force``."""
    function = click.option("--force", is_flag=True, help="Overwrite an output file that differs.")(function)
    return click.option("-o", "--output", metavar="FILE", help="Where to write; - is stdout.")(function)


def inputs(function: Function) -> Function:
    """Add ``[FILES]…`` and ``--in DIR``: messages of the others, in any order."""
    function = click.option("--in", "directory", metavar="DIR", help="A directory with the others' files.")(function)
    return click.argument("files", nargs=-1, metavar="[FILES]...")(function)
