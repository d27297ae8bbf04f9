"""Secrets in memory do not reach the disk by way of a crash, nor another process by way of a debugger."""

from __future__ import annotations

import subprocess
import sys

REPORT = """
import ctypes, resource
from frost_hsm import cli

def run(arguments):
    print(*resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
    return 0

cli.run = run
cli.main()
"""


def test_the_program_leaves_no_core_dump_and_cannot_be_attached_to() -> None:
    done = subprocess.run([sys.executable, "-c", REPORT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "0"]
