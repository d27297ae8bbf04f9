"""Secrets in memory do not reach the disk by way of a crash, nor another process by way of a debugger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from frost_hsm.cli import memory

HEADING = "Filename Type Size Used Priority\n"
TWO_SWAPS = HEADING + "/dev/dm-1 partition 8388604 0 -2\n" * 2

REPORT = """
import ctypes, resource
from frost_hsm import cli

def run(arguments):
    print(*resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
    return 0

cli.run = run
cli.main()
"""


LOCKING = """
import resource, sys
from frost_hsm.cli import memory

resource.setrlimit(resource.RLIMIT_MEMLOCK, (int(sys.argv[1]), int(sys.argv[1])))
memory.keep_private()
room = bytearray(64 << 20)  # more than the limit
room[:] = bytes(len(room))
print(*memory.swap())
"""


def test_the_program_leaves_no_core_dump_and_cannot_be_attached_to() -> None:
    done = subprocess.run([sys.executable, "-c", REPORT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "0"]


@pytest.mark.parametrize("limit", [0, 65536])
def test_a_small_limit_on_locked_memory_does_no_harm(limit: int) -> None:
    done = subprocess.run([sys.executable, "-c", LOCKING, str(limit)], capture_output=True, text=True, check=True)
    fine, _, said = done.stdout.partition(" ")
    assert (fine, "swap" in said) in (("True", True), ("False", True))


@pytest.mark.parametrize(
    ("status", "swaps", "is_fine"),
    [("VmLck:\t   12 kB\n", TWO_SWAPS, True), ("VmLck:\t0 kB\n", HEADING, True), ("VmLck:\t0 kB\n", TWO_SWAPS, False)],
)
def test_what_is_said_of_swap(status: str, swaps: str, is_fine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/proc/self/status": status, "/proc/swaps": swaps}
    monkeypatch.setattr(Path, "read_text", lambda path: files[str(path)])
    fine, said = memory.swap()
    assert fine is is_fine
    assert ("ulimit -l unlimited" in said) is not is_fine


def test_memory_is_locked_where_that_is_allowed_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = []
    library = SimpleNamespace(prctl=lambda *arguments: 0, mlockall=locked.append)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(memory.resource, "setrlimit", lambda *arguments: None)
    for limit, expected in ((8 << 20, []), (memory.resource.RLIM_INFINITY, [7])):
        monkeypatch.setattr(memory.resource, "getrlimit", lambda name, limit=limit: (limit, limit))
        memory.keep_private()
        assert locked == expected
