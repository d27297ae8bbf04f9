"""Time agents whose tokens are slow: python tests/benchmarks/slow_tokens.py [--json | IN_FLIGHT...]

As `agents` over NATS, with tokens of SoftHSM2 each of whose operations with a private key takes 50 milliseconds
(`stage.slow_backend`). Each row says how many signatures a second there are, how long one takes, how many of these
operations a signature takes of the token that has most to do, in how much of the time that token is at them, and how
many milliseconds of a processor its agent takes for a signature. State directories lie in memory, so that no disk is
measured which others use.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from agents import KEY, PAUSE, agents, ask, board, processor_seconds
from stage import parties, slow_backend, softhsm
from stage.parties import Party
from table import Table, show

SECONDS = 0.05
AHEAD = 110
COLUMNS = (
    "agents",
    "in flight",
    "made ahead",
    "a second",
    "median, s",
    "token calls",
    "token busy, %",
    "processor, ms",
)


def main() -> None:
    """Print the table."""
    in_flight = [int(word) for word in sys.argv[1:] if word != "--json"] or [1, 10, 100]
    module = softhsm.module_path()
    if module is None:
        raise SystemExit("SoftHSM2 is not installed")
    rows = []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        os.environ["SOFTHSM2_CONF"] = str(softhsm.configure(folder))
        found = str(slow_backend.installed(folder / "installed"))
        sys.path.append(found)
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # of all processes
        for names in (("alice", "bob"), ("alice", "bob", "carol")):
            people = _group(folder / str(len(names)), names, module)
            for ahead in (0, AHEAD):
                place = folder / f"board{len(names)}{ahead}"
                with board("nats", place) as uri, agents(uri, people, ahead) as processes:
                    for number in in_flight:
                        measured = _measure(people, processes, number, ahead)
                        rows.append([str(len(names)), str(number), "yes" if ahead else "no", *measured])
    show(Table("Agents with slow tokens", COLUMNS, rows))


def _measure(people: list[Party], processes: list[subprocess.Popen[bytes]], number: int, ahead: int) -> list[str]:
    ask(people[0], 1)  # which loads what has to be loaded
    if ahead:
        time.sleep(PAUSE)  # in which nonces are made
    before, cpu_before, start = _calls(people), list(map(processor_seconds, processes)), time.perf_counter()
    rate, median = ask(people[0], number)
    wall = time.perf_counter() - start
    made = [(after - then) / number for after, then in zip(_calls(people), before, strict=True)]
    calls, busiest = max((calls, place) for place, calls in enumerate(made))
    cpu = 1000 * (processor_seconds(processes[busiest]) - cpu_before[busiest]) / number
    return [
        f"{rate:.2f}",
        f"{median:.2f}",
        f"{calls:.1f}",
        f"{100 * calls * number * SECONDS / wall:.0f}",
        f"{cpu:.0f}",
    ]


def _calls(people: list[Party]) -> list[int]:
    """How many operations everybody's token has made so far."""
    folder = people[0].directory.parent / "counted"
    return [(folder / _label(party.name, party.directory)).stat().st_size for party in people]


def _label(name: str, folder: Path) -> str:
    return f"{name}{folder.parent.name}"


def _group(folder: Path, names: tuple[str, ...], module: str) -> list[Party]:
    counted = folder / "counted"
    counted.mkdir(parents=True)

    def new_token(name: str, place: Path) -> str:
        label = _label(name, place)
        return f"slow:token={label};serial={softhsm.initialise(module, label, parties.PIN)}"

    settings = {"slow": {"module": module, "seconds": str(SECONDS), "counted": str(counted)}}
    people = parties.gather(folder, names, new_token=new_token, settings=settings)
    parties.generate(people, len(people), KEY, "ed25519")
    return people


if __name__ == "__main__":
    main()
