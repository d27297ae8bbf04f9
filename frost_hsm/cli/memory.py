"""This process's memory, which for an instant may hold a PIN or a share: nobody else gets to see it."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # of linux/prctl.h


def keep_private() -> None:
    """Have no core dump written of this process; on Linux, let nobody but root attach to it or read its memory.

    The limit alone does not hold where the kernel hands dumps to a program.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
