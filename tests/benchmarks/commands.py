"""How long commands take, as whole processes: python tests/benchmarks/commands.py

Each is compared with a bare interpreter. A command that needs a token is compared, too, with an interpreter that loads
click and cryptography and the token's calls, made in a process that runs already: what nobody can spare. All take
turns, and are timed by the processor time they take, so that a busy machine disturbs them little; each number is a
median. Bytecode is kept in a directory of its own, for all of them alike, as an installed program has it.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import sealed
from sealed import TimedToken
from stage import parties, softhsm
from stage.parties import KEY, PROGRAM, Party
from table import Table, milliseconds, show

ROUNDS = 15
BARE, LOADED = "python -c pass", "python -c 'import click, cryptography'"
NEEDED = "import click, pkcs11, cryptography.hazmat.primitives.serialization"
"""What sealing into a token cannot do without; cryptography by itself loads next to nothing."""
REQUEST = "message.request.pem"


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two who sign, Alice with a SoftHSM2 token, and what is ready for a round of each step."""

    alice: Party
    bob: Party

    def request(self, number: str) -> bytes:
        """Ask for a signature, in a folder of its own; returns the request."""
        wanted = parties.request([self.alice, self.bob], f"message {number}".encode())
        folder = self.alice.directory / number
        folder.mkdir()
        (folder / REQUEST).write_bytes(wanted)
        (folder / "bob.pem").write_bytes(parties.commit([self.bob], wanted)["bob"])
        return wanted

    def seconds_in_token(self, number: str) -> dict[str, float]:
        """Commit and respond in this process; returns what Alice's token took of each, logging in included."""
        wanted = self.request(number)
        bobs = (self.alice.directory / number / "bob.pem").read_bytes()
        taken: dict[str, float] = {}
        for step in ("commit", "respond"):
            begun = time.process_time()
            opened: list[tuple[float, TimedToken]] = []

            def wrap(token: Any, opened: list[tuple[float, TimedToken]] = opened, begun: float = begun) -> Any:
                opened.append((time.process_time() - begun, TimedToken(token, time.process_time)))
                return opened[0][1]

            self.alice.wrap = wrap
            session = self.alice.session(wanted)
            if step == "commit":
                mine = session.commit(self.alice.holder)
            else:
                session.respond(self.alice.holder, parties.inbox([mine, bobs]))
            [(opening, token)] = opened
            taken[f"sign {step}"] = opening + token.seconds
        self.alice.wrap = lambda token: token
        return taken


COLUMNS = ("", "ms", "times a bare interpreter", "its token calls, ms", "times these and the libraries")


def table() -> Table:
    """Time all commands."""
    with _pair() as pair:
        timed = _measure(pair)
    rows = []
    for name, (seconds, in_token) in timed.items():
        row = [f"`{name}`", milliseconds(seconds), f"{seconds / timed[BARE][0]:.1f}", "", ""]
        if in_token:
            row[3:] = [milliseconds(in_token), f"{seconds / (timed[LOADED][0] + in_token):.2f}"]
        rows.append(row)
    return Table("Commands", COLUMNS, rows)


def _measure(pair: _Pair) -> dict[str, tuple[float, float]]:
    """Return the median seconds of each command, and what of it the token takes."""
    home = str(pair.alice.directory / "home")
    (pair.alice.directory / "message").write_bytes(b"hello")
    (pair.alice.directory / "signature").write_bytes(parties.sign([pair.alice, pair.bob], b"hello"))
    key = pair.alice.key().verifying_key.hex()
    fixed = {
        BARE: [sys.executable, "-c", "pass"],
        LOADED: [sys.executable, "-c", "import click, cryptography"],
        f"python -c '{NEEDED}'": [sys.executable, "-c", NEEDED],
        "frost-hsm --help": [*PROGRAM, "--help"],
        "verify, key in hex": [*PROGRAM, "verify", "--key", key, "message", "signature"],
        "verify, key by name": [*PROGRAM, "verify", "--key", KEY, "--home", home, "message", "signature"],
        "keys list": [*PROGRAM, "keys", "list", "--home", home],
        "status": [*PROGRAM, "status", "--home", home],
    }
    bytecode = str(pair.alice.directory / "bytecode")
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    taken: dict[str, list[float]] = {}
    in_token: dict[str, list[float]] = {}
    for number in range(ROUNDS + 1):
        folder = f"by command {number}"
        pair.request(folder)
        path = f"{folder}/{REQUEST}"
        steps = {
            "sign commit": ["sign", "commit", path, "--output", f"{folder}/alice.pem"],
            "sign respond": ["sign", "respond", path, "--in", folder, "--output", f"{folder}/share.pem"],
        }
        commands = {name: [*PROGRAM, *pair.alice.arguments(words)] for name, words in steps.items()}
        for name, command in {**fixed, **commands}.items():
            begin = _of_children()
            subprocess.run(command, cwd=pair.alice.directory, env=environment, capture_output=True, check=True)
            if number > 0:  # the first run writes the bytecode
                taken.setdefault(name, []).append(_of_children() - begin)
        for name, seconds in pair.seconds_in_token(f"here {number}").items():
            in_token.setdefault(name, []).append(seconds)
    return {
        name: (statistics.median(each), statistics.median(in_token[name]) if name in in_token else 0.0)
        for name, each in taken.items()
    }


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _pair() -> Iterator[_Pair]:
    module = softhsm.module_path()
    if module is None:
        raise SystemExit("SoftHSM2 is not installed")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOFTHSM2_CONF"] = str(softhsm.configure(Path(folder)))

        alice, bob = people = sealed.gather(Path(folder), module, ("alice", "bob"))
        parties.generate(people)
        yield _Pair(alice, bob)


if __name__ == "__main__":
    show(table())
