"""``frost-hsm completion``: the script that makes a shell complete our commands."""

from __future__ import annotations

import click

from frost_hsm.cli import PROGRAM
from frost_hsm.cli.completing import SHELLS
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace


@command(None, "completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(place: Workplace, shell: str) -> Result:
    """Print the completion script of a shell.

    \b
    bash: source <(frost-hsm completion bash)           in ~/.bashrc
    zsh:  source <(frost-hsm completion zsh)            in ~/.zshrc
    fish: frost-hsm completion fish | source            in config.fish

    Names of keys, requests and peers are completed from the state directory, files wherever files are meant; no
    token is opened.
    """
    from frost_hsm.cli.program import frost_hsm

    script = SHELLS[shell](frost_hsm, {}, PROGRAM, "_FROST_HSM_COMPLETE").source()
    return Result("completion", raw=script.encode() + b"\n")
