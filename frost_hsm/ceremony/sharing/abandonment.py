"""Giving up for good, together, what some have confirmed and not all: everybody says so, or it stays undecided.

One alone can take no confirmation back that has left. All n can: the key goes on in the state that it was in, as the
next one, and nobody follows any more what was abandoned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import BEGINNING, Transcript
from frost_hsm.ceremony.messages import changing, signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.message import random_field
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sharing import voting
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import NotPossible
from frost_hsm.secret import Entropy, system_entropy


def propose(holder: Holder, key: GroupKey, displaces: Sequence[bytes], *, entropy: Entropy = system_entropy) -> bytes:
    """Ask everybody to abandon unfinished successors of a key's state. Returns the signed message for all."""
    key.require_active()
    known = {chapter.id for chapter in key.unfinished()}
    if not displaces or not known.issuperset(displaces):
        raise NotPossible(f"there is nothing unfinished of {key.name} to abandon by this id")
    message = changing.Abandonment(
        key.ceremony, key.state.digest, key.position, random_field(entropy), tuple(sorted(set(displaces)))
    )
    return signed.write(message, holder)


class Abandonment:
    """One abandonment, as one of the participants sees it. key: as it was before."""

    def __init__(self, home: StateDirectory, asked: Signed[changing.Abandonment], key: GroupKey) -> None:
        self.home = home
        self.asked = asked
        self.id = asked.content_digest
        self.key = key
        self.me = key.me
        self.folder = kept.chapter_folder(key.folder, self.id)
        self.stem = f"{key.name}.abandonment"
        everybody = [member.name for member in key.roster]
        self.transcript = Transcript(
            home,
            self.folder,
            key.roster,
            key.me,
            self._belongs,
            title=f"the abandonment of {self.titles}",
            stem=self.stem,
            status=f"history show {key.name}",
            expected=everybody,
            voters=everybody,
            beginning=lambda: [*key.history.lineage(key.state), asked],
        )

    @classmethod
    def read(cls, home: StateDirectory, data: bytes, me: PublicIdentity) -> Abandonment:
        """Take a file; its author, its key and the state that it is made in have to be known here."""
        wanted = signed.peek(data, changing.Abandonment)
        key = GroupKey.find(home, wanted.ceremony, me, at=wanted.state)
        return cls(home, signed.read(data, key.roster).expect(changing.Abandonment), key)

    @property
    def displaced(self) -> dict[bytes, str]:
        """What it abandons, by id, for people to see all of it before they agree: its title where that is known."""
        return self.key.history.titles(self.asked.message.displaces)

    @property
    def titles(self) -> str:
        """What it abandons, in a sentence."""
        return " and ".join(self.displaced.values())

    @property
    def chapter(self) -> Chapter:
        """This as a chapter of the key's history."""
        return self.key.chapter(self.asked)

    def confirm(self, open_holder: OpenHolder, inbox: Inbox) -> bytes:
        """Agree to it, and take in who else has; returns the message for everybody. With all of them it is done."""

        def keep() -> None:
            self.home.put(f"{self.folder}/{BEGINNING}", self.asked.to_pem())

        confirmation = Confirmation(self.id, (), self.key.state.package_hash)
        sent = voting.confirm(
            self.home, self.key, self.chapter, confirmation, self.transcript, open_holder, inbox, keep
        )
        if sent is None:
            raise NotPossible(f"{self.me.name} has no share of {self.key.name}, and no say in this")
        return sent.to_pem()

    @property
    def is_done(self) -> bool:
        """Whether all have agreed, and it was taken in here."""
        return self.transcript.is_complete

    @property
    def missing(self) -> list[str]:
        """The names of those whose confirmation is not here."""
        known = self.transcript.known(Confirmation)
        return [name for name in self.transcript.voters if name not in known]

    def _belongs(self, said: Signed[Any]) -> bool:
        if isinstance(said.message, Confirmation):
            return said.message.ceremony == self.id
        return said.content_digest == self.id  # the request itself, lying among the others
