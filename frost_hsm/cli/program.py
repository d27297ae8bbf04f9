"""One run of the program: the command that is named, and what every way to fail ends with."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import click

from frost_hsm import __version__
from frost_hsm.cli import COMMANDS, PROGRAM, help_text
from frost_hsm.cli.ending import Ended
from frost_hsm.cli.parsing import Group, Shown
from frost_hsm.cli.surroundings import HINT, lacking
from frost_hsm.cli.talk.output import COLOUR, COLOURED, say, show_error, write_lines
from frost_hsm.cli.talk.text import quoted
from frost_hsm.errors import Aborted, ConfigProblem, FrostHsmError, StorageProblem, UsageProblem


class _LazyGroup(Group):
    """Loads a command when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"frost_hsm.cli.commands.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageProblem(f"no such command '{args[0]}'", hint=self._meant(ctx, args[0]))
        return super().resolve_command(ctx, args)

    def _meant(self, context: click.Context, typed: str) -> str:
        """Say which command may have been meant: one that is written alike, or one of a group."""
        import difflib

        if typed == "version":
            return f"it is an option: {PROGRAM} --version"
        if Path(typed).is_file():
            if typed.endswith(".pem"):
                return f"it is a file; what it says: {PROGRAM} inspect {quoted(typed)}"
            return f"it is a file; to have it signed: {PROGRAM} sign request KEY {quoted(typed)}"
        begun = [name for name in COMMANDS if name.startswith(typed)]
        meant = begun or difflib.get_close_matches(typed, COMMANDS, cutoff=0.65)
        for name in COMMANDS if not meant else ():
            group = self.get_command(context, name)
            if isinstance(group, click.Group) and typed in group.list_commands(context):
                meant.append(f"{name} {typed}")
        if not meant:
            return f"see: {PROGRAM} --help"
        return f"is it {' or '.join(meant)}? see: {', '.join(f'{PROGRAM} {each} --help' for each in meant)}"

    def get_help(self, ctx: click.Context) -> str:
        return help_text().rstrip("\n")


def _give_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        raise Shown(f"{PROGRAM} {__version__}")


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_give_version, help="Show the version."
)
def frost_hsm() -> None:
    """Signing keys that belong to a group."""


def run_command(arguments: list[str]) -> int:
    """Run the command that the arguments name and return its exit status."""
    COLOUR.when = _colour(arguments)
    status: int | None = None
    try:
        try:
            show: object = frost_hsm.main(arguments, prog_name=PROGRAM, standalone_mode=False)
            if callable(show):
                show()
        except Shown as shown:
            write_lines(str(shown).split("\n"))
        return 0
    except click.exceptions.NoArgsIsHelpError as error:
        for line in error.format_message().split("\n"):
            say(line)
        return UsageProblem.exit
    except (Exception, KeyboardInterrupt, Ended) as error:
        failure = _failure(error)
        if isinstance(error, Ended):
            status = error.status
        if failure.exit == FrostHsmError.exit and ("-v" in arguments or "--verbose" in arguments):
            import traceback

            traceback.print_exc()
    return _end_with(failure, status or failure.exit, as_json="--json" in arguments)


def _end_with(failure: FrostHsmError, status: int, *, as_json: bool) -> int:
    """Say what went wrong, which changes nothing about how it is counted."""
    with suppress(StorageProblem):  # there is nobody whom it could be told
        show_error(failure, as_json=as_json)
    return status


def _colour(arguments: list[str]) -> str:
    """Find ``--color`` by itself: what cannot be taken apart is an error, which has a colour too."""
    for word, after in pairwise([*arguments, ""]):
        when = after if word == "--color" else word.removeprefix("--color=")
        if word.startswith("--color") and when in COLOURED:
            return when
    return "auto"


def _failure(error: BaseException) -> FrostHsmError:
    """Return the error of ours that says what happened."""
    if isinstance(error, FrostHsmError):
        return error
    if isinstance(error, click.NoSuchOption):
        others = [each for each in error.possibilities or () if each != "--pin"]  # which only says why it is none
        error = click.NoSuchOption(error.option_name, possibilities=others, ctx=error.ctx)
    if isinstance(error, click.ClickException):
        text = " ".join(error.format_message().split())
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"see: {context.command_path} --help" if context is not None else None
        return UsageProblem(text[:1].lower() + text[1:].rstrip("."), hint=hint)
    if isinstance(error, click.Abort | KeyboardInterrupt | Ended):
        said = f"ended by {error}" if isinstance(error, Ended) else "interrupted"
        return Aborted(said, hint="run the same command again; a step that was begun goes on where it was")
    if isinstance(error, Exception) and (lack := lacking()) is not None:
        return ConfigProblem(lack, hint=HINT)
    # Its own text may hold anything, so it is not shown.
    return FrostHsmError(
        f"internal error: {type(error).__name__}",
        hint="this is a bug in frost-hsm; please report it with what -v adds",
    )
