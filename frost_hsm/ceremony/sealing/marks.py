"""What a token remembers of its own: whose it is, how far each key went, what was voted and what is over.

A state directory can be copied, put back and lost; a token goes on. So the token holds *marks*, small records of whose
names all can be read at once; there is nothing secret in them, and their contents say nothing. Each is of one identity:

    owner.WHO.DIRECTORY          which state directory works with it
    state.WHO.KEY.HEIGHT.STATE   the newest state of a key that was seen here
    vote.WHO.STATE.OPENING.SAID  what was confirmed to follow a state, and in which words
    dealt.WHO.CEREMONY           what one was the dealer of
    gone.WHO.CEREMONY            what was given up or deleted, and never comes back

WHO is 8 bytes of the sign key's digest, the others are 16 bytes of what they name, all in hexadecimal. A mark that
takes the place of an older one is written first: whoever is killed between leaves both, and the newer one counts.
Votes and dealings are let go of with the state that they were about: nobody goes back there.

Beside a token that holds no records the marks lie in the state directory, and so tell nothing that it does not say:
a copy of it has them, and a fresh one has none.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.shelf import Shelf
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import KeyExists, KeyNotFound, StateRolledBack, StepConflict, TokenLost, TokenOwnedElsewhere

FIELDS: Final = {"owner": 1, "state": 3, "vote": 3, "dealt": 1, "gone": 1}
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
        self._works_with = holder.works_with
        self._who = holder.public.sign_key.digest[:8].hex()

    # ── Whose token it is ──

    def require_own(self) -> None:
        """See that the token is this state directory's; the first that comes to a new one makes it its own.

        All owners are listed once in the time that a holder has the token open; from then on one record is looked for,
        as whoever takes the token over destroys it. Raises `TokenOwnedElsewhere` if the token is another's, or of two
        because taking it over was cut short, and `TokenLost` if it keeps nothing, as SoftHSM2 without its files.
        """
        if self._home.id in self._works_with:
            self._require_still_own()
            return
        owners = set(self._listed("owner"))
        if not owners:
            self._put("owner", self._own)
            owners = set(self._listed("owner"))  # another one may have come at this instant
            if not owners:
                raise TokenLost("the token does not hold what was just written to it")
        if owners != {(self._own,)}:
            raise self._refusal()
        self._works_with.add(self._home.id)

    def _require_still_own(self) -> None:
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
        return _newest(self._seen(key))

    def _seen(self, key: bytes) -> list[tuple[str, ...]]:
        return [each for each in self._listed("state") if each[0] == _shown(key)]

    def require_not_behind(self, key: bytes, height: int, digest: bytes, overtaken: Collection[bytes] = ()) -> None:
        """Raise `StateRolledBack` if the token has seen a newer state of a key, or another one of this height.

        overtaken: digests of states that this one took the place of, for all to see: to have been there is fine.
        """
        _require_not_behind(self._seen(key), height, digest, overtaken)

    def seen_state(self, key: bytes, height: int, digest: bytes, overtaken: Collection[bytes] = ()) -> bool:
        """Remember a state of a key as the newest; returns whether that is news to the token.

        Raises `StateRolledBack` as `require_not_behind` does.
        """
        with self._home.lock():
            seen, mark = self._seen(key), (_shown(key), str(height), _shown(digest))
            _require_not_behind(seen, height, digest, overtaken)
            if seen == [mark]:
                return False
            self._put("state", *mark)
            for each in seen:
                if each != mark:
                    self._shelf.discard(self._name("state", *each))
            return True

    # ── What was said, once ──

    def vote(self, state: bytes, opening: bytes, said: bytes) -> None:
        """Remember what one confirms to follow a state, before it leaves.

        opening: the id of the chapter. said: the content digest of the confirmation. Raises as `require_unsaid` does.
        """
        with self._home.lock():
            self.require_unsaid(state, opening, said)
            self._put("vote", _shown(state), _shown(opening), _shown(said))

    def require_unsaid(self, state: bytes, opening: bytes, said: bytes) -> None:
        """Raise `StepConflict` if one has confirmed the same chapter in other words."""
        mark = (_shown(state), _shown(opening), _shown(said))
        if any(each[:2] == mark[:2] and each != mark for each in self._listed("vote")):
            raise StepConflict(
                "your token shows that you have confirmed this before, with other messages",
                hint="ask the others for your confirmation, and run this again with the messages that it was of",
            )

    def votes(self, state: bytes) -> frozenset[bytes]:
        """Return what was confirmed to follow a state: openings, each cut to 16 bytes."""
        return frozenset(bytes.fromhex(opening) for of, opening, _ in self._listed("vote") if of == _shown(state))

    def dealt(self, ceremony: bytes) -> None:
        """Remember that one dealt the shares of a ceremony, before the dealing leaves."""
        with self._home.lock():
            self._put("dealt", _shown(ceremony))

    def has_dealt(self, ceremony: bytes) -> bool:
        """Whether one dealt the shares of a ceremony."""
        return (_shown(ceremony),) in self._listed("dealt")

    def forget(self, states: Collection[bytes], chapters: Collection[bytes]) -> None:
        """Let go of the votes on what follows states that have ended, and of the dealings of chapters before."""
        over, ended = {_shown(each) for each in states}, {_shown(each) for each in chapters}
        with self._home.lock():
            for vote in self._listed("vote"):
                if vote[0] in over:
                    self._shelf.discard(self._name("vote", *vote))
            for dealt in self._listed("dealt"):
                if dealt[0] in ended:
                    self._shelf.discard(self._name("dealt", *dealt))

    # ── What is over ──

    def gone(self, ceremony: bytes) -> None:
        """Remember for good that a ceremony was given up, or that the key it made was deleted."""
        with self._home.lock():
            self._put("gone", _shown(ceremony))
            for kind in ("state", "dealt"):
                for each in self._listed(kind):
                    if each[0] == _shown(ceremony):
                        self._shelf.discard(self._name(kind, *each))

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


def _newest(seen: Collection[tuple[str, ...]]) -> tuple[int, bytes] | None:
    return max(((int(height), bytes.fromhex(state)) for _, height, state in seen), default=None)


def _require_not_behind(
    seen: Collection[tuple[str, ...]], height: int, digest: bytes, overtaken: Collection[bytes]
) -> None:
    newest, state = _newest(seen) or (-1, b"")
    is_behind = newest > height or (newest == height and state != digest[:SHOWN])
    if is_behind and state not in {each[:SHOWN] for each in overtaken}:
        raise StateRolledBack(
            "the token has seen a newer state of this key than this state directory holds",
            hint="have the others send you the key as it is now: frost-hsm keys import FILE",
        )


def _shown(digest: bytes) -> str:
    return digest[:SHOWN].hex()
