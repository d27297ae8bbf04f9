"""Secrets in memory do not reach the disk by way of a crash, nor another process by way of a debugger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
import ctypes, os, resource, sys
from pathlib import Path
from frost_hsm.cli import memory

limit, is_common = int(sys.argv[1]), sys.argv[2] == "as a common user"
if is_common and os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, limit))
is_unlimited = ctypes.CDLL(None).mlock(ctypes.create_string_buffer(1), 1) == 0
ctypes.CDLL(None).munlockall()
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
memory.keep_private()
room = bytearray(64 << 20)  # more than the limit
room[:] = bytes(len(room))
locked = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmLck:"))
assert resource.getrlimit(resource.RLIMIT_MEMLOCK) in ((limit, limit), (resource.RLIM_INFINITY,) * 2)
print(int(is_unlimited), locked.split()[1], *memory.swap())
"""


def test_the_program_leaves_no_core_dump_and_cannot_be_attached_to() -> None:
    done = subprocess.run([sys.executable, "-c", REPORT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "0"]


@pytest.mark.parametrize("who", ["as a common user", "as who runs the tests"])
@pytest.mark.parametrize("limit", [0, 65536, 8 << 20])
def test_memory_is_kept_from_swap_by_whom_no_limit_holds(limit: int, who: str) -> None:
    """Whom it holds, the limit does no harm: all of the memory asked for is there."""
    done = subprocess.run([sys.executable, "-c", LOCKING, str(limit), who], capture_output=True, text=True, check=True)
    is_unlimited, locked, _, said = done.stdout.split(" ", 3)
    assert (int(locked) > 64 << 10) == (is_unlimited == "1")  # KiB
    assert is_unlimited == "0" or who != "as a common user"
    assert ("memory is kept from swap" in said) == (is_unlimited == "1")


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
