"""What a process begins with that forks a child for every command: the whole program, loaded; and how a child ends."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pkcs11


def program(module: str) -> str:
    """Return what Python runs, with -c, to be the process of a module of this folder."""
    return (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from stage.{module} import serve; serve()"
    )


def load_all() -> None:
    """Load every module of the program but the kits; what is for an extra that is not installed is left out."""
    import frost_hsm
    from frost_hsm.errors import FrostHsmError

    for module in pkgutil.walk_packages(frost_hsm.__path__, "frost_hsm."):
        # The native library looks like a module of Python's, and is none.
        if not module.name.startswith(("frost_hsm.testing", "frost_hsm.__main__")) and "libfrost" not in module.name:
            with suppress(ImportError, FrostHsmError):
                importlib.import_module(module.name)
    gc.freeze()  # so that no child looks through it, for which its pages would have to be copied


def leave(status: int) -> NoReturn:
    """End a child; modules of PKCS#11 are told. To let go of all that was loaded takes longer than most commands."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the terminal was closed
            stream.flush()
    gc.collect()
    for path in [*pkcs11._loaded]:
        pkcs11.unload(path)
    os._exit(status)
