"""Evidence of agreement: what all have confirmed of a key, in one file, for anybody who knows the participants.

It begins with the proposal; then, for every chapter of the key's history, how it began and everybody's confirmation; at
the end the public key package. It needs no token, no state directory, and not this program: each message is one that
OpenSSL verifies, and the confirmations of a chapter have the same contents, in which the hashes of everything that was
sent stand.
"""

from __future__ import annotations

from dataclasses import dataclass

from frost_hsm.ceremony.history import dossier
from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.state import State
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.errors import MalformedMessage
from frost_hsm.frost.packages import PublicKeyPackage


@dataclass(frozen=True, slots=True)
class Agreement:
    """What all have confirmed: the last state of a key. confirmation: what they said at the end of it."""

    state: State
    confirmation: Confirmation
    package: PublicKeyPackage


def write(key: GroupKey) -> bytes:
    """Return the confirmations of a key, from its beginning on. Raises what `GroupKey.require_active` raises."""
    key.require_active()
    return dossier.write(key.history.lineage(key.state), [key.public_key_package.serialize()])


def verify(history: History) -> Agreement:
    """Make sure that everybody confirmed every chapter, and the same. Raises `MalformedMessage` if it is not shown."""
    unfinished = [chapter.title for chapter in history.chapters.values() if not chapter.is_complete]
    if unfinished:
        raise MalformedMessage(f"not everybody's confirmation of {', '.join(unfinished)} is in it")
    latest = history.latest()
    if len(latest) != 1:
        raise MalformedMessage("what excludes each other is confirmed in it")
    state = latest[0]
    package = history.package(state)
    if package is None:
        raise MalformedMessage("the public key package that was confirmed is not in it")
    confirmed = next(iter(history.made_by(state).confirmed()[0].values()))
    return Agreement(state, confirmed.message, package)
