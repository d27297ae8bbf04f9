"""The library itself: where it lies, whether it is wanted, and its functions, through `ctypes`.

Calls that take longer than a microsecond or two drop the interpreter's lock; shorter ones keep it, since taking it
again takes longer than they do.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import c_int32, c_size_t, c_uint32, c_void_p
from typing import Any

SWITCH = "FROST_HSM_NATIVE"
"""The environment variable that switches the library off: by 0."""

VERSION = 3
"""Of the interface: that of the sources beside this file."""

_NAMES = {"darwin": "libfrost_hsm_native.dylib", "win32": "frost_hsm_native.dll"}  # as cargo calls it

FILE = os.path.join(  # noqa: PTH118  # pathlib takes longer to import than all this
    os.path.dirname(__file__),  # noqa: PTH120
    _NAMES.get(sys.platform, "libfrost_hsm_native.so"),
)
"""Where a platform wheel has it, and `build` puts it."""

MALFORMED, IDENTITY, OUTSIDE = -1, -2, -3
"""What a call finds wrong with the bytes that it is given; what is below is a mistake of the program."""

_ARGUMENTS = {
    # the number of a curve, then so many buffers
    **dict.fromkeys(("sizes", "fit_scalar", "identity", "is_zero", "is_identity", "double", "negate"), (c_uint32, 1)),
    **dict.fromkeys(("read_scalar", "reduce", "add_scalars", "multiply_base"), (c_uint32, 2)),
    **dict.fromkeys(("read", "read_proven", "write", "write_y", "equal", "add"), (c_uint32, 2)),
    **dict.fromkeys(("evaluate", "reveal_sum", "commit", "read_beside", "prove"), (c_uint32, 3)),
    **dict.fromkeys(("hash_sha512", "hash_shake256", "hash_expanded"), (c_uint32, 4)),
    **dict.fromkeys(("multiply_add", "combine_base", "sum_products"), (c_uint32, 4)),
    "write_combinations": (c_uint32, 5),
    **dict.fromkeys(("nonces_sha512", "nonces_shake256", "nonces_expanded"), (c_uint32, 6)),
    "digest": (c_uint32, 2),  # the number of an algorithm
    "p256_ordinates": (None, 2),
}

_SHORT = {"sizes", "fit_scalar", "read_scalar", "reduce", "is_zero", "multiply_add"}
_SHORT |= {"identity", "is_identity", "equal", "double", "negate"}


class Library:
    """The functions of the library, as attributes without their prefix, ``frost_native_``.

    Each takes a number of a curve and buffers, each of them followed by its length in bytes, and returns a status.
    Raises `OSError` if the file cannot be loaded, and `AttributeError` if it is not this library or of another version.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path = path or FILE
        dropping, keeping = ctypes.CDLL(path), ctypes.PyDLL(path)
        version = dropping.frost_native_version
        version.restype, version.argtypes = c_uint32, ()
        if version() != VERSION:
            raise AttributeError(f"{path} is of another version")
        for name, (first, buffers) in _ARGUMENTS.items():
            function = getattr(keeping if name in _SHORT else dropping, f"frost_native_{name}")
            function.restype = c_int32
            function.argtypes = ((first,) if first else ()) + (c_void_p, c_size_t) * buffers
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:  # the functions, typed by their argtypes
        raise AttributeError(name)


def is_wanted() -> bool:
    """Say whether the library is to be used if it is there."""
    return os.environ.get(SWITCH) != "0"


def describe() -> tuple[bool, str]:
    """Say for people whether the library is there, and why not; and whether that is as it should be."""
    if not is_wanted():
        return True, f"the native library is switched off by {SWITCH}=0"
    if not os.path.exists(FILE):  # noqa: PTH110
        return (
            True,
            "no native library is installed: a wheel of frost-hsm for this platform brings one, which is faster",
        )
    try:
        return True, f"the native library {Library().path} is there"
    except (OSError, AttributeError) as error:
        return False, f"the native library cannot be used: {error}"


def find() -> Library | None:
    """Load the library if it is there, of this version, and wanted."""
    if not is_wanted():
        return None
    try:
        return Library()
    except (OSError, AttributeError):
        return None
