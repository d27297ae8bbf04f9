"""``frost-hsm completion``: the script that makes a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from frost_hsm.cli.options import command
from frost_hsm.cli.output import Result
from frost_hsm.cli.workplace import Workplace


@command(None, "completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(place: Workplace, shell: str) -> Result:
    """Print the completion script of a shell; for bash: source <(frost-hsm completion bash)."""
    from frost_hsm.cli import frost_hsm

    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(f"click has no completion for {shell}")
    script = kind(frost_hsm, {}, "frost-hsm", "_FROST_HSM_COMPLETE").source()
    return Result("completion", raw=script.encode() + b"\n")
