"""This process's memory, which for an instant may hold a PIN or a share: nobody else gets to see it."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

_PR_SET_DUMPABLE = 4  # of linux/prctl.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # of linux/mman.h
_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def keep_private() -> None:
    """Have no core dump written of this process; on Linux, let nobody but root attach to it or read its memory.

    The limit alone does not hold where the kernel hands dumps to a program. Linux keeps the memory from swap as well,
    where it lets a process lock all that it may ever use: with less, locking would make allocations fail later.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        with suppress(ValueError, OSError):  # more than the limit that was set for us
            resource.setrlimit(resource.RLIMIT_MEMLOCK, _UNLIMITED)
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        if limit != _UNLIMITED:  # with nothing allowed, it works only for whom no limit holds (CAP_IPC_LOCK)
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, limit[1]))
        library.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, limit)


def swap() -> tuple[bool, str]:
    """Say whether memory is kept from swap, and if not, what helps."""
    try:
        status, swaps = Path("/proc/self/status").read_text(), Path("/proc/swaps").read_text()
    except OSError:
        return False, "memory may be written to swap: this system does not say; encrypt the swap"
    if any(line.startswith("VmLck:") and line.split()[1] != "0" for line in status.splitlines()):
        return True, "memory is kept from swap, and no core is dumped of it"
    if len(swaps.splitlines()) < 2:
        return True, "there is no swap that memory could be written to"
    return False, "memory may be written to swap: encrypt the swap, or allow locked memory (ulimit -l unlimited)"
