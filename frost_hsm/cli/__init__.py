"""The command line ``frost-hsm``: the only place that prompts, prints, or knows colour.

A command is loaded when it is named, so that ``verify`` and completion start fast and a broken part breaks
nothing else. ``frost-hsm --help`` alone needs neither commands nor click: loading click takes longer than
starting Python three times.

- one run: ``program`` ``ending`` ``memory`` ``surroundings`` ``workplace`` ``config`` ``token_copy``
- what is typed: ``options`` ``parsing`` ``completing``
- what a person sees and says: ``talk``
- what is read and written: ``files``
- what the steps of several commands have alike: ``steps``; work over a board: ``sittings``; what is printed: ``paper``
- ``commands``, each in the module of its name
"""

from __future__ import annotations

import gc
import io
import os
import sys
from contextlib import suppress
from typing import NoReturn

PROGRAM = "frost-hsm"

_OBJECTS = 100_000
"""How many more objects there must be before Python looks for some that nobody uses: loading a command makes as many,
all of which stay, and to look through them at every 700th would be a twentieth of most commands."""

COMMANDS = {
    "setup": "Find your token and make your identity in it.",
    "init": "Say who you are and which token is yours.",
    "doctor": "Check the machine, the backends and the token.",
    "token": "See the tokens in reach.",
    "identity": "Make, show and hand out your identity.",
    "peer": "Keep the identities of the others.",
    "join": "Do every step that is open for you, over a board.",
    "agent": "Stay, and answer for you what is asked on a board.",
    "status": "Say all that is open, and whose turn it is.",
    "dkg": "Make a key together.",
    "sign": "Sign together.",
    "verify": "Check signatures.",
    "keys": "See, hand out and destroy the keys you have a share of.",
    "refresh": "Make the shares of a key anew, together.",
    "repair": "Rebuild a lost share, or make one for a new participant.",
    "ceremony": "Plan a ceremony, rehearse it, and sign a record of it.",
    "history": "See what became of a key, and go on where something hangs.",
    "recover": "Make your share of a key again, of the messages that made it.",
    "backup": "Keep what is needed when state directory or token are lost.",
    "dealer": "Share out a key that somebody has, or refresh its shares alone.",
    "board": "Look after the boards, where messages lie while people are apart.",
    "dispute": "Settle whose fault it is that a ceremony was stopped.",
    "inspect": "Say what files are, without a token.",
    "help": "Read the manual: its pages, or one of them.",
    "completion": "Print the completion script of a shell.",
}
"""Each command or group, which is found under its own name in the module of its name, and its short help."""

_HELP = """\
Usage: frost-hsm COMMAND [ARGS]...

  Signing keys that belong to a group: n people with a token each, any t of them
  sign. The key is made together and exists nowhere.

  What the token does: it seals your share, so that nobody can use the share
  without the token and its PIN.
  What it does not do: no stock token can compute with the share. To sign, the
  share is in this machine's memory for an instant; whoever controls the machine
  at that instant can read it.

  A key:        setup, peer add,
                dkg propose, round1, round2, finish, confirm
  A signature:  sign request, commit, respond, aggregate; then verify
  Over a board: join does every step; status says what is open
  The manual:   help lists its pages; help TOPIC shows one

Commands:
{commands}

Options:
  -h, --help  Show this text. Every command has its own: frost-hsm dkg --help.
  --version   Show the version.
"""


def main() -> NoReturn:
    """Run ``frost-hsm`` and exit with the status that `frost_hsm.errors` lists."""
    from frost_hsm.cli.ending import Ended, end_in_order
    from frost_hsm.cli.memory import keep_private

    gc.set_threshold(_OBJECTS)
    _occupy_standard_descriptors()
    keep_private()
    if isinstance(sys.stdout, io.TextIOWrapper):  # what its encoding lacks must not stop us: as stderr has it
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        end_in_order()
        status = run(sys.argv[1:])
    except Ended as ended:  # before anything was begun
        status = ended.status
    _forget_what_nobody_heard()
    gc.freeze()  # what is left goes with the process: ending need not look through it
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; an error is one sentence and a hint, never a traceback."""
    if arguments in (["--help"], ["-h"]) and sys.stdout is not None:
        with suppress(OSError, ValueError):  # then it is said below, as it is of every command
            print(help_text(), end="", flush=True)
            return 0
    from frost_hsm.cli.program import run_command

    return run_command(arguments)


def _occupy_standard_descriptors() -> None:
    """Keep a file from being opened as number 0, 1 or 2 where that is closed: it would get what is meant for people."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _forget_what_nobody_heard() -> None:
    """Keep Python from trying again, when it ends, to write what stderr did not take: that would change the status."""
    if sys.stderr is not None:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            from frost_hsm.cli.talk.output import let_go

            let_go(sys.stderr)


def help_text() -> str:
    """Return the help of the whole program."""
    width = max(map(len, COMMANDS))
    return _HELP.format(commands="\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()))
