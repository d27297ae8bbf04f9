"""What a token remembers of its own: whose it is, how far each key went, what was voted and what is over.

A state directory can be copied, put back and lost; a token goes on. So the token holds *marks*, small records of whose
names all can be read at once; there is nothing secret in them, and their contents say nothing. Each is of one identity:

    owner.WHO.DIRECTORY          which state directory works with it
    state.WHO.KEY.HEIGHT.STATE   the newest state of a key that was seen here
    vote.WHO.STATE.OPENING       what was confirmed to follow a state
    gone.WHO.CEREMONY            what was given up or deleted, and never comes back

WHO is 8 bytes of the sign key's digest, the others are 16 bytes of what they name, all in hexadecimal. A mark that
takes the place of an older one is written first: whoever is killed between leaves both, and the newer one counts.

Beside a token that holds no records the marks lie in the state directory, and so tell nothing that it does not say:
a copy of it has them, and a fresh one has none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.shelf import Shelf
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import KeyExists, KeyNotFound, StateRolledBack, TokenOwnedElsewhere

FIELDS: Final = {"owner": 1, "state": 3, "vote": 2, "gone": 1}
"""How many follow WHO in the name of each kind of mark."""

SHOWN: Final = 16
"""Bytes of a digest or an id that are in a mark's name."""

_CONTENTS = b"a mark of frost-hsm; its name says it all\n"


def is_mark(name: str) -> bool:
    """Whether a record of this name is a mark."""
    return name.startswith(tuple(f"{kind}." for kind in FIELDS))


class Marks:
    """The marks of one identity, as one state directory reads and writes them."""

    def __init__(self, holder: Holder, home: StateDirectory) -> None:
        self._shelf = Shelf(holder, home)
        self._home = home
        self._who = holder.public.sign_key.digest[:8].hex()

    # ── Whose token it is ──

    def require_own(self) -> None:
        """See that the token is this state directory's; the first that comes to a new one makes it its own.

        Raises `TokenOwnedElsewhere` if it is another's, or of two because taking it over was cut short.
        """
        owners = set(self._listed("owner"))
        if not owners:
            self._put("owner", self._own)
            owners = set(self._listed("owner"))  # another one may have come at this instant
        if owners != {(self._own,)}:
            raise self._refusal()

    def require_still_own(self) -> None:
        """See that nobody has taken the token over since `require_own`: one record is looked for."""
        try:
            self._shelf.read(self._name("owner", self._own))
        except KeyNotFound:
            raise self._refusal() from None

    def is_owned_elsewhere(self) -> bool:
        """Whether the token works with another state directory, if only among others."""
        return not {owner for (owner,) in self._listed("owner")} <= {self._own}

    def take_over(self) -> None:
        """Make the token this state directory's, and shut every other one out.

        Nonces that wait in the token are destroyed: whether they have served is known to the other directory alone.
        Whoever is killed between shuts out both until it is run again.
        """
        with self._home.lock():
            others = [owner for (owner,) in self._listed("owner") if owner != self._own]
            self._put("owner", self._own)
            for name in self._shelf.names() if others else ():
                if name.startswith(f"{Kind.SIGNING_NONCES}."):
                    self._shelf.discard(name)
            for owner in others:
                self._shelf.discard(self._name("owner", owner))

    @property
    def _own(self) -> str:
        return _shown(self._home.id)

    def _refusal(self) -> TokenOwnedElsewhere:
        return TokenOwnedElsewhere(f"this token works with another state directory than {self._home.path}")

    # ── How far a key went ──

    def newest(self, key: bytes) -> tuple[int, bytes] | None:
        """Return height and digest, cut to 16 bytes, of the newest state of a key that the token has seen."""
        seen = [(int(height), bytes.fromhex(state)) for of, height, state in self._listed("state") if of == _shown(key)]
        return max(seen, default=None)

    def require_not_behind(self, key: bytes, height: int, digest: bytes) -> None:
        """Raise `StateRolledBack` if the token has seen a newer state of a key, or another one of this height."""
        seen, state = self.newest(key) or (-1, b"")
        if seen > height or (seen == height and state != digest[:SHOWN]):
            raise StateRolledBack(
                "the token has seen a newer state of this key than this state directory holds",
                hint="have the others send you the key as it is now: frost-hsm keys import FILE",
            )

    def seen_state(self, key: bytes, height: int, digest: bytes) -> None:
        """Remember a state of a key as the newest. Raises `StateRolledBack` as `require_not_behind` does."""
        with self._home.lock():
            self.require_not_behind(key, height, digest)
            mark = (_shown(key), str(height), _shown(digest))
            older = [each for each in self._listed("state") if each[0] == mark[0] and each != mark]
            self._put("state", *mark)
            for each in older:
                self._shelf.discard(self._name("state", *each))

    # ── What was voted ──

    def vote(self, state: bytes, opening: bytes) -> None:
        """Remember that one confirmed what an opening begins to follow a state, before the confirmation leaves."""
        with self._home.lock():
            self._put("vote", _shown(state), _shown(opening))

    def votes(self, state: bytes) -> frozenset[bytes]:
        """Return what was confirmed to follow a state: openings, each cut to 16 bytes."""
        return frozenset(bytes.fromhex(opening) for of, opening in self._listed("vote") if of == _shown(state))

    def forget_votes(self, state: bytes) -> None:
        """Let go of the votes on what follows a state, once that is settled."""
        with self._home.lock():
            for of, opening in self._listed("vote"):
                if of == _shown(state):
                    self._shelf.discard(self._name("vote", of, opening))

    # ── What is over ──

    def gone(self, ceremony: bytes) -> None:
        """Remember for good that a ceremony was given up, or that the key it made was deleted."""
        with self._home.lock():
            self._put("gone", _shown(ceremony))
            for each in self._listed("state"):
                if each[0] == _shown(ceremony):
                    self._shelf.discard(self._name("state", *each))

    def made_again(self, ceremony: bytes) -> None:
        """Let go of `gone`: the others have made a share of the key for this token again."""
        with self._home.lock():
            self._shelf.discard(self._name("gone", _shown(ceremony)))

    def is_gone(self, ceremony: bytes) -> bool:
        """Whether a ceremony was given up, or the key that it made was deleted."""
        return (_shown(ceremony),) in self._listed("gone")

    # ── Marks ──

    def _name(self, kind: str, *fields: str) -> str:
        return ".".join((kind, self._who, *fields))

    def _put(self, kind: str, *fields: str) -> None:
        with suppress(KeyExists):
            self._shelf.write(self._name(kind, *fields), _CONTENTS)

    def _listed(self, kind: str) -> list[tuple[str, ...]]:
        beginning = self._name(kind, "")
        fields = [tuple(name.removeprefix(beginning).split(".")) for name in self._shelf.names(beginning)]
        return [each for each in fields if len(each) == FIELDS[kind]]


def _shown(digest: bytes) -> str:
    return digest[:SHOWN].hex()
