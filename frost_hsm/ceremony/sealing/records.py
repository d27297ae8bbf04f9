"""Sealed records: what we must keep secret between two steps.

Each is sealed to our own token's agree key and signed by its sign key, so that only this token opens it and
nobody else can have put it there. It lies on the `Shelf`: in the token, or in the state directory beside a token that
holds no records, sealed the same way. Then a copy of the state directory that is put back in time brings back what was
destroyed since, nonces too: only a token that holds its records protects against that.

Whoever touches one is first seen to be the token's owner (`marks`).
"""

from __future__ import annotations

from collections.abc import Collection

from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.marks import Marks, is_mark
from frost_hsm.ceremony.sealing.shelf import Shelf
from frost_hsm.ceremony.store import StateDirectory, prepared_folder, served_folder
from frost_hsm.errors import KeyNotFound
from frost_hsm.secret import Secret


def record_name(kind: Kind, ceremony: bytes, position: int, subject: bytes = b"") -> str:
    """Name a record: what it is, of which ceremony, whose, and what it is about where there may be several."""
    name = f"{kind}.{_owner(ceremony, position)}"
    return f"{name}.{subject[:16].hex()}" if subject else name


def _owner(ceremony: bytes, position: int) -> str:
    return f"{ceremony[:16].hex()}.{position}"


def own_context(
    me: PublicIdentity,
    ceremony: bytes,
    kind: Kind,
    suite: str,
    *,
    key: bytes = b"",
    epoch: int = 0,
    binding: bytes = b"",
) -> Context:
    """Return the context of something that we seal to ourselves."""
    return Context(ceremony, kind, suite, me.sign_key.digest, me.agree_key.digest, key, epoch, binding)


class SealedRecords:
    """The records of one identity: written once, read, destroyed; never changed.

    Every method raises `TokenOwnedElsewhere` if the token works with another state directory.
    """

    def __init__(self, holder: Holder, home: StateDirectory) -> None:
        self._holder = holder
        self._home = home
        self._marks = Marks(holder, home)
        self._all = Shelf(holder, home)
        self._is_own = False

    @property
    def _shelf(self) -> Shelf:
        if not self._is_own:
            self.require_own()
        return self._all

    def require_own(self) -> None:
        """See that the token works with this state directory, again, for whoever keeps it open."""
        self._marks.require_own()
        self._is_own = True

    def require_not_behind(self, key: bytes, height: int, digest: bytes, overtaken: Collection[bytes]) -> None:
        """See that the token has seen no newer state of a key, as `Marks.require_not_behind` has it."""
        self._marks.require_not_behind(key, height, digest, overtaken)

    def names(self, beginning: str = "") -> list[str]:
        """List the sealed records whose names begin so."""
        return [name for name in self._shelf.names(beginning) if not is_mark(name)]

    def put(self, name: str, context: Context, plaintext: Secret) -> None:
        """Seal and keep; the caller still owns, and wipes, the plaintext. Raises `KeyExists`."""
        shelf = self._shelf
        shelf.write(name, envelope.seal(context, plaintext, self._holder))

    def find(self, name: str, context: Context) -> Secret | None:
        """Open a record if there is one. Raises as `get` does."""
        try:
            return self.get(name, context)
        except KeyNotFound:
            return None

    def get(self, name: str, context: Context) -> Secret:
        """Open a record; its context must be the one expected. Raises `KeyNotFound`, `SealBroken`."""
        return envelope.unseal(self._shelf.read(name), context, self._holder)

    def destroy(self, name: str) -> None:
        """Destroy a record for good: when this returns it is gone, and nobody else has destroyed it.

        Raises `KeyNotFound` if there was none; of all who try, from wherever, exactly one gets past this.
        """
        self._shelf.destroy(name)

    def discard(self, name: str) -> None:
        """Destroy a record wherever it lies; none is fine."""
        self._shelf.discard(name)

    def destroy_all(self, ceremony: bytes, position: int) -> None:
        """Destroy every record of one participant of a ceremony; none is fine. What its nonces were goes last."""
        for name in self.names():
            if f".{_owner(ceremony, position)}." in f"{name}.":
                self.discard(name)
        self._home.remove(prepared_folder(ceremony, position))
        self._home.remove(served_folder(ceremony, position))
