"""What one hears on a board: read once, verified, and put where it belongs.

A board is trusted with nothing. A message counts if it is signed by somebody known; it goes to the matter that it
names. An envelope that came apart counts if it is for me and a message names it: as one of whoever signed that, where
strangers' are too many to take in all. Whatever else lies there is passed over, and said to be. What cannot be placed
yet is read again when more is known: another person, or a key that was not there before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from frost_hsm.boards import Board, name_of
from frost_hsm.boards.reading import Reading
from frost_hsm.ceremony.history.chapter import about
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import FIRST_LINE, Inbox, Incoming
from frost_hsm.ceremony.messages.message import Enclosing, Enclosure, Message
from frost_hsm.ceremony.messages.using import Attempt, Prepared, SigningRequest
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.sealing.envelope import Envelope
from frost_hsm.ceremony.signing.ahead import Offered
from frost_hsm.cli.sittings import matters
from frost_hsm.cli.sittings.matter import Matter
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FrostHsmError, InputProblem, InvalidContents, MalformedMessage, UsageProblem
from frost_hsm.forms import cms, pem

_FIRST_LINE_OF_IDENTITIES = b"-----BEGIN CERTIFICATE-----"
_IDENTITIES, _EVIDENCE = "whoever hands out identities", "whoever hands out evidence"  # as no person is called
_ENVELOPES = "whoever sends envelopes"
_MAX_OF_STRANGERS = 20  # matters that somebody proposes whose identity nobody here has compared

TakeIn = Callable[[], None]
"""Keeps a message, once it is seen that its sender may say as much."""


class Heard:
    """All that was heard on one board, if there is one, and what the state directory knew before.

    matters: by their id, those that are mine. there: what lies on the board, by `name_of`. evidence: files about
    ceremonies that were stopped. identities: those that were said, by name; nobody has compared them. offered: the
    commitments made ahead that wait there.
    """

    def __init__(self, place: Workplace, board: Board | None) -> None:
        self._place = place
        self._board = board
        self._known = {each.sign_key.key_id: each for each in (place.me, *place.peers().values())}
        self._messages: dict[bytes, dict[str, Incoming]] = {}
        self._envelopes: dict[bytes, bytes] = {}  # those for me that came apart, by their hashes
        self._crowded_out: dict[bytes, set[str]] = {}  # of those that strangers' kept out, by whom they are
        self._attempts: dict[bytes, set[bytes]] = {}  # at a request, by their ids, which messages are about
        self._beginnings: dict[bytes, set[str]] = {}  # of matters, as they lie on the board, by name
        self._over: set[bytes] = set()  # what was let go of
        self._keys: dict[tuple[bytes, bytes], GroupKey] = {}  # one key may be asked for many signatures
        self._unplaced = False
        self._strangers = 0
        self.matters: dict[bytes, Matter] = {}
        self.there: set[str] = set()
        self.evidence: dict[str, bytes] = {}
        self.identities: dict[str, dict[bytes, PublicIdentity]] = {}
        self.offered = Offered()
        self._spoke: dict[str, None] = {}  # who, the last at the end
        for data in matters.known_here(place):
            matter = self._begun(data, signed.decode(signed.parse(data)))
            if matter is not None:
                self._hold(matter)
        self._reading = self._from_the_beginning()

    def read(self) -> None:
        """Read what is new on the board, and again what could not be placed before, if more is known now."""
        if self._reading is None:
            return
        known = -1
        while known != len(self._known) or self._are_crowded_out():
            known = len(self._known)
            for _, take_in in self._reading.new():
                take_in()
            if self._unplaced and known != len(self._known):
                self.read_again()

    def read_again(self) -> None:
        """Have the next `read` begin anew: somebody was added, or a key is there now."""
        if self._unplaced:
            self._unplaced = False
            self._reading = self._from_the_beginning()

    def forget_keys(self) -> None:
        """Have keys loaded again: they go on, by one's own steps and by those of other processes."""
        self._keys.clear()

    def renew(self, matter: Matter) -> Matter:
        """Take a matter up again, as the state directory has it now."""
        again = matters.begin(self._place, matter.begun.to_pem(), matter.begun.message, self._find_key)
        if again is not None:
            self.matters[matter.id] = again
        return self.matters[matter.id]

    def let_go(self, matter: Matter) -> None:
        """Forget a matter that is over, and what was said in it."""
        said: dict[str, Incoming] = {}
        for each in (matter.id, *self._attempts.pop(matter.id, ())):
            said.update(self._messages.pop(each, {}))
            self._over.add(each)
        self.matters.pop(matter.id, None)
        if self._reading is not None:
            self._reading.let_go([*said, *self._beginnings.pop(matter.id, ())])
        if self._envelopes:
            self._forget_envelopes_of(said.values())

    def _forget_envelopes_of(self, said: Iterable[Incoming]) -> None:
        """Forget those that messages name, but for those that messages of another matter name for me."""
        messages = [signed.decode(signed.parse(each.data)) for each in said if isinstance(each.data, bytes)]
        named = [each.envelopes.given(self._envelopes).here for each in messages if isinstance(each, Enclosing)]
        kept = self._named_for_me() if any(named) else {}
        for digest in {digest for here in named for digest in here} - kept.keys():
            del self._envelopes[digest]

    def _named_for_me(self) -> dict[bytes, set[str]]:
        """Return by their hashes the envelopes for me that others' messages name in open matters, with whose."""
        found: dict[bytes, set[str]] = {}
        for matter in filter(lambda each: each.changes_a_key, self.matters.values()):
            for each in self._about(matter):
                parsed = signed.parse(each.data if isinstance(each.data, bytes) else each.data())
                sender = self._known[parsed.signer_key_id]
                for enclosure in matter.transcript.for_us(signed.decode(parsed)) if sender != self._place.me else ():
                    found.setdefault(enclosure.digest, set()).add(_whose(sender))
        return found

    def _are_crowded_out(self) -> bool:
        """Have the board read again if more of mine are named than were taken in, and strangers' took the room."""
        if self._reading is None or _ENVELOPES not in self._reading.beyond_measure:
            return False
        lacking = {digest: names for digest, names in self._named_for_me().items() if digest not in self._envelopes}
        if all(names <= self._crowded_out.get(digest, set()) for digest, names in lacking.items()):
            return False
        self._crowded_out |= lacking
        self._reading = self._from_the_beginning()
        return True

    def _find_key(self, ceremony: bytes, state: bytes) -> GroupKey:
        if (ceremony, state) not in self._keys:
            self._keys[ceremony, state] = GroupKey.find(self._place.home, ceremony, self._place.me, at=state)
        return self._keys[ceremony, state]

    def number_of(self, matter: Matter) -> int:
        """Say how many messages were heard in a matter, and envelopes that may be of it."""
        return sum(1 for _ in self._about(matter)) + (len(self._envelopes) if matter.changes_a_key else 0)

    def inbox(self, matter: Matter) -> Inbox:
        """Return what was said in a matter."""
        return Inbox(self._about(matter), self._envelopes)

    def _about(self, matter: Matter) -> Iterator[Incoming]:
        for each in (matter.id, *self._attempts.get(matter.id, ())):
            yield from self._messages.get(each, {}).values()

    def by_last_word(self, names: Iterable[str]) -> list[str]:
        """Sort names by who spoke last, which is who is there most likely."""
        spoke = list(self._spoke)
        return sorted(names, key=lambda name: -spoke.index(name) if name in self._spoke else 1)

    @property
    def passed_over(self) -> Sequence[str]:
        """What does not count, one line each."""
        return self._reading.passed_over if self._reading is not None else []

    def _from_the_beginning(self) -> Reading[TakeIn] | None:
        return Reading(self._board, self._look) if self._board is not None else None

    def take_up(self, data: bytes) -> None:
        """Take up a matter of my own, and what it takes up, before it comes back from the board."""
        parsed = signed.parse(data)
        message = signed.decode(parsed)
        matter = self._begun(data, message) if isinstance(message, matters.BEGINNINGS) else None
        if matter is not None:
            self._hold(matter)
        else:
            self._take_up(message, parsed.content_digest, self._place.me)

    def _take_up(self, message: Message, digest: bytes, sender: PublicIdentity) -> None:
        if isinstance(message, SigningRequest | Attempt):
            request = message.request if isinstance(message, Attempt) else digest
            self.offered.take(message.commitments, request, sender)

    def _look(self, data: bytes) -> tuple[str, TakeIn] | None:
        """Say whose a message is, and how it is taken in; None for what does not count."""
        name = name_of(data)
        self.there.add(name)
        if data.startswith(_FIRST_LINE_OF_IDENTITIES):
            return self._look_at_identity(data)
        if data.count(FIRST_LINE) > 1:
            return _EVIDENCE, partial(self.evidence.update, {name: data})
        try:
            parsed = signed.parse(data)
            message = signed.decode(parsed)
            if isinstance(message, matters.BEGINNINGS):
                matter = self.matters.get(parsed.content_digest) or self._begun(data, message)
                if matter is not None:
                    return _whose(matter.begun.sender), partial(self._hold, matter, name)
                if not isinstance(message, SigningRequest):  # one that others are to answer takes up what is offered
                    return None
            sender = self._known.get(parsed.signer_key_id)
            if sender is None:
                self._unplaced = True
                return None
            parsed.verify(sender.sign_key)
        except (InputProblem, InvalidContents):
            return self._look_at_envelope(data)
        return _whose(sender), partial(self._take_in, data, message, parsed.content_digest, sender)

    def _take_in(self, data: bytes, message: Message, digest: bytes, sender: PublicIdentity) -> None:
        """Put a message of somebody known where it belongs."""
        self._spoke.pop(sender.name, None)
        self._spoke[sender.name] = None
        if isinstance(message, Prepared):
            self.offered.offer(message, sender)
            return
        self._take_up(message, digest, sender)
        if isinstance(message, SigningRequest):
            return
        if isinstance(message, Attempt):
            self._attempts.setdefault(message.request, set()).add(digest)
        name, subject = name_of(data), about(message) or b""
        if subject in self._over and self._reading is not None:
            self._reading.let_go([name])
            return
        said = self._messages.setdefault(subject, {})
        said[name] = Incoming(f"{sender.name}'s {message.title} {name[:8]}", data, named=False)

    def _look_at_envelope(self, data: bytes) -> tuple[str, TakeIn] | None:
        try:
            [envelope] = pem.decode(cms.PEM_LABEL, data, "an envelope")
            readers = {each.key_id for each in Envelope.decode(envelope).recipients}
        except MalformedMessage:
            return None
        if self._place.me.agree_key.key_id not in readers:
            return None
        digest = Enclosure.of(envelope).digest
        whose = " and ".join(sorted(self._crowded_out.get(digest, ()))) or _ENVELOPES
        return whose, partial(self._envelopes.update, {digest: envelope})

    def _look_at_identity(self, data: bytes) -> tuple[str, TakeIn] | None:
        try:
            public = PublicIdentity.from_pem(data)
        except (InputProblem, UsageProblem):
            return None
        return _IDENTITIES, partial(self._take_in_identity, public)

    def _take_in_identity(self, public: PublicIdentity) -> None:
        self.identities.setdefault(public.name, {})[public.digest] = public

    def _begun(self, data: bytes, message: Message) -> Matter | None:
        try:
            matter = matters.begin(self._place, data, message, self._find_key)
        except FrostHsmError:  # of a key that is not here, or not yet; or nothing that could be
            self._unplaced = True
            return None
        if matter is None:
            return None
        if matter.begun.sender.sign_key.key_id not in self._known:
            self._strangers += 1
            if self._strangers > _MAX_OF_STRANGERS:
                return None
        return matter

    def _hold(self, matter: Matter, *names: str) -> None:
        self.matters[matter.id] = matter
        self._beginnings.setdefault(matter.id, set()).update(names)
        self._take_up(matter.begun.message, matter.id, matter.begun.sender)
        self._known |= {each.sign_key.key_id: each for each in matter.roster if each.sign_key.key_id not in self._known}


def _whose(sender: PublicIdentity) -> str:
    """Name who is held to a limit: strangers take whatever name they like."""
    return f"{sender.name}, {sender.fingerprint}"
