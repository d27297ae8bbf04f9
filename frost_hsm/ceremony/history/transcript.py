"""The messages of one ceremony or signing request: one's own, those taken in, and the evidence that stopped it.

A message is kept once a step has checked it and acted on it, never before; what is kept does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from frost_hsm.ceremony.history import dossier
from frost_hsm.ceremony.history.judgement import Verdict, judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Contradiction, Inbox
from frost_hsm.ceremony.messages.making import Commitment, Confirmation, Message, Response, Round1, Round2
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.upkeep import Dealing, RepairDelta, RepairDone, RepairSigma
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.store import ACTIVE, EVIDENCE, GIVEN_UP, StateDirectory
from frost_hsm.errors import CeremonyStopped, InputProblem, InvalidContents, NotKnown, NotYet, StorageProblem

M = TypeVar("M", bound=Message)

STEPS: Mapping[type[Message], str] = {
    Round1: "round1",
    Round2: "round2",
    Dealing: "dealing",
    Confirmation: "confirm",
    Commitment: "commit",
    Response: "response",
    RepairDelta: "delta",
    RepairSigma: "sigma",
    RepairDone: "done",
}
"""The word for each kind of message in file names."""


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


def _judged(evidence: bytes) -> Verdict:
    try:
        return judge(evidence)
    except InputProblem as error:  # of an older version of this program, or about what it cannot follow
        return Verdict(f"the evidence cannot be judged by itself: {error}")


class Transcript:
    """What was said so far in one folder of the state directory.

    title: what it is called in sentences; stem: what its files are called; belongs: whether a message is part of
    it; expected: the names of those who have to speak, in roster order; beginning: what evidence has to begin with, for
    others to judge it: the lineage of the key, and what the rest is about.
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
        expected: Iterable[str],
        beginning: Callable[[], Iterable[Signed[Any]]],
    ) -> None:
        self._home = home
        self.folder = folder
        self._roster = roster
        self.me = me
        self._belongs = belongs
        self._title = title
        self._stem = stem
        self.expected = tuple(expected)
        self._beginning = beginning

    def require_running(self) -> None:
        """Raise `CeremonyStopped` if evidence or its owner stopped it."""
        if self.is_stopped:
            verdict = self.verdict()
            why = verdict.sentence if verdict is not None else "you gave it up"
            raise CeremonyStopped(f"{self._title} was stopped here: {why}")

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped here, and all have not agreed to it since."""
        present = {name for name in (EVIDENCE, GIVEN_UP, ACTIVE) if self._home.exists(f"{self.folder}/{name}")}
        return bool(present) and ACTIVE not in present

    def stop(self, proof: Iterable[Signed[Any]], package: bytes | None = None) -> Verdict:
        """Stop for good and keep what shows why, with all that somebody else needs to see it too; says what it shows.

        package: the public key package that signature shares are judged by. What all have agreed to, an active key,
        stays. Evidence that convicts somebody takes the place of evidence that does not, and nothing else does.
        """
        data = self.file_of(proof, package)
        verdict = _judged(data)
        with self._home.lock():
            kept = self.evidence()
            is_better = kept is None or (verdict.culprits and not _judged(kept).culprits)
            if is_better and not self._home.exists(f"{self.folder}/{ACTIVE}"):
                self._home.replace(f"{self.folder}/{EVIDENCE}", data)
        return verdict

    def judge(self, proof: Iterable[Signed[Any]]) -> Verdict:
        """Say what messages show, and keep nothing."""
        return _judged(self.file_of(proof))

    def file_of(self, proof: Iterable[Signed[Any]], package: bytes | None = None) -> bytes:
        """Put messages into a file that anybody can judge."""
        return dossier.write([*self._beginning(), *proof], package)

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
        return None if kept is None else _judged(kept)

    def sent(self, kind: type[M]) -> Signed[M] | None:
        """Return one's own message of a kind, if that step was done."""
        return self._kept(kind, self.me)

    def known(self, kind: type[M]) -> dict[str, Signed[M]]:
        """Return the messages of a kind that are kept, by sender's name."""
        kept = {name: self._kept(kind, self._roster.at(self._roster.position(name))) for name in self.expected}
        return {name: said for name, said in kept.items() if said is not None}

    def find(self, kind: type[M], inbox: Inbox) -> dict[str, Signed[M]]:
        """Return the messages of a kind that are kept or have come in, by sender's name; keeps nothing itself.

        Our own may come in too, sent back by others after the state directory was lost. Raises `Contradiction`, which
        stops the ceremony.
        """
        try:
            return inbox.collect(kind, self._roster, self._belongs, self._title, self.known(kind))
        except Contradiction as contradiction:
            self.stop(contradiction.proof)
            raise

    def gather(self, kind: type[M], inbox: Inbox) -> dict[str, Signed[M]]:
        """As `find`, everybody's in roster order. Raises `NotYet`, naming who is missing."""
        found = self.find(kind, inbox)
        missing = [name for name in self.expected if name not in found]
        if self.me.name in missing:
            raise NotKnown(f"your own {kind.title} of {self._title} is not here", hint="do that step first")
        if missing:
            have = ", ".join(name for name in self.expected if name in found)
            files = ", ".join(f"{self._stem}.{name}.{STEPS[kind]}.pem" for name in missing)
            raise NotYet(
                f"no {kind.title} from {', '.join(missing)}",
                hint=f"have {have or 'none'}; ask for {files}, then run the same command again",
            )
        return {name: found[name] for name in self.expected}

    def agreed(self, kind: type[M], inbox: Inbox) -> dict[str, Signed[M]] | None:
        """Return everybody's message in roster order if all said what we said; None if not, or not yet.

        Whatever somebody said besides does not count: the others may have gone on with what all agreed to, and nobody
        shall be able to part us from them.
        """
        own = self.sent(kind)
        if own is None:
            return None
        found = self.known(kind)
        others: list[str] = []
        for label, said in inbox.of_kind(kind, self._roster, self._belongs, self._title):
            if said.content_digest == own.content_digest:
                found[said.sender.name] = said
            else:
                others.append(label)
        if not all(name in found for name in self.expected):
            return None
        inbox.passed_over += others
        return {name: found[name] for name in self.expected}

    def write(self, message: M, holder: Holder) -> Signed[M]:
        """Sign one's own message and keep it: from here on the step is done, and this is what it said."""
        data = signed.write(message, holder)
        said = signed.read(data, self._roster).expect(type(message))
        self._home.put(self._path(type(message), self.me.name), data)
        return said

    def keep(self, received: Mapping[str, Signed[M]]) -> None:
        """Keep the messages of others."""
        for name, said in received.items():
            path = self._path(type(said.message), name)
            if not self._home.exists(path):
                self._home.put(path, said.to_pem())

    def _kept(self, kind: type[M], sender: PublicIdentity) -> Signed[M] | None:
        path = self._path(kind, sender.name)
        kept = read_kept(self._home, path, kind, self._roster)
        if kept is not None and (kept.sender != sender or not self._belongs(kept)):
            raise StorageProblem(f"{self._home.path / path} is not what its name says", hint="restore it from a backup")
        return kept

    def _path(self, kind: type[Message], name: str) -> str:
        return f"{self.folder}/{STEPS[kind]}/{name}.pem"
