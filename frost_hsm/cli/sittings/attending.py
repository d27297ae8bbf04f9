"""An agent at work on a board: it signs what its judge says yes to, and asks the group for what programs want.

It does for requests to sign what ``join`` does, and leaves everything else that is open on the board to people.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from frost_hsm.agent import ssh_items
from frost_hsm.agent.hook import Hook
from frost_hsm.agent.judge import Ask, Judge
from frost_hsm.agent.log import Log
from frost_hsm.agent.question import Question
from frost_hsm.agent.ssh_protocol import Sign
from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.messages.using import RAW, Item
from frost_hsm.ceremony.signing import aborting, attempts
from frost_hsm.ceremony.signing.ahead import Stock
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli.files import things
from frost_hsm.cli.sittings.matter import Matter, Outgoing
from frost_hsm.cli.sittings.owner import Owner
from frost_hsm.cli.sittings.signing_matter import SigningMatter
from frost_hsm.cli.sittings.sitting import Sitting, by_name
from frost_hsm.cli.steps import requests
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import (
    Aborted,
    BoardProblem,
    BoardUnreachable,
    CeremonyStopped,
    FrostHsmError,
    InputProblem,
    NotKnown,
    NotPossible,
    NotYet,
    TokenProblem,
)
from frost_hsm.targets.ssh import wire as ssh_wire

_SHORTEST, _LONGEST = 0.2, 2.0
"""Seconds between two looks at the board, and at what programs want: short while something goes on."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a program wants signed. process: its id."""

    asked: Sign
    process: int
    signature: Future[bytes]


class GroupKeys:
    """The keys of groups that programs can use, and what they want signed with them, in order."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.wanted: SimpleQueue[_Wanted] = SimpleQueue()
        self._found: dict[bytes, str] = {}  # the names of keys, where to look first

    def listed(self) -> list[tuple[bytes, str]]:
        """List them, as OpenSSH encodes them, by name."""
        return [(_encoded(key), key.name) for key in self._all()]

    def sign(self, asked: Sign, process: int) -> Future[bytes]:
        """Have the group asked."""
        signature: Future[bytes] = Future()
        self.wanted.put(_Wanted(asked, process, signature))
        return signature

    def find(self, encoded: bytes) -> GroupKey:
        """Find a key as OpenSSH encodes it. Raises `NotKnown`."""
        for key in self._all(self._found.get(encoded)):
            if _encoded(key) == encoded:
                self._found[encoded] = key.name
                return key
        raise NotKnown("a program wants a signature by a key that is none of a group here")

    def _all(self, first: str | None = None) -> Iterator[GroupKey]:
        for name in self._names(first):
            try:
                key = GroupKey.load(self._place.home, name, self._place.me)
            except FrostHsmError:  # deleted at this instant, or damaged: the others serve
                continue
            if key.status is KeyStatus.ACTIVE and key.suite.name in ssh_wire.SUITES:
                yield key

    def _names(self, first: str | None) -> Iterator[str]:
        if first is not None:  # without looking at the others
            yield first
        yield from GroupKey.names(self._place.home)


def _encoded(key: GroupKey) -> bytes:
    return ssh_wire.public_key(key.public_key_package.verifying_key)


class Attending(Sitting):
    """The agent at work. asked: the program, or the owner, who is asked what no rule allows; None for nobody.

    signers: who signs what programs want, by name; None for those of the key who are there first. ahead: how many pairs
    of nonces it keeps made ahead for each key that is signed with there.
    """

    def __init__(
        self,
        place: Workplace,
        uri: str,
        log: Log,
        judge: Judge,
        *,
        asked: Hook | Owner | None,
        signers: Sequence[str] | None,
        ahead: int,
        files: str | None,
        clone: str | None,
    ) -> None:
        super().__init__(place, uri, files, clone)
        self._log = log
        self._left = log.before
        self._judge = judge
        self._asked = asked
        self._held_back: list[str] = []  # what was not said, for a question was on the terminal
        self._signers = signers
        self._ahead = ahead
        self._signed_with: set[bytes] = set()  # keys, by their ceremonies
        self._is_stocked = False
        self._stock: dict[str, Outgoing] = {}  # what hands out the pairs that wait, by name
        self._pause = _SHORTEST
        self._undecided: set[bytes] = set()
        self._wanted: dict[bytes, _Wanted] = {}  # by the request that was made of it
        self.keys = GroupKeys(place)

    def __exit__(self, *exc: object) -> None:
        if self._asked is not None:
            self._asked.stop()
        for each in self._held_back:
            super()._say(each)
        super().__exit__(*exc)

    # ── What a matter asks for ──

    def agree_to_sign(self, session: SigningSession) -> bool:
        """Let the judge decide; a no that somebody said is told to all.

        Raises `NotYet` while there is no answer, `Aborted` for what no rule allows, which is left to people, and what
        comparing with own copies does.
        """
        compared = things.compare(session.items, session.key.suite, *self._own_copies)
        compared.require_all()
        shown = [*requests.lines(session), *compared.lines()]
        question = Question.of(session, shown)
        asked = "the hook" if isinstance(self._asked, Hook) else self._place.me.name
        answer = self._judge.decide(question, self._asking(session, question), asked)
        if answer is None:
            self._undecided.add(session.id)
            raise NotYet("nobody has answered yet")
        self._undecided.discard(session.id)
        if not (answer.is_yes or answer.was_asked):
            raise Aborted(answer.why)
        self._say(f"request {session.id[:4].hex()}: {answer.why}")
        if not answer.is_yes and session.id in self._wanted:
            _fail(self._wanted.pop(session.id), Aborted(answer.why))
        return answer.is_yes

    def _asking(self, session: SigningSession, question: Question) -> Ask | None:
        match self._asked:
            case Hook() as hook:
                return lambda: hook(question)
            case Owner() as owner:
                copies = self._own_copies
                return lambda: owner(question, lambda terminal: requests.is_agreed(terminal, session, *copies))
        return None

    def receive(self, session: SigningSession) -> str:
        """Hand the signature to the program that waits for it. Raises `NotYet` for what was asked for by hand."""
        wanted = self._wanted.pop(session.id, None)
        if wanted is None:
            raise NotYet("its owner asked for it by hand", hint="frost-hsm join writes it")
        if not wanted.signature.set_running_or_notify_cancel():
            return "signed; the program that wanted it has gone"
        wanted.signature.set_result(session.signature() or b"")
        return "signed, for the program that wanted it"

    # ── The work ──

    def _is_for_me(self, matter: Matter) -> bool:
        """Whether it is for an agent: requests to sign are, and of those that it made itself what becomes of them."""
        return isinstance(matter, SigningMatter) and (
            matter.id in self._wanted or matter.step in ("commit", "respond", "respond-again", "decline")
        )

    def _advance_all(self) -> bool:
        self._take_back_what_was_left()
        self._take_up_what_is_wanted()
        self._end_what_is_not_wanted()
        there = self._heard.matters.values()
        self._signed_with.update(each.session.key.ceremony for each in there if isinstance(each, SigningMatter))
        return super()._advance_all()

    def take_back(self) -> None:
        """End what programs wait for, who go with this agent."""
        for request, wanted in list(self._wanted.items()):
            del self._wanted[request]
            _fail(wanted, CeremonyStopped("the agent has ended"))
            with suppress(FrostHsmError):  # then the next agent does it
                self._withdraw(request, "the agent has ended, and the program that wanted it goes")
                self._hand_out_of(self._heard.matters[request])

    def _take_back_what_was_left(self) -> None:
        """End what programs wanted of an agent that was killed."""
        home = self._place.home
        asked = {entry.fields.get("request") for entry in self._left if entry.what == "asked"}
        for name in asked.intersection(SigningSession.names(home)):
            if not aborting.has_come_to_an_end(home, self._place.me.name, str(name)):
                with suppress(InputProblem):  # of a key that is not here any more
                    self._withdraw(bytes.fromhex(str(name)), "the agent that asked was killed, and the program goes")
        self._left = ()

    def _take_up_what_is_wanted(self) -> None:
        while True:
            try:
                wanted = self.keys.wanted.get_nowait()
            except Empty:
                break
            try:
                self._request(wanted)
            except FrostHsmError as error:
                self._log.add("not asked", process=wanted.process, why=[str(error)])
                self._say(f"not asked for a program: {error}")
                _fail(wanted, error)

    def _end_what_is_not_wanted(self) -> None:
        """End the requests of programs that have gone, and do not ask on about what came to nothing."""
        for request, wanted in list(self._wanted.items()):
            if wanted.signature.cancelled():
                del self._wanted[request]
                self._withdraw(request, "the program that wanted it has gone")
            elif request in self._ended:
                _fail(self._wanted.pop(request), CeremonyStopped("the request came to nothing"))
        for request in list(self._undecided):
            if request in self._refused or request in self._ended:
                self._undecided.discard(request)
                if self._asked is not None:
                    self._asked.drop(request.hex())

    def _withdraw(self, request: bytes, why: str) -> None:
        """End a request that was made here, for all."""
        self._log.add("withdrawn", request=request.hex(), why=[why])
        self._say(f"request {request[:4].hex()}: {why}")
        with suppress(NotPossible):  # it is signed
            session = SigningSession.load(self._place.home, request.hex(), self._place.me, things.derive)
            session.aborting.abort(self.holder)
        self._mine.pop(request, None)

    def _request(self, wanted: _Wanted) -> None:
        """Ask the group for what a program wants, with nonces made ahead if enough have some."""
        key, data = self.keys.find(wanted.asked.key), wanted.asked.data
        verifying_key = key.public_key_package.verifying_key
        item = Item(RAW, "", data) if wanted.asked.is_raw else ssh_items.item(verifying_key, data, wanted.process)
        participants = [each.name for each in key.roster]
        names = [name for name in self._signers or participants if name in participants]
        likely = [self._place.me.name, *self._heard.by_last_word(name for name in names if name != self._place.me.name)]
        found = self._heard.offered.left(key, [name for name in likely if name in names], 1)
        with self.holder() as holder:
            session, messages = attempts.ask(
                *(holder, self._place.home, key, [item], names, found, things.derive), is_any=self._signers is None
            )
        self._pause = _SHORTEST
        self._log.add("asked", request=session.id.hex(), key=key.name, target=item.target, process=wanted.process)
        self._say(f"request {session.id[:4].hex()}: asked {', '.join(session.signers)}, for a program")
        self._wanted[session.id] = wanted
        for message in messages:
            self._heard.take_up(message)
        try:
            self._hand_out_of(self._heard.matters[session.id])
        except BoardUnreachable:  # all that is mine is posted again until it is there
            pass
        except BoardProblem as error:
            del self._wanted[session.id]
            self._heard.let_go(self._heard.matters[session.id])
            self._withdraw(session.id, str(error))
            raise

    # ── Nonces made ahead ──

    def _fill_up(self) -> None:
        """Make nonces ahead for every key that is signed with here, until as many wait as are wanted."""
        self._is_stocked, self._stock = True, {}
        for ceremony in self._signed_with if self._ahead else ():
            key = GroupKey.find(self._place.home, ceremony, self._place.me)
            if key.status is KeyStatus.ACTIVE and self._place.me in key.roster:
                self._fill_up_for(key)

    def _fill_up_for(self, key: GroupKey) -> None:
        stock = Stock(key, self._place.home)
        try:
            with self.holder() as holder:
                made, message = stock.fill_up(holder, self._ahead, self._heard.offered, self._takes_no_answer)
        except TokenProblem as error:
            self._ahead = 0
            self._log.add("no nonces made ahead", key=key.name, why=[str(error)])
            self._say(f'"{key.name}": no more nonces are made ahead: {error}')
            return
        if message is not None:
            self._log.add("made nonces ahead", key=key.name, pairs=made)
            self._say(f'"{key.name}": {made} pairs of nonces made ahead')
        self._stock |= by_name(map(Outgoing, stock.handed_out()))

    def _takes_no_answer(self, request: bytes) -> bool:
        """Whether I answer it no more, or never: anybody may say that something of theirs takes up what is mine."""
        is_over = request in self._refused or request in self._ended
        return is_over or not (request in self._heard.matters or request in self._wanted)

    def _hand_out(self) -> bool:
        return self._post(self._stock) and super()._hand_out()

    # ── Waiting ──

    def _is_due(self, matter: Matter) -> bool:
        if matter.id in self._undecided and self._asked is not None and self._asked.has_answered(matter.id.hex()):
            return True
        return super()._is_due(matter)

    def _note(self, matter: Matter, said: str) -> None:
        self._pause = _SHORTEST
        self._is_stocked = False
        self._log.add("done", request=matter.id.hex(), what_was_done=said)
        super()._note(matter, said)

    def _refuse(self, matter: Matter, error: FrostHsmError) -> None:
        if not isinstance(error, Aborted):  # which the judge has noted
            self._log.add("failed", request=matter.id.hex(), why=[str(error)])
        super()._refuse(matter, error)
        self._is_stocked = False
        if matter.id in self._wanted:
            _fail(self._wanted.pop(matter.id), error)
            if not isinstance(error, CeremonyStopped):  # then others have ended it
                self._withdraw(matter.id, "nothing comes of it without you")

    def _wait(self) -> None:
        if not self._is_stocked:  # in a pause: what is asked goes first
            self._fill_up()
            self._post(self._stock)
        deadline = time.monotonic() + _LONGEST
        while self.keys.wanted.empty() and not self._has_answers() and time.monotonic() < deadline:
            if self._board.wait(self._pause):
                break
            self._pause = min(self._pause * 1.5, _LONGEST)  # a board may be a server far away

    def _has_answers(self) -> bool:
        asked = self._asked
        return asked is not None and any(asked.has_answered(request.hex()) for request in self._undecided)

    # ── Talk ──

    def _say(self, text: str) -> None:
        """Say it, once no question is on the terminal that it would run into."""
        if self._is_terminal_taken:
            self._held_back.append(text)
            return
        for each in (*self._held_back, text):
            super()._say(each)
        self._held_back = []

    def _show(self, text: str) -> None:
        if not self._is_terminal_taken:
            super()._show(text)

    @property
    def _is_terminal_taken(self) -> bool:
        return isinstance(self._asked, Owner) and self._asked.is_asked

    def _waiting_for(self, waiting: list[Matter]) -> str:
        return f"requests on {self._uri}"


def _fail(wanted: _Wanted, error: FrostHsmError) -> None:
    if wanted.signature.set_running_or_notify_cancel():
        wanted.signature.set_exception(error)
