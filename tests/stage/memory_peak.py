"""The most memory that a process has had, as Linux counts it for its program.

What `resource.getrusage` says of a new program begins with what the process had that started it, so that nothing less
can be seen beside it.
"""

from __future__ import annotations

import re
from pathlib import Path


def megabytes(process: int | str = "self") -> float:
    """Say how many at most. Raises `ProcessLookupError` of a process that has ended."""
    seen = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    if seen is None:
        raise ProcessLookupError(process)
    return int(seen[1]) / 1024


def begin_again() -> float:
    """Forget what this process had at most; returns the megabytes that it has."""
    Path("/proc/self/clear_refs").write_text("5")
    return megabytes()
