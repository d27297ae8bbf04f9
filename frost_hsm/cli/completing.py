"""What a shell offers where a name is wanted: read from the state directory, never from a token."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FrostHsmError


def _names(folder: str, suffix: str = "") -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        *before, last = incomplete.split(",")  # NAMES is a list: bob,carol
        return [
            ",".join([*before, name])
            for name in _kept(context, folder, suffix)
            if name.startswith(last) and name not in before
        ]

    return complete


def _kept(context: click.Context, folder: str, suffix: str) -> Iterable[str]:
    try:
        home = Workplace(context.params.get("home")).home
        return [name.removesuffix(suffix) for name in home.names(folder)]
    except FrostHsmError:  # nothing is set up, or what is there is not ours: nothing to offer
        return []


keys = _names("ceremonies")
requests = _names("requests")
peers = _names("peers", ".pem")
