"""One run of the program: the command that is named, and what every way to fail ends with."""

from __future__ import annotations

from importlib import import_module

import click

from frost_hsm import __version__
from frost_hsm.cli import COMMANDS, PROGRAM, help_text
from frost_hsm.cli.talk.output import show_error
from frost_hsm.errors import Aborted, FrostHsmError, UsageProblem


class _LazyGroup(click.Group):
    """Loads a command when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"frost_hsm.cli.commands.{cmd_name}"), cmd_name)
        return command

    def get_help(self, ctx: click.Context) -> str:
        return help_text().rstrip("\n")


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message=f"{PROGRAM} %(version)s")
def frost_hsm() -> None:
    """Signing keys that belong to a group."""


def run_command(arguments: list[str]) -> int:
    """Run the command that the arguments name and return its exit status."""
    try:
        show: object = frost_hsm.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        if callable(show):  # nothing is left to show after --help and --version
            show()
        return 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return UsageProblem.exit
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        failure = _failure(error)
        if failure.exit == FrostHsmError.exit and ("-v" in arguments or "--verbose" in arguments):
            import traceback

            traceback.print_exc()
    show_error(failure, as_json="--json" in arguments)
    return failure.exit


def _failure(error: BaseException) -> FrostHsmError:
    """Return the error of ours that says what happened."""
    if isinstance(error, FrostHsmError):
        return error
    if isinstance(error, click.ClickException):
        text = error.format_message()
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"see: {context.command_path} --help" if context is not None else None
        return UsageProblem(text[:1].lower() + text[1:].rstrip("."), hint=hint)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return Aborted("interrupted", hint="run the same command again; a step that was begun goes on where it was")
    # Its own text may hold anything, so it is not shown.
    return FrostHsmError(
        f"internal error: {type(error).__name__}",
        hint="this is a bug in frost-hsm; please report it with what -v adds",
    )
