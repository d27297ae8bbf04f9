"""A software backend that tells everybody who deletes a record that it was theirs; other processes can import it."""

from __future__ import annotations

from contextlib import suppress

from frost_hsm.backends import PinSource
from frost_hsm.backends.software import SoftwareBackend
from frost_hsm.backends.software.token import SoftwareToken
from frost_hsm.errors import KeyNotFound


class _ForgivingToken(SoftwareToken):
    def delete_record(self, name: str) -> None:
        with suppress(KeyNotFound):
            super().delete_record(name)


class ForgivingBackend(SoftwareBackend):
    """`SoftwareBackend`, whose tokens forgive."""

    def open(self, uri: str, pin_source: PinSource | None, *, allow_final_try: bool = False) -> SoftwareToken:
        """Open a token as ever; what it is of changes."""
        token = super().open(uri, pin_source, allow_final_try=allow_final_try)
        token.__class__ = _ForgivingToken
        return token
