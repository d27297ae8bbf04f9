"""Sealed records: what we must keep secret between two steps.

Each is sealed to our own token's agree key and signed by its sign key, so that only this token opens it and
nobody else can have put it there. It lies in the token as a private data object; where a token can hold none,
in the state directory, sealed the same way. Then a copy of the state directory that is put back in time brings
back what was destroyed since, nonces too: only a token that holds its records protects against that.
"""

from __future__ import annotations

from contextlib import suppress

from frost_hsm.backends import Capability
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.envelope import Envelope
from frost_hsm.ceremony.sealing.recipients import KeyAgreement
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import ForeignMessage, KeyExists, KeyNotFound, MalformedMessage
from frost_hsm.forms import cms
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
    """The records of one identity: written once, read, destroyed; never changed."""

    def __init__(self, holder: Holder, home: StateDirectory) -> None:
        self._holder = holder
        self._home = home
        self._in_token = Capability.DATA in holder.token.capabilities

    def names(self) -> list[str]:
        """List the records there are."""
        return self._holder.token.record_names() if self._in_token else self._home.names("sealed")

    def put(self, name: str, context: Context, plaintext: Secret) -> None:
        """Seal and keep; the caller still owns, and wipes, the plaintext. Raises `KeyExists`."""
        sealed = envelope.seal(context, plaintext, self._holder)
        if self._in_token:
            self._holder.token.write_record(name, sealed)
            return
        with self._home.lock():
            if self._home.exists(f"sealed/{name}"):
                raise KeyExists(f'there is a sealed record "{name}" already')
            self._home.put(f"sealed/{name}", sealed)

    def find(self, name: str, context: Context) -> Secret | None:
        """Open a record if there is one. Raises as `get` does."""
        try:
            return self.get(name, context)
        except KeyNotFound:
            return None

    def get(self, name: str, context: Context) -> Secret:
        """Open a record; its context must be the one expected. Raises `KeyNotFound`, `SealBroken`."""
        return envelope.unseal(self._read(name), context, self._holder)

    def _read(self, name: str) -> bytes:
        if self._in_token:
            return self._holder.token.read_record(name)
        found = self._home.read(f"sealed/{name}")
        if found is None:
            raise KeyNotFound(f'there is no sealed record "{name}"')
        return found

    def shown_context(self, name: str) -> Context | None:
        """Return what a record shows of its context, unverified; None if it shows nothing, as an RSA key's does."""
        with suppress(ForeignMessage, MalformedMessage):
            found = Envelope.decode(cms.parse(self._read(name)).content).recipients[0]
            return Context.decode(found.ukm) if isinstance(found, KeyAgreement) else None
        return None

    def destroy(self, name: str) -> None:
        """Destroy a record for good: when this returns it is gone. Raises `KeyNotFound` if there was none."""
        if self._in_token:
            self._holder.token.delete_record(name)
            return
        with self._home.lock():
            if not self._home.exists(f"sealed/{name}"):
                raise KeyNotFound(f'there is no sealed record "{name}"')
            self._home.remove(f"sealed/{name}")

    def destroy_all(self, ceremony: bytes, position: int) -> None:
        """Destroy every record of one participant of a ceremony; none is fine."""
        for name in self.names():
            if f".{_owner(ceremony, position)}." in f"{name}.":
                self.destroy(name)
