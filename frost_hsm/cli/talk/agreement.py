"""Agreeing to sign: nobody signs what they have not been shown."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import Aborted

_PREVIEW = 200
"""Bytes of a message that are looked at to show how it begins."""


def message_line(message: bytes) -> str:
    """Say which message it is."""
    return f"  message  {len(message)} bytes, sha256 {hashlib.sha256(message).hexdigest()}"


def agree(terminal: Terminal, lines: Sequence[str], message: bytes, path: str) -> None:
    """Show what is to be signed and ask; raises `Aborted` unless the answer is yes.

    lines: by whom and for which key; path: where all of the message can be read.
    """
    begin = message[:_PREVIEW].decode(errors="replace").split("\n")[0]
    for line in (*lines, f"  begins   {begin}", f"  (all of it: frost-hsm inspect {path} --message)"):
        terminal.message(line)
    if not terminal.confirm("Agree to sign this message?"):
        raise Aborted("you did not agree to sign; nothing was changed")
