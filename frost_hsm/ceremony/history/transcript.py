"""The messages of one chapter or signing request: one's own, those taken in, and the evidence that stopped it.

A message is kept once a step has checked it and acted on it, never before; what is kept does not change. Whether a
chapter has ended well is nobody's note: it has if the confirmations of all its voters are here, and alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from frost_hsm.ceremony.history import dossier
from frost_hsm.ceremony.history.evidence import Verdict, judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import GivenUp, RepairDelta, RepairDone, RepairSigma
from frost_hsm.ceremony.messages.inbox import Contradiction, Inbox
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Round1, Round2
from frost_hsm.ceremony.messages.message import Enclosing, Enclosure, Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Abort, Commitment, Derive, Response, SecondResponse, raw
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import (
    CeremonyStopped,
    InputProblem,
    InvalidContents,
    NotKnown,
    NotYet,
    StepConflict,
    StorageProblem,
)
from frost_hsm.forms import cms, pem

M = TypeVar("M", bound=Message)

STEPS: Mapping[type[Message], str] = {
    Round1: "round1",
    Round2: "round2",
    Dealing: "dealing",
    Confirmation: "confirm",
    Commitment: "commit",
    Response: "response",
    SecondResponse: "second",
    Abort: "abort",
    RepairDelta: "delta",
    RepairSigma: "sigma",
    RepairDone: "done",
}
"""The word for each kind of message in file names."""

MOST_KEPT_WHOLE: Final = 20
"""In groups of up to this many, everybody is sent all envelopes of a message and keeps them, so that everybody can
help everybody to make a share again; in larger ones, those for its sender and for oneself, and all of one's own."""

NOBODY: Final[Mapping[str, Signed[Any]]] = MappingProxyType({})
"""The messages of no one."""

BEGINNING: Final = "beginning.pem"
EVIDENCE: Final = "evidence.pem"
GIVEN_UP: Final = "given-up.pem"


def read_kept(home: StateDirectory, path: str, kind: type[M], roster: Roster | None = None) -> Signed[M] | None:
    """Read a message that was kept in the state directory; None if there is none.

    roster: None for a proposal, which brings its own. Raises `StorageProblem` if the file is damaged: then nothing
    goes on.
    """
    data = home.read(path)
    if data is None:
        return None
    try:
        return signed.read(data, roster).expect(kind)
    except (InputProblem, InvalidContents) as error:
        raise StorageProblem(f"{home.path / path} is damaged: {error}", hint="restore it from a backup") from error


def board_label(reader: PublicIdentity) -> str:
    """Return the label that what is for one participant alone has on a board."""
    return reader.sign_key.key_id.hex()


@dataclass(frozen=True, slots=True)
class Status:
    """Where something stands: the step that comes next, whose message for it is here, and whose is not.

    why: it was stopped; missing are then those who have to answer a complaint.
    """

    step: str
    have: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    why: str = ""


class Transcript:
    """What was said so far in one folder of the state directory.

    title: what it is called in sentences; stem: what its files are called; status: the command that says where it
    stands; belongs: whether a message is part of it; expected: the names of those who have to speak, in roster order;
    voters: of those who have to confirm it; enders: of those who may end it, besides. beginning: what evidence has to
    begin with, for others to judge it: the lineage of the key, and what the rest is about. derive: the bytes to sign of
    an item.
    """

    def __init__(
        self,
        home: StateDirectory,
        folder: str,
        roster: Roster,
        me: PublicIdentity,
        belongs: Callable[[Signed[Any]], bool],
        *,
        title: str,
        stem: str,
        status: str,
        expected: Iterable[str],
        voters: Iterable[str] = (),
        enders: Iterable[str] = (),
        beginning: Callable[[], Iterable[Signed[Any]]],
        derive: Derive = raw,
    ) -> None:
        self._home = home
        self.folder = folder
        self._roster = roster
        self.me = me
        self._belongs = belongs
        self._title = title
        self._stem = stem
        self._status = status
        self.expected = tuple(expected)
        self._places = {name: place for place, name in enumerate(self.expected)}
        self.voters = tuple(voters)
        self._enders = tuple(enders)
        self._beginning = beginning
        self._derive = derive

    def call(self, stem: str, status: str) -> None:
        """Name files, and the command that says where it stands, from now on as whoever reads that does."""
        self._stem, self._status = stem, status

    def require_running(self) -> None:
        """Raise `CeremonyStopped` if evidence or its owner stopped it."""
        if self.is_stopped or self.is_given_up:
            verdict = self.verdict()
            why = verdict.sentence if verdict is not None else "you gave it up"
            raise CeremonyStopped(f"{self._title} was stopped here: {why}")

    @property
    def is_complete(self) -> bool:
        """Whether all voters have confirmed it, and alike."""
        return self.is_confirmed_by(self.known(Confirmation)) if self.voters else False

    def is_confirmed_by(self, said: Mapping[str, Signed[Confirmation]]) -> bool:
        """Whether these are the confirmations of all voters, and alike."""
        alike = {said[name].content_digest for name in self.voters if name in said}
        return len(alike) == 1 and all(name in said for name in self.voters)

    @property
    def is_stopped(self) -> bool:
        """Whether evidence stopped it here, and all have not agreed to it since."""
        return self._home.exists(f"{self.folder}/{EVIDENCE}") and not self.is_complete

    @property
    def is_given_up(self) -> bool:
        """Whether its owner gave it up here, and all have not agreed to it since."""
        return read_kept(self._home, f"{self.folder}/{GIVEN_UP}", GivenUp, self._roster) is not None and (
            not self.is_complete
        )

    def stop(self, proof: Iterable[Signed[Any]], packages: Iterable[bytes] = ()) -> Verdict:
        """Stop for good and keep what shows why, with all that somebody else needs to see it too; says what it shows.

        packages: the public key package that signature shares are judged by. What all have agreed to stays. Evidence
        that convicts somebody takes the place of evidence that does not, and nothing else does.
        """
        data = self.file_of(proof, packages)
        verdict = self._judged(data)
        with self._home.lock():
            kept = self.evidence()
            is_better = kept is None or (verdict.culprits and not self._judged(kept).culprits)
            if is_better and not self.is_complete:
                self._home.replace(f"{self.folder}/{EVIDENCE}", data)
        return verdict

    def judge(self, proof: Iterable[Signed[Any]]) -> Verdict:
        """Say what messages show, and keep nothing."""
        return self._judged(self.file_of(proof))

    def _judged(self, evidence: bytes) -> Verdict:
        try:
            return judge(evidence, self._derive)
        except InputProblem as error:  # of an older version of this program, or about what it cannot follow
            return Verdict(f"the evidence cannot be judged by itself: {error}")

    def file_of(self, proof: Iterable[Signed[Any]], packages: Iterable[bytes] = ()) -> bytes:
        """Put messages into a file that anybody can judge."""
        return dossier.write([*self._beginning(), *proof], packages)

    def evidence(self) -> bytes | None:
        """Return what it was stopped for, a file that anybody can judge."""
        return self._home.read(f"{self.folder}/{EVIDENCE}")

    @property
    def evidence_path(self) -> Path:
        """Where that is kept."""
        return self._home.path / self.folder / EVIDENCE

    def verdict(self) -> Verdict | None:
        """Say what it was stopped for; None if it was not, or only its owner gave it up."""
        kept = self.evidence()
        return None if kept is None else self._judged(kept)

    def sent(self, kind: type[M]) -> Signed[M] | None:
        """Return one's own message of a kind, if that step was done."""
        return self._kept(kind, self.me)

    def known(self, kind: type[M]) -> dict[str, Signed[M]]:
        """Return the messages of a kind that are kept, by sender's name."""
        here = set(self._home.names(f"{self.folder}/{STEPS[kind]}"))
        names = [name for name in self._speakers(kind) if f"{name}.pem" in here]
        kept = {name: self._kept(kind, self._roster.at(self._roster.position(name))) for name in names}
        return {name: said for name, said in kept.items() if said is not None}

    def _speakers(self, kind: type[Message]) -> tuple[str, ...]:
        if kind is Abort:
            return tuple(dict.fromkeys((*self.expected, *self._enders)))
        return self.voters if kind is Confirmation and self.voters else self.expected

    def find(self, kind: type[M], inbox: Inbox) -> dict[str, Signed[M]]:
        """Return the messages of a kind that are kept or have come in, by sender's name; keeps nothing itself.

        Our own may come in too, sent back by others after the state directory was lost. Raises `Contradiction`, which
        stops the ceremony.
        """
        try:
            return inbox.collect(kind, self._roster, self._take, self._title, self.known(kind))
        except Contradiction as contradiction:
            self.stop(contradiction.proof)
            raise

    def gather(self, kind: type[M], inbox: Inbox) -> dict[str, Signed[M]]:
        """As `find`, everybody's in roster order, with the envelope for us. Raises `NotYet`, naming who is missing."""
        found, expected = self.find(kind, inbox), self._speakers(kind)
        missing = [name for name in expected if name not in found]
        if self.me.name in missing:
            raise NotKnown(
                f"your own {kind.title} of {self._title} is not here",
                hint=f"do that step first; what to type for it: frost-hsm {self._status}",
            )
        if missing:
            have = ", ".join(name for name in expected if name in found)
            here = f"here: {have}; " if have else ""
            files = ", ".join(f"{self._stem}.{name}.{STEPS[kind]}.pem" for name in missing)
            raise NotYet(
                f"no {kind.title} from {', '.join(missing)}",
                hint=f"{here}ask for {files}, then run the same command again",
            )
        if lacking := [name for name in expected if not self.is_whole_for_us(found[name])]:
            files = ", ".join(f"{self._stem}.{name}.{STEPS[kind]}.pem" for name in lacking)
            raise NotYet(
                f"the {kind.title} of {', '.join(lacking)} came without the envelope for you",
                hint=f"ask for {files} as it is for you, then run the same command again",
            )
        return {name: found[name] for name in expected}

    def agreed(self, inbox: Inbox) -> dict[str, Signed[Confirmation]] | None:
        """Return all voters' confirmations if all said the same, and we did if we are one; None if not, or not yet.

        Whatever somebody said besides does not count: the others may have gone on with what all agreed to, and nobody
        shall be able to part us from them.
        """
        own, kept = self.sent(Confirmation), self.known(Confirmation)
        if own is None and self.me.name in self.voters:
            return None
        alike: dict[bytes, dict[str, Signed[Confirmation]]] = {}
        for said in kept.values():
            alike.setdefault(said.content_digest, {})[said.sender.name] = said
        labels: dict[str, bytes] = {}
        for label, said in inbox.of_kind(Confirmation, self._roster, self._take, self._title):
            alike.setdefault(said.content_digest, {}).setdefault(said.sender.name, said)
            labels[label] = said.content_digest
        for digest, found in alike.items():
            if self.is_confirmed_by(found) and (own is None or own.content_digest == digest):
                inbox.passed_over += [label for label, other in labels.items() if other != digest]
                return {name: found[name] for name in self.voters}
        return None

    # ── Of the envelopes beside a message, those for some ──

    @property
    def keeps_envelopes_of_all(self) -> bool:
        """Whether there are few enough people for everybody to keep everybody's."""
        return len(self.expected) <= MOST_KEPT_WHOLE

    def part(self, said: Signed[M], name: str) -> Signed[M]:
        """Return a message with the envelopes for its sender and for one participant, and no other."""
        return said.part([each.digest for each in self._envelopes(said.message, name, said.sender.name)])

    def parts(self, kind: type[Enclosing]) -> Iterator[tuple[str, bytes]]:
        """Give one's own message as it is for each of the others, a file, by their names.

        Raises `NotKnown` for whom the envelope is not here.
        """
        said = self.sent(kind)
        if said is None:
            return
        whole = signed.parse(said.der)
        own = [each.opened for each in self._envelopes(said.message, self.me.name)]
        for name, each in zip(self.expected, said.message.envelopes, strict=False):
            if each.data is None:
                raise NotKnown(
                    f"your envelope for {name} is not here",
                    hint="restore the state directory from a backup, or ask others for the whole file that you sent",
                )
            if name != self.me.name:
                yield name, pem.encode(cms.PEM_LABEL, whole.enclosing((*own, each.data)))

    def as_posted(self, kind: type[M]) -> tuple[bytes, dict[str, bytes]] | None:
        """Give one's own message as a board carries it: for all, and the envelopes of others, by the labels of these.

        In a small group all envelopes lie beside what is for all. None if it was not said.
        """
        said = self.sent(kind)
        if said is None or self.keeps_envelopes_of_all or not isinstance(said.message, Enclosing):
            return None if said is None else (said.to_pem(), {})
        apart = {
            board_label(self._roster.at(self._roster.position(name))): pem.encode(cms.PEM_LABEL, each.data)
            for name, each in zip(self.expected, said.message.envelopes, strict=False)
            if each.data is not None and name != self.me.name
        }
        return self.part(said, self.me.name).to_pem(), apart

    def is_whole_for_us(self, said: Signed[Any]) -> bool:
        """Whether the envelope for us is beside a message, if it has one."""
        return all(each.data is not None for each in self.for_us(said.message))

    def for_us(self, message: Message) -> list[Enclosure]:
        """Return the envelope for us that a message names, whether it is here or not; nothing if it names none."""
        return self._envelopes(message, self.me.name)

    def _envelopes(self, message: Message, *names: str) -> list[Enclosure]:
        if not isinstance(message, Enclosing):
            return []
        envelopes, places = message.envelopes, {self._places[each] for each in names if each in self._places}
        return [envelopes[place] for place in sorted(places) if place < len(envelopes)]

    def _take(self, said: Signed[M]) -> Signed[M] | None:
        """Return what of a message is kept here; None if it does not belong."""
        if not self._belongs(said):
            return None
        is_kept_whole = self.keeps_envelopes_of_all or said.sender == self.me
        return said if is_kept_whole else self.part(said, self.me.name)

    # ── Keeping ──

    def write(self, message: M, holder: Holder, answered: Mapping[str, Signed[Any]] = NOBODY) -> Signed[M]:
        """Sign one's own message and keep it: from here on the step is done, and this is what it said.

        answered: the messages that it answers, which are kept with it, as `keep` has it.
        """
        data = signed.write(message, holder)
        said = signed.read(data, self._roster).expect(type(message))
        self.keep(answered, beside={self._path(type(message), self.me.name): data})
        return said

    def keep(self, *steps: Mapping[str, Signed[Any]], beside: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Keep the messages of others, of each of some steps; of one that is kept, the envelopes that were missing.

        Confirmations that all voters gave alike take the place of what one of them said besides. Raises `StepConflict`
        if something else is kept, by another process since; then nothing is changed. beside: files, by their names in
        the state directory, which appear at once with what is new, in place of what was there.
        """
        new: dict[str, bytes] = {}
        other: dict[str, bytes] = {}
        for received in steps:
            for name, said in received.items():
                kind = type(said.message)
                path = self._path(kind, name)
                present = read_kept(self._home, path, kind, self._roster)
                if present is None:
                    new[path] = said.to_pem()
                elif present.content_digest != said.content_digest:
                    if not self._is_agreement(received):
                        raise StepConflict(f"another {kind.title} of {name} is kept here", hint="run this again")
                    other[path] = said.to_pem()
                elif said.enclosed.keys() - present.enclosed.keys():
                    other[path] = present.joined(said).to_pem()
        self._home.put_all(new, replacing={**other, **beside})

    def _is_agreement(self, received: Mapping[str, Signed[Any]]) -> bool:
        confirmations = {
            name: said.expect(Confirmation) for name, said in received.items() if isinstance(said.message, Confirmation)
        }
        return bool(self.voters) and self.is_confirmed_by(confirmations)

    def _kept(self, kind: type[M], sender: PublicIdentity) -> Signed[M] | None:
        path = self._path(kind, sender.name)
        kept = read_kept(self._home, path, kind, self._roster)
        if kept is not None and (kept.sender != sender or not self._belongs(kept)):
            raise StorageProblem(f"{self._home.path / path} is not what its name says", hint="restore it from a backup")
        return kept

    def _path(self, kind: type[Message], name: str) -> str:
        return f"{self.folder}/{STEPS[kind]}/{name}.pem"
