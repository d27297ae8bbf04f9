"""Five people with tokens in memory who make a key, or its shares anew, while some of them cheat.

Each has a folder of mail. The honest take every step with all that lies in their own, and in the end they show each
other all of it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from attacks.cheating import NAMES, Cheat, RefreshCheat, Way, say, to_all
from ceremony.memory_token import MemoryToken
from stage import parties, upkeep
from stage.parties import Messages, Party

from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox, Incoming
from frost_hsm.ceremony.messages.making import Round1, Round2
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder, Identity
from frost_hsm.ceremony.sharing import dispute
from frost_hsm.ceremony.sharing.rounds import Rounds
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import Config
from frost_hsm.errors import FrostHsmError


@dataclass
class Person(Party):
    """A party whose token is in memory, and whose sealed records lie in the state directory therefore."""

    token: MemoryToken = field(default_factory=MemoryToken)
    own: Identity | None = None
    mail: list[bytes] = field(default_factory=list)

    @contextlib.contextmanager
    def holder(self) -> Iterator[Holder]:
        assert self.own is not None
        yield Holder(self.own, self.token)

    def take(self, messages: Iterable[bytes]) -> None:
        self.mail += [each for each in messages if each not in self.mail]

    @property
    def inbox(self) -> Inbox:
        """All mail, as it lies in a folder together."""
        return Inbox([Incoming(f"mail {number}", data, named=False) for number, data in enumerate(self.mail)])

    def keep(self) -> None:
        """Note how everything is, for `put_back`."""
        shutil.copytree(self.directory / "home", self.directory / "kept")

    def put_back(self) -> None:
        self.mail.clear()
        shutil.rmtree(self.directory / "home")
        shutil.copytree(self.directory / "kept", self.directory / "home")


def gather(directory: Path) -> list[Person]:
    """Make people who know each other."""
    people = []
    for name in NAMES:
        person = Person(name, directory / name, "memory:")
        person.own = identity.create(person.token, name)
        home = StateDirectory.create(person.directory / "home")
        Config(name, "memory:", parties.QUICK).save(home)
        home.put("identity.pem", person.own.public.to_pem())
        people.append(person)
    for person in people:
        for other in people:
            if other is not person:
                person.home.put(f"peers/{other.name}.pem", other.public.to_pem())
    return people


class Gathering:
    """One key generation. ways: who cheats, and how. proposals: what each was shown, by name; nothing to some."""

    def __init__(self, people: Sequence[Person], ways: Mapping[str, Way], proposals: Mapping[str, bytes]) -> None:
        self.proposals, self.ways = proposals, ways
        self.honest = [person for person in people if person.name not in ways]
        self.cheats = {person.name: self.cheat(person) for person in people if person.name in ways}
        self.late: list[Mapping[str, Sequence[bytes]]] = []

    # ── What differs where shares are made anew ──

    def cheat(self, person: Person) -> Cheat:
        return Cheat(person, self.proposals[person.name])

    def join(self, person: Person, proposal: bytes) -> None:
        ceremony = person.join(proposal)
        ceremony.check_roster({each.name: each.public for each in self.honest} | self._identities_of_cheats())

    def ceremony(self, person: Person) -> Rounds:
        return person.ceremony()

    def confirm(self, person: Person) -> None:
        person.ceremony().confirm(person.inbox)

    def key(self, person: Person) -> GroupKey:
        return person.key()

    # ── How it goes ──

    def run(self) -> bool:
        """Returns whether all honest have taken part to the end; otherwise none has."""
        for person in self.honest:
            if person.name in self.proposals:
                with self.nobody_honest_named():
                    self.join(person, self.proposals[person.name])
        for step, says in (("round1", "round1"), ("round2", "round2"), ("finish", "confirm")):
            self.honestly(step)
            self.cheating(says)
            self.deliver_what_is_late(step)
        self.honestly("confirm")
        self.accuse()
        together = [data for person in self.honest for data in person.mail]
        for person in self.honest:
            person.take(together)
        for step in ("round2", "finish", "finish", "confirm"):
            self.honestly(step)
        return self.judge()

    def honestly(self, step: str) -> None:
        """Every honest participant takes a step, if it lets them, and shows everybody what comes of it."""
        for person in self.honest:
            with self.nobody_honest_named():
                ceremony = self.ceremony(person)
                if step == "round1":
                    self._post(to_all(ceremony.round1(person.holder)))
                elif step == "round2":
                    self._post(to_all(ceremony.round2(person.holder, person.inbox)))
                elif step == "finish":
                    self._post(to_all(ceremony.finish(person.holder, person.inbox).message))
                else:
                    self.confirm(person)

    def cheating(self, step: str) -> None:
        """Every cheat speaks, as they should or in their way; or cannot, because the others have stopped."""
        for name, cheat in self.cheats.items():
            cheat.first = self._first_messages(cheat)
            with suppress(LookupError):
                at, way = self.ways[name]
                now, late = say(cheat, step, way if at == step else "as they should")
                self._post(now)
                self.late.append(late)

    def _first_messages(self, cheat: Cheat) -> Messages:
        """Return the first round 1 of each that a cheat saw; their own is the one they should say."""
        found: Messages = {}
        for data in cheat.seen:
            with suppress(FrostHsmError):  # of another ceremony
                said = signed.read(data, cheat.seat.roster)
                if isinstance(said.message, Round1) and said.message.ceremony == cheat.seat.ceremony:
                    found.setdefault(said.sender.name, data)
        found.setdefault(cheat.party.name, cheat.good("round1"))
        return found

    def deliver_what_is_late(self, step: str) -> None:
        """What comes late comes once the honest have tried the step that would have needed it, and they try again."""
        if any(self.late):
            following = {"round1": "round2", "round2": "finish", "finish": "confirm"}[step]
            self.honestly(following)
            while self.late:
                self._post(self.late.pop())
            self.honestly(following)

    def accuse(self) -> None:
        """Cheats complain about good shares of the honest; the accused answer, and all look at it."""
        for name, cheat in self.cheats.items():
            accused = self.honest[0]
            if self.ways[name][1] != "complaining":
                continue
            transcript = self.ceremony(accused).transcript
            first, second = transcript.sent(Round1), transcript.sent(Round2)
            if first is None or second is None:
                continue
            complaint = signed.read(cheat.complaint(second.to_pem()), cheat.seat.roster)
            accusation = transcript.file_of([first, second, complaint])
            self.settle(self.honest[1:2], accusation)
            with self.nobody_honest_named():
                accusation, verdict = dispute.find(accused.home, accusation, accused.public).answer(accused.holder)
                assert name in verdict.names
            self.settle(self.honest, accusation)

    def settle(self, people: Sequence[Person], accusation: bytes) -> None:
        for person in people:
            with self.nobody_honest_named():
                verdict = dispute.find(person.home, accusation, person.public).settle()
                assert set(verdict.names) <= set(self.cheats), verdict.sentence

    def judge(self) -> bool:
        """Compare how it ended for the honest, and what they keep as evidence."""
        states, evidence = {}, {}
        for person in self.honest:
            with self.nobody_honest_named():
                ceremony = self.ceremony(person)
                states[person.name] = ceremony.status().step
                evidence[person.name] = ceremony.transcript.evidence()
        active = [person for person in self.honest if states.get(person.name) == "active"]
        assert active in ([], self.honest), states
        if active:
            keys = [self.key(person) for person in active]
            assert {key.status for key in keys} == {KeyStatus.ACTIVE}
            assert len({key.public_key_package.serialize() for key in keys}) == 1
        for name, data in evidence.items():
            if data is not None:
                self.settle([each for each in self.honest if each.name != name], data)
                assert set(judge(data).names) <= set(self.cheats)
        return bool(active)

    def _identities_of_cheats(self) -> dict[str, identity.PublicIdentity]:
        return {name: cheat.party.public for name, cheat in self.cheats.items()}

    def _post(self, sent: Mapping[str, Sequence[bytes]]) -> None:
        for person in self.honest:
            person.take(sent.get(person.name, ()))
        for name, cheat in self.cheats.items():
            cheat.seen += sent.get(name, ())

    def nobody_honest_named(self) -> NobodyHonestNamed:
        return NobodyHonestNamed(set(self.cheats))


class Refreshing(Gathering):
    """The same where the shares of a key are made anew."""

    def cheat(self, person: Person) -> Cheat:
        return RefreshCheat(person, self.proposals[person.name])

    def join(self, person: Person, proposal: bytes) -> None:
        upkeep.join(person, proposal)

    def ceremony(self, person: Person) -> Rounds:
        return upkeep.load(person)

    def confirm(self, person: Person) -> None:
        upkeep.load(person).confirm(person.holder, person.inbox)

    def judge(self) -> bool:
        """Besides: there is one epoch in which the honest, who are enough, sign."""
        is_done = super().judge()
        assert {self.key(person).epoch for person in self.honest} == {int(is_done)}
        assert len(parties.sign(self.honest[:3], b"message")) == 65
        return is_done


class NobodyHonestNamed:
    """A block in which any error of ours may end a step, but none may name anybody who is honest."""

    def __init__(self, cheats: set[str]) -> None:
        self._cheats = cheats

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, FrostHsmError):
            return False
        assert {str(culprit) for culprit in error.culprits} <= self._cheats, repr(error)
        return True
