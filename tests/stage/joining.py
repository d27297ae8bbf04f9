"""Several people who join on a board, each in a process of their own."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stage.parties import PROGRAM, Party, Ran

from frost_hsm import boards
from frost_hsm.ceremony.messages import signed
from frost_hsm.errors import FrostHsmError, NonceUsed

PATIENCE = 90.0  # seconds


def forget_each_other(people: Sequence[Party]) -> None:
    """Let nobody have compared anybody's fingerprint."""
    for party in people:
        for other in people:
            if other is not party:
                party.home.remove(f"peers/{other.name}.pem")


AS_MANY = (
    *PROGRAM[:2],
    f"from frost_hsm.ceremony.history import transcript; transcript.MOST_KEPT_WHOLE = 2; "
    f"from frost_hsm.cli.sittings import sitting; sitting._AGAIN = 3.0; {PROGRAM[2]}",
)
"""The program as it is where more than twenty make a key.

Nobody sees whether a board has lost what they posted for one reader alone: it is posted again, here soon, since these
boards lose half of it.
"""


def start(
    party: Party,
    uri: str,
    *options: str,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
) -> subprocess.Popen[bytes]:
    """Join, saying yes to everything; what is said goes to ``join.log`` in the party's folder."""
    arguments = party.arguments(["join", uri, *options, "--yes", "--pin-source", f"file:{party.directory / 'pin'}"])
    with (party.directory / "join.log").open("ab") as log:
        return subprocess.Popen([*program, *arguments], cwd=party.directory, stdout=log, stderr=log, env=environment)


def said(party: Party) -> str:
    return (party.directory / "join.log").read_text()


def wait_to_hear(party: Party, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while what not in said(party):
        assert time.monotonic() < deadline, said(party)
        time.sleep(0.05)


def join(people: Iterable[Party], uri: str, *options: str, program: Sequence[str] = PROGRAM) -> None:
    """Let them join at once, and wait until all have nothing left to do."""
    running = [(party, start(party, uri, *options, program=program)) for party in people]
    deadline = time.monotonic() + PATIENCE
    try:
        for party, process in running:
            assert process.wait(max(deadline - time.monotonic(), 1)) == 0, said(party)
    except subprocess.TimeoutExpired:
        raise AssertionError("\n".join(f"{party.name}:\n{said(party)}" for party, _ in running)) from None
    finally:
        for _, process in running:
            process.kill()
            process.wait()


def join_while_killed(
    people: Sequence[Party],
    uri: str,
    chance: random.Random,
    kills: int,
    is_done: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
) -> None:
    """As `join`, while now and then somebody is killed and begins again; none of it may take anybody's turn.

    Whoever begins again when all is done waits for more, and is asked to look once. All come to an end, though a kill
    may have cost somebody the nonces of an answer, which serve once; then everybody is told.
    """
    running = {party.name: start(party, uri, environment=environment, program=program) for party in people}
    by_name = {party.name: party for party in people}
    deadline = time.monotonic() + PATIENCE
    try:
        while any(process.poll() is None for process in running.values()):
            assert time.monotonic() < deadline, "\n".join(f"{each.name}:\n{said(each)}" for each in people)
            time.sleep(chance.uniform(0.1, 1.2))
            victim = chance.choice([*running])
            if kills and running[victim].poll() is None:
                running[victim].kill()
                running[victim].wait()
                running[victim] = start(by_name[victim], uri, environment=environment, program=program)
                kills -= 1
            is_over = is_done() or NonceUsed.exit in [process.poll() for process in running.values()]
            for name, process in running.items():
                if is_over and not kills and process.poll() is None and _is_idle(by_name[name]):
                    process.kill()
                    process.wait()
                    running[name] = start(by_name[name], uri, "--once", environment=environment, program=program)
                    running[name].wait(PATIENCE)
        for name, process in running.items():
            assert process.returncode in (0, NonceUsed.exit), said(by_name[name])
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def _is_idle(party: Party) -> bool:
    return said(party).rstrip().rpartition("\n")[2].startswith("waiting: something for you")


def board(directory: Path) -> str:
    """Make a board in a directory; returns its URI."""
    directory.mkdir(parents=True)
    return f"dir:{directory}"


def look(party: Party, uri: str) -> Ran:
    """Do what can be done now, in this process, saying yes to everything."""
    return party.run("join", uri, "--once", "--yes", "--pin-source", f"file:{party.directory / 'pin'}")


def take_turns(people: Sequence[Party], uri: str, is_done: Callable[[], bool], *, rounds: int = 6) -> None:
    """Let one after the other look, until it is done; that takes no more rounds than these."""
    for _ in range(rounds):
        for party in people:
            look(party, uri)
        if is_done():
            return
    raise AssertionError([party.run("status", "--board", uri).stdout for party in people])


def on(uri: str, cache: Path, kind: type) -> list[Any]:
    """Return the messages of a kind that lie on a board. cache: a directory for whoever reads it here."""
    found = []
    with boards.connect(uri, cache) as there:
        for _, data in there.messages():
            try:
                message = signed.decode(signed.parse(data))
            except FrostHsmError:
                continue
            if isinstance(message, kind):
                found.append(message)
    return found
