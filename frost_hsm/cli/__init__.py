"""The command line ``frost-hsm``: the only place that prompts, prints, or knows colour.

A command is loaded when it is named, so that ``--help``, ``verify`` and completion start fast and a broken
part breaks nothing else.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import click

from frost_hsm import __version__

_COMMANDS = {
    "init": ("init:init", "Say who you are and which token is yours."),
    "doctor": ("doctor:doctor", "Check the machine, the backends and the token."),
    "token": ("token:token", "See the tokens in reach."),
    "identity": ("identity:identity", "Make, show and hand out your identity."),
    "peer": ("peer:peer", "Keep the identities of the others."),
    "dkg": ("dkg:dkg", "Make a key together."),
    "sign": ("sign:sign", "Sign together."),
    "verify": ("verify:verify", "Check a signature."),
    "keys": ("keys:keys", "See and hand out the keys you have a share of."),
    "inspect": ("inspect:inspect", "Say what a file is, without a token."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(f"frost_hsm.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="frost-hsm %(version)s")
def frost_hsm() -> None:
    """Signing keys that belong to a group: n people with a token each, any t of them sign.

    The key is made together and exists nowhere. Each share is sealed by its owner's token. What the token
    protects is the share at rest: to sign, the share is in this machine's memory for an instant, since no
    stock token can compute with it.

    A key, step by step: init, identity create, peer add, dkg propose, round1, round2, finish, confirm.
    A signature: sign request, commit, respond, aggregate; then verify.
    """


def main() -> NoReturn:
    """Run ``frost-hsm`` and exit with the status that `frost_hsm.errors` lists."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; an error is one sentence and a hint, never a traceback."""
    from frost_hsm.errors import Aborted, FrostHsmError, UsageProblem

    try:
        status: object = frost_hsm.main(arguments, prog_name="frost-hsm", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except FrostHsmError as error:
        failure = error
    except click.UsageError as error:
        if error.ctx is not None and isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.ctx.get_help(), err=True)
            return UsageProblem.exit
        hint = f"see: {error.ctx.command_path} --help" if error.ctx is not None else None
        failure = UsageProblem(_sentence(error.format_message()), hint=hint)
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        failure = Aborted("stopped before anything was changed")
    except BrokenPipeError:
        sys.stderr.close()
        return FrostHsmError.exit
    except Exception as error:
        if "-v" in arguments or "--verbose" in arguments:
            raise
        failure = FrostHsmError(
            f"internal error: {type(error).__name__}",
            hint="this is a bug; please report it with what -v adds",
        )
    from frost_hsm.cli.output import show_error

    show_error(failure, as_json="--json" in arguments)
    return failure.exit


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
