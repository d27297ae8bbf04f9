"""One person at work on a board, until somebody has to decide."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Self

from frost_hsm.boards import Board, name_of
from frost_hsm.ceremony.history.transcript import board_label
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.sharing import dispute
from frost_hsm.ceremony.signing.attempts import PATIENCE
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli import ending
from frost_hsm.cli.sittings.heard import Heard
from frost_hsm.cli.sittings.matter import Matter, Outgoing
from frost_hsm.cli.sittings.posting import meet
from frost_hsm.cli.steps import requests
from frost_hsm.cli.talk.text import visible
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import (
    Aborted,
    BoardUnreachable,
    CeremonyStopped,
    FrostHsmError,
    NotYet,
    ProtocolViolation,
    TokenProblem,
)

_LOOK = 2.0  # seconds to wait for the board before what is there is looked at again
_SHOWN = 5  # lines of what was passed over
_AGAIN = 15.0  # seconds after which my messages are put on the board again: it may have lost them


class Sitting:
    """One person at work on a board: the token is opened once, each question asked once."""

    def __init__(self, place: Workplace, uri: str, files: str | None = None, clone: str | None = None) -> None:
        self._place = place
        self._uri = uri
        self._own_copies = (files, clone)
        self._stack = ExitStack()
        self._holder: Holder | None = None
        self._is_staying = False
        self._refused: dict[bytes, FrostHsmError] = {}  # what I said no to, and what cannot go on, by what it is about
        self._mine: dict[bytes, dict[str, Outgoing]] = {}  # my messages in a matter, by name, until I go on in it
        self._posted: dict[str, float] = {}
        self._tried: dict[bytes, tuple[int, float]] = {}  # with how many messages a step was tried, and when
        self._settled: set[str] = set()
        self._opened: dict[bytes, str] = {}  # the titles of what was open when it was looked at
        self._waiting: dict[bytes, Matter] = {}  # and of that, what may be open still
        self._ended: set[bytes] = set()  # what is over
        self._over: set[bytes] = set()  # of that, what lies on the board as far as it is mine
        self._line = _Line(place)

    def __enter__(self) -> Self:
        self._board: Board = self._stack.enter_context(self._place.board(self._uri, board_label(self._place.me)))
        self._heard = Heard(self._place, self._board)
        return self

    def __exit__(self, *exc: object) -> None:
        self._line.clear()
        self._stack.close()

    # ── What a matter asks for ──

    @contextmanager
    def holder(self) -> Iterator[Holder]:
        """Lend the open token, which stays open."""
        if self._holder is None:
            self._line.clear()
            self._holder = self._stack.enter_context(self._place.holder())
        yield self._holder

    def agree(self, lines: list[str], question: str, name: str) -> None:
        """Ask about the key of this name. Raises `Aborted` for no."""
        self._line.clear()
        if not self._place.terminal.agree(question, what="the name of the key", shown=name, lines=lines):
            raise Aborted("you said no; nothing was changed")

    def compare(self, lines: list[str], question: str, check_code: str) -> None:
        """Have a check code compared. Raises `Aborted` unless it is the same."""
        self._line.clear()
        if not self._place.terminal.agree(question, what="the check code", shown=check_code, last=4, lines=lines):
            raise Aborted("the check codes were not compared; the same command asks again")

    def agree_to_sign(self, session: SigningSession) -> bool:
        """Show what is to be signed, and ask; returns whether the answer is yes."""
        self._line.clear()
        return requests.is_agreed(self._place.terminal, session, *self._own_copies)

    def receive(self, session: SigningSession) -> str:
        """Write the signatures of what I asked for."""
        return f"signed; wrote {', '.join(requests.write_signatures(session))}"

    def meet(self, people: Iterable[PublicIdentity]) -> None:
        """Have the fingerprints of strangers compared, and keep their identities as those of peers."""
        for public in people:
            if public != self._place.me:
                self._line.clear()
                meet(self._place, public)

    # ── The work ──

    def run(self, *, is_once: bool = False, is_staying: bool = False) -> list[str]:
        """Go on until nothing is left to do; returns the titles of what was open. Raises what was refused."""
        self._is_staying = is_staying
        while True:
            ending.require_going_on()
            try:
                if self._is_all_done(is_once=is_once, is_staying=is_staying):
                    break
            except BoardUnreachable as error:
                if is_once:
                    raise
                self._show(f"{error}; trying again")
                time.sleep(_LOOK)
        self._list_passed_over()
        for refusal in self._refused.values():
            raise refusal
        return sorted(self._opened.values())

    def _is_all_done(self, *, is_once: bool, is_staying: bool) -> bool:
        """Do what can be done now, and wait if that is nothing; returns whether nothing is left to do."""
        self._heard.read()
        self._settle_disputes()
        has_moved = self._advance_all()
        has_arrived = self._hand_out()
        if has_moved:
            return False
        waiting = list(filter(self._is_open, self._waiting.values()))
        if not waiting and has_arrived and not is_staying and (self._opened or is_once):
            return True
        if not is_once:
            self._show(self._waiting_for(waiting))
        elif has_arrived:
            raise NotYet(f"waiting for {self._waiting_for(waiting)}", hint="run the same command again later")
        self._wait()
        return False

    def _is_open(self, matter: Matter) -> bool:
        return not any(matter.id in closed for closed in (self._ended, self._refused))

    def _is_for_me(self, matter: Matter) -> bool:
        """Whether to do what is open in it."""
        return True

    def _advance_all(self) -> bool:
        """Take every step that can be taken; returns whether any was."""
        has_moved = has_learnt = False
        self._heard.forget_keys()
        for known in list(self._heard.matters.values()):
            matter = known
            if not (self._is_open(matter) and self._is_due(matter)):
                continue
            try:
                matter = self._heard.renew(known)
                if matter.is_over:
                    self._ended.add(matter.id)
                    continue
                if not self._is_for_me(matter):
                    continue
                self._opened[matter.id], self._waiting[matter.id] = matter.title, matter
                said = matter.advance(self, self._heard.inbox(matter))
            except NotYet:
                continue
            except TokenProblem:
                raise
            except (ProtocolViolation, CeremonyStopped) as error:
                self._refuse(matter, error)
                self._hand_out_evidence(matter)
            except FrostHsmError as error:
                self._refuse(matter, error)
            else:
                self._note(matter, said)
                self._mine.pop(matter.id, None)
                del self._tried[matter.id]
                has_moved = True
                if matter.changes_a_key:  # which may open what others began
                    self._tried.clear()
                    self._heard.forget_keys()
                    has_learnt = True
            self._hand_out_of(matter)
        if has_learnt:
            self._heard.read_again()
        return has_moved

    def _is_due(self, matter: Matter) -> bool:
        """Whether to look at a matter: something was said in it, or not for a while."""
        number, now = self._heard.number_of(matter), time.monotonic()
        before, then = self._tried.get(matter.id, (-1, 0.0))
        if number == before and now - then < PATIENCE:
            return False
        self._tried[matter.id] = number, now
        return True

    def _note(self, matter: Matter, said: str) -> None:
        """Say what was done in a matter."""
        self._say(f"{matter.title}: {said}")

    def _refuse(self, matter: Matter, error: FrostHsmError) -> None:
        self._refused[matter.id] = error
        self._mine.pop(matter.id, None)  # there may be a last word of mine
        self._say(f"{matter.title}: {error}")
        if self._is_staying and error.hint:  # else it is told at the end
            self._say(f"hint: {error.hint}")

    def _hand_out(self) -> bool:
        """Post what is mine and not on the board; returns whether all of it was seen there."""
        has_arrived = self._post(by_name([Outgoing(self._place.me.to_pem())]))
        for matter in list(self._heard.matters.values()):
            if matter.id not in self._over:
                is_there = self._hand_out_of(matter)
                has_arrived &= is_there
                if is_there and not self._is_open(matter):
                    self._let_go(matter)
        return has_arrived

    def _let_go(self, matter: Matter) -> None:
        """Forget what is over or was refused, and lies on the board as far as it is mine: one may stay for long."""
        self._over.add(matter.id)
        self._heard.let_go(matter)
        for held in (self._waiting, self._mine, self._tried):
            held.pop(matter.id, None)

    def _hand_out_of(self, matter: Matter) -> bool:
        if matter.id not in self._mine:
            self._mine[matter.id] = by_name(matter.sent())
        return self._post(self._mine[matter.id])

    def _post(self, messages: Mapping[str, Outgoing]) -> bool:
        """Post messages that were not seen on the board, and again what may have been lost; whether all were seen."""
        now = time.monotonic()
        for name, each in messages.items():
            pause = _AGAIN if name in self._heard.there else _LOOK
            if now - self._posted.get(name, -_AGAIN) >= pause:
                self._board.post(each.data, each.beside)
                self._posted[name] = now
        return self._heard.there.issuperset(messages)

    def _wait(self) -> None:
        self._board.wait(_LOOK)

    # ── Disputes ──

    def _settle_disputes(self) -> None:
        """Take in what shows whose fault it is that a ceremony was stopped, and answer what is said of me."""
        for name in list(self._heard.evidence):
            data = self._heard.evidence.pop(name)  # which may be large, and is looked at once
            if name in self._settled:
                continue
            self._settled.add(name)
            try:
                found = dispute.find(self._place.home, data, self._place.me)
                verdict = found.settle()
                if self._place.me.name in verdict.awaiting:
                    answer, verdict = found.answer(self.holder)
                    self._board.post(answer)
            except FrostHsmError:
                continue
            self._say(f"{found.ceremony.title}: {verdict.sentence}")
            if not found.ceremony.is_active:
                self._refused[found.ceremony.id] = CeremonyStopped(f"{found.ceremony.title}: {verdict.sentence}")

    def _hand_out_evidence(self, matter: Matter) -> None:
        evidence = matter.transcript.evidence()
        if evidence is not None:
            self._settled.add(name_of(evidence))
            self._board.post(evidence)

    # ── Talk ──

    def _list_passed_over(self) -> None:
        over = self._heard.passed_over
        for line in over[:_SHOWN]:
            self._say(f"note: passed over on the board: {line}")
        if len(over) > _SHOWN:
            self._say(f"note: and {len(over) - _SHOWN} more")

    def _say(self, text: str) -> None:
        self._line.clear()
        self._place.terminal.message(text)

    def _show(self, text: str) -> None:
        """Show what is waited for."""
        self._line.show(text)

    def _waiting_for(self, waiting: list[Matter]) -> str:
        parts = []
        for matter in waiting:
            found = matter.standing(self._heard.inbox(matter))
            whom = f"{found.what} of {', '.join(found.missing)}" if found.missing else "the others"
            parts.append(f"{matter.title}: {whom}" + (f" (here: {', '.join(found.have)})" if found.have else ""))
        return "; ".join(parts) or f"something for you on {self._uri}"


def by_name(messages: Iterable[Outgoing]) -> dict[str, Outgoing]:
    """Return messages by what they are known by on boards."""
    return {name_of(each.data): each for each in messages}


class _Line:
    """The line that says what is waited for: on a terminal rewritten in its place, elsewhere written again."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._shown = ""
        self._is_live = sys.stderr is not None and sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Show it."""
        if text == self._shown:
            return
        if self._is_live:
            width = shutil.get_terminal_size().columns - 1
            line = visible(f"waiting: {text}")
            line = line if len(line) <= width else line[: width - 1] + "…"
            sys.stderr.write(f"\r{line.ljust(width)}")
            sys.stderr.flush()
        else:
            self._place.terminal.waiting(text)
        self._shown = text

    def clear(self) -> None:
        """Make place for what is said or asked."""
        if self._is_live and self._shown:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + " " * width + "\r")
            sys.stderr.flush()
        self._shown = "" if self._is_live else self._shown
