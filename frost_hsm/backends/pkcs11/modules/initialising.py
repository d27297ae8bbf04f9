"""Starting a module: without arguments, or with those that it asks for; or sharing it, where it runs already.

python-pkcs11 calls C_Initialize without arguments and nothing else. A few modules want to be allowed to lock, or words
of their own: NSS a database's directory.
"""

from __future__ import annotations

import os
from typing import Any

import pkcs11
from pkcs11._pkcs11 import lib as PythonPkcs11Library  # noqa: N812
from pkcs11.attributes import AttributeMapper

from frost_hsm.backends.pkcs11.calls.answers import Answer, name_of
from frost_hsm.backends.pkcs11.calls.native import Functions

_WANTS_ARGUMENTS = {"CKR_ARGUMENTS_BAD", "CKR_CANT_LOCK", "CKR_NEED_TO_CREATE_THREADS"}
_RUNS_ALREADY = "CKR_CRYPTOKI_ALREADY_INITIALIZED"


class _Library(PythonPkcs11Library):
    """A module as python-pkcs11 knows it, initialised in our way."""

    is_shared = False

    @property
    def initialized(self) -> bool:  # type: ignore[override]
        """Always: `initialize` has been called when anybody sees it."""
        return True

    def initialize(self) -> None:
        """Call C_Initialize with arguments; a module that runs already is shared."""
        reserved = os.environ.get("NSS_LIB_PARAMS") if "softokn" in self.so else None
        try:
            Functions(self, AttributeMapper()).initialize(reserved)
        except Answer as answer:
            if answer.name != _RUNS_ALREADY:
                raise
            self.is_shared = True

    def finalize(self) -> None:
        """Call C_Finalize, unless somebody else started the module."""
        if not self.is_shared:
            Functions(self, AttributeMapper()).finalize()

    def reinitialize(self) -> None:
        """Start the module again."""
        self.finalize()
        self.initialize()


def initialised(path: str) -> tuple[Any, bool]:
    """Load and start a module; returns python-pkcs11's library, and whether it is shared with who started it.

    Raises what python-pkcs11 does, and `Answer`.
    """
    try:
        return pkcs11.lib(path), False
    except pkcs11.PKCS11Error as error:
        if name_of(error) not in (*_WANTS_ARGUMENTS, _RUNS_ALREADY):
            raise
    library = _Library(path)
    return library, library.is_shared
