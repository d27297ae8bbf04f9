"""The tables of the manual's page on benchmarks: python tests/benchmarks/tables.py [TITLE...] [OPTION...]

Measures and prints each, with date, machine and versions below. --write puts them into the page, each under its title.
Without TITLE it is all of them: a suite's name for what `peers` measures, with the native library and without; else
what the other programs here print. --peers FOLDER takes the rows of peers from files that ``peers.py SUITE --json``
wrote before: SUITE.native.json, SUITE.plain.json and, of large groups, SUITE.large.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from table import Table, milliseconds

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "frost_hsm/manual/benchmarks.md"
SUITES = ("p256", "ed25519", "ristretto255", "secp256k1", "secp256k1-tr", "ed448")
OPERATIONS = "Operations"
OTHERS = {
    "Threads": "threads.py",
    "Commands": "commands.py",
    "Sealed signing": "sealed_signing.py",
    "Token calls": "tokens.py",
    "Agents": "agents.py",
    "Agents with slow tokens": "slow_tokens.py",
    "Growth": "growth.py",
    "Large groups": "ceremonies.py",
    "Ceremonies in one process": "crowds.py",
}
COLUMNS = ("n, t", "step", "native: ms", "Rust / ours", "with y", "alone: ms", "Rust / ours", "with y", "noble / ours")
"""Of peers: with the native library, and as after a bare ``pip install``."""

Rows = Mapping[tuple[int, str], Mapping[str, float]]
"""The seconds that everybody takes, by the size of the group and the step."""


def main() -> None:
    """Print or write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("titles", metavar="TITLE", nargs="*", default=[*SUITES, OPERATIONS, *OTHERS])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--peers", metavar="FOLDER", type=Path)
    arguments = parser.parse_args()
    for title in arguments.titles:
        if title in SUITES:
            table = beside_peers(title, arguments.peers)
        elif title == OPERATIONS:
            table = operations()
        else:
            table = Table(**json.loads(_run("native", OTHERS[title], "--json")))
        text = f"{table.markdown()}\n\nMeasured {machine()}"
        print(f"## {title}\n\n{text}\n", flush=True)
        if arguments.write:
            write(title, text)


def machine() -> str:
    """Say where and when it was measured, and with what."""
    [model] = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)[:1] or ["unknown"]
    versions = f"Python {platform.python_version()}, {' '.join(ssl.OPENSSL_VERSION.split()[:2])}"
    return f"{datetime.date.today()}: {model}, {os.cpu_count()} processors, {versions}."


def beside_peers(suite: str, folder: Path | None) -> Table:
    """Lay out what `peers` says of a suite."""
    native, alone = (_rows(suite, kind, folder) for kind in ("native", "plain"))
    large = _rows(suite, "large", folder) if folder is not None else {}
    rows = []
    for (size, step), times in sorted({**large, **native}.items(), key=lambda row: row[0][0]):
        without = alone.get((size, step), {})
        row = [f"{size}, {times['t']:.0f}", step, *_ours(times), *_ours(without), _ratio(without, "noble", "ours")]
        rows.append(row)
    return Table(suite, COLUMNS, rows)


def _rows(suite: str, kind: str, folder: Path | None) -> Rows:
    if folder is not None:
        path = folder / f"{suite}.{kind}.json"
        written = path.read_text() if path.exists() else ""
    else:
        written = _run(kind, "peers.py", suite, "--json")
    rows: dict[tuple[int, str], dict[str, float]] = {}
    for row in map(json.loads, written.splitlines()):
        rows[row["size"][0], row["step"]] = {**row["times"], "t": row["size"][1]}
    return rows


def operations() -> Table:
    """Lay out what `bounds` says of single operations."""
    found = {kind: json.loads(_run(kind, "bounds.py", "--json")) for kind in ("native", "plain")}
    rows = [
        [suite, {"native": "native", "plain": "alone"}[kind], *(f"{1e6 * seconds:.1f}" for seconds in times.values())]
        for suite in found["plain"]
        for kind, times in ((kind, found[kind][suite]) for kind in found)
    ]
    return Table(OPERATIONS, ("µs", "", *found["plain"]["p256"]), rows)


def _run(kind: str, program: str, *arguments: str) -> str:
    environment = {**os.environ, "FROST_HSM_NATIVE": "1" if kind == "native" else "0"}
    command = [sys.executable, str(HERE / program), *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def _ours(times: Mapping[str, float]) -> list[str]:
    if "MB" in times:
        return [f"{times['MB']:.0f} MB", "", ""]
    took = milliseconds(times["ours"]) if "ours" in times else ""
    return [took, _ratio(times, "rust", "ours"), _ratio(times, "rust", "y")]


def _ratio(times: Mapping[str, float], above: str, below: str) -> str:
    return f"{times[above] / times[below]:.1f}" if above in times and below in times else ""


def write(title: str, text: str) -> None:
    """Put a table and where it was measured into the page, in the place of what is under its title."""
    head, found, rest = PAGE.read_text().partition(f"## {title}\n")
    if not found:
        raise SystemExit(f"{PAGE} has no title {title}")
    there = re.search(r"^\|.*?\n\nMeasured [^\n]*", rest, re.MULTILINE | re.DOTALL)
    if there is None:
        raise SystemExit(f"there is no table under {title}")
    PAGE.write_text(f"{head}{found}{rest[: there.start()]}{text}{rest[there.end() :]}")


if __name__ == "__main__":
    main()
