"""The shim: a module that behaves as others do that are hard to have in a test (`tests/backends/shims`)."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "backends" / "shims" / "shim.c"


@cache
def compiled(directory: Path) -> Path | None:
    """Compile the shim into a directory; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    made = directory / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, SOURCE, "-ldl"], check=True)
    return made


def copy(directory: Path, to: Path) -> Path:
    """Copy the shim: a process then has one more, which is not initialised."""
    made = compiled(directory)
    if made is None:
        raise FileNotFoundError("there is no C compiler")
    return Path(shutil.copy(made, to))
