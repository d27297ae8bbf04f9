"""How long ``frost-hsm`` takes to start, against the bare interpreter: python tests/benchmarks/startup.py

The commands take turns, so that what slows the machine slows them all; each number is a median. Bytecode is kept in
a directory of its own, for all of them alike, as an installed program has it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from stage import parties

ROUNDS = 21
TARGETS = {"python -c pass": 1.0, "frost-hsm --help": 4.0, "frost-hsm verify": 8.0}


def commands(folder: Path) -> dict[str, list[str]]:
    """Return what is timed, with a key, a message and a signature to verify in ``folder``."""
    people = parties.gather(folder)
    parties.generate(people)
    (folder / "message").write_bytes(b"hello")
    (folder / "signature").write_bytes(parties.sign(people[:2], b"hello"))
    home = str(people[0].directory / "home")
    verify = ["verify", "--key", parties.KEY, "--home", home, str(folder / "message"), str(folder / "signature")]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "frost-hsm --help": [*parties.PROGRAM, "--help"],
        "frost-hsm verify": [*parties.PROGRAM, *verify],
    }


def measure(folder: Path, rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median seconds of each command."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    timed = commands(folder)
    taken: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(rounds + 1):
        for name, command in timed.items():
            begin = time.perf_counter()
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
            if number > 0:  # the first run writes the bytecode
                taken[name].append(time.perf_counter() - begin)
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        medians = measure(Path(folder))
    bare = medians["python -c pass"]
    print(f"{'start of':<18}{'ms':>8}{'ratio':>8}{'target':>8}")
    for name, seconds in medians.items():
        print(f"{name:<18}{seconds * 1e3:>8.1f}{seconds / bare:>8.2f}{TARGETS[name]:>8.0f}")


if __name__ == "__main__":
    main()
