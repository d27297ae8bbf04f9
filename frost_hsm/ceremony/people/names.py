"""What participants and keys may be called."""

from __future__ import annotations

import re
from typing import Final

from frost_hsm.errors import NotPossible

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def require_name(name: str) -> str:
    """Return ``name`` if it can be the name of a participant or a key, else raise `NotPossible`.

    One to 32 characters, lower-case letters, digits, dot, underscore and hyphen, the first a letter or digit: so
    that it is a file name everywhere, looks the same everywhere and can be said aloud.
    """
    if not NAME.fullmatch(name):
        raise NotPossible(
            f"{name!r} is not a name", hint="a name is up to 32 of a-z 0-9 . _ -, the first a letter or digit"
        )
    return name
