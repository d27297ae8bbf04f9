"""All of a text, page by page: handed to the pager from memory, so that it is the text that was meant."""

from __future__ import annotations

import os
import shlex
import subprocess

from frost_hsm.cli.talk import keyboard

_ENVIRONMENT = {"LESS": "", "LESSSECURE": "1", "LESSHISTFILE": "-"}  # nothing to run, to open or to keep


def show(text: str, terminal: int) -> None:
    """Show text on a terminal with ``$PAGER``, else less; all at once where there is none."""
    command = shlex.split(os.environ.get("PAGER") or "less")
    if command and os.environ.get("TERM") not in (None, "dumb"):
        try:
            subprocess.run(  # noqa: S603 - the pager is the user's own choice
                command,
                input=text.encode(errors="backslashreplace"),
                stdout=terminal,
                stderr=terminal,
                env={**os.environ, **_ENVIRONMENT},
                check=False,
            )
            return
        except OSError:
            pass
    keyboard.write(terminal, text)
