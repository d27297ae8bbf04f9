"""The home directory that ~ stands for, where a path comes from people."""

from __future__ import annotations

from pathlib import Path

from frost_hsm.errors import UsageProblem


def expand(path: str) -> Path:
    """Return the path with the home directory in it, if it begins with ~ or ~NAME.

    Raises `UsageProblem` if there is none: nobody of that name, or a user whom the system does not know, as in a
    container, without HOME.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageProblem(f'there is no home directory for "{path}"', hint="write the path out, without ~") from None
