"""Fuzz the parsers with atheris, guided by coverage of frost_hsm.

    python tests/fuzz/run.py [TARGET...] [--inputs N]

Prints one line a target, as a row for README.md. An input that fails a target is written into its corpus as
``found-…``, where the tests see it; the exit status is then 1. Needs the dependency group "fuzz".
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["frost_hsm"]):
    from fuzz.mutation import mutate
    from fuzz.targets import CORPUS, TARGETS, home, seeds

    for name, target in TARGETS.items():  # modules are imported when they are first needed, too
        for seed in seeds(name).values():
            target.accepts(seed)

MEMORY_DISK = Path("/dev/shm")  # state directories are synced at every step
DICTIONARY = Path(__file__).parent / "dictionary"
_MAX_LENGTH = 1 << 15
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")
_DONE = re.compile(r"Done (\d+) runs")


def fuzz(name: str, inputs: int, corpus: Path) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    target = TARGETS[name]

    def read(data: bytes) -> None:
        try:
            target.accepts(data)
        except BaseException:
            found = CORPUS / name / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
            found.write_bytes(data)
            raise

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, max_size))
        start = target.choosing
        return (data[:start] + mutate(data[start:], Random(seed)))[:max_size]

    options = (f"-runs={inputs}", f"-max_len={_MAX_LENGTH}", f"-dict={DICTIONARY}", "-timeout=10", "-rss_limit_mb=1024")
    atheris.Setup([name, *options, str(corpus), str(CORPUS / name)], read, custom_mutator=change)
    atheris.Fuzz()


def run(name: str, inputs: int) -> int:
    """Fuzz one target in a child and print how it went; returns 0 if nothing was found."""
    began = time.monotonic()
    disk = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=disk) as directory, tempfile.TemporaryFile("w+") as log:
        corpus, temporary = Path(directory) / "corpus", Path(directory) / "temporary"
        corpus.mkdir()
        temporary.mkdir()
        child = os.fork()
        if child == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            tempfile.tempdir = str(temporary)  # for libFuzzer ends this process before it could tidy up
            home.cache_clear()
            fuzz(name, inputs, corpus)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        log.seek(0)
        said = log.read()
    coverage = _COVERAGE.findall(said)
    done = _DONE.search(said)
    if status or done is None or not coverage:
        print(said[-4000:], file=sys.stderr)
        print(f"| {name} | found something |", flush=True)
        return 1
    edges, features, kept = coverage[-1]
    seconds = time.monotonic() - began
    print(f"| {name} | {int(done[1]):,} | {seconds:.0f} | {edges} | {features} | {kept} |", flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the parsers with atheris.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)}")
    parser.add_argument("--inputs", type=int, default=5000, help="inputs for each target")
    arguments = parser.parse_args()
    return max(run(name, arguments.inputs) for name in arguments.targets or TARGETS)


if __name__ == "__main__":
    sys.exit(main())
