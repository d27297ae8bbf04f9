"""Where records lie: in the token as private data objects, or in the state directory beside a token that holds none.

Which of the two was settled with the identity (`Identity.records`). Records are written and read there alone; they are
listed and destroyed in both, so that nothing secret stays where nobody looks any more.
"""

from __future__ import annotations

from contextlib import suppress

from frost_hsm.backends import Capability
from frost_hsm.ceremony.people.identity import Holder, RecordPlace
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import KeyExists, KeyNotFound

FOLDER = "sealed"


class Shelf:
    """The records of one identity, bytes under a name: written once, never changed."""

    def __init__(self, holder: Holder, home: StateDirectory) -> None:
        self._token = holder.token
        self._home = home
        self._in_token = holder.identity.records is RecordPlace.TOKEN

    def names(self, beginning: str = "") -> list[str]:
        """List the records there are whose names begin so, in both places, sorted."""
        in_token = self._token.record_names(beginning) if self._is_token_asked else []
        return sorted({*in_token, *(name for name in self._home.names(FOLDER) if name.startswith(beginning))})

    def write(self, name: str, data: bytes) -> None:
        """Keep a record. Raises `KeyExists` if the name is taken."""
        if self._in_token:
            self._token.write_record(name, data)
            return
        with self._home.lock():
            if self._home.exists(f"{FOLDER}/{name}"):
                raise KeyExists(f'there is a record "{name}" already')
            self._home.put(f"{FOLDER}/{name}", data)

    def read(self, name: str) -> bytes:
        """Return a record. Raises `KeyNotFound`."""
        if self._in_token:
            return self._token.read_record(name)
        found = self._home.read(f"{FOLDER}/{name}")
        if found is None:
            raise KeyNotFound(f'there is no record "{name}"')
        return found

    def destroy(self, name: str) -> None:
        """Destroy a record for good: when this returns it is gone, and nobody else has destroyed it.

        Raises `KeyNotFound` if it was not where records are read: of all who try, exactly one gets past this.
        """
        if self._in_token:
            self._remove(name)
            self._token.delete_record(name)
            return
        with self._home.lock():
            if self._is_token_asked:
                with suppress(KeyNotFound):
                    self._token.delete_record(name)
            if not self._home.exists(f"{FOLDER}/{name}"):
                raise KeyNotFound(f'there is no record "{name}"')
            self._remove(name)

    def discard(self, name: str) -> None:
        """Destroy a record wherever it lies; none is fine."""
        with suppress(KeyNotFound):
            self.destroy(name)

    @property
    def _is_token_asked(self) -> bool:
        return self._in_token or Capability.DATA in self._token.capabilities

    def _remove(self, name: str) -> None:
        if self._home.exists(f"{FOLDER}/{name}"):
            self._home.remove(f"{FOLDER}/{name}")
