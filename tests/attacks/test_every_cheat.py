"""Five people, any one or two of whom cheat, in every way that the messages of key generation allow.

Whatever they do, and once the honest have shown each other all that they were sent: either all honest have the same
key, or none has one; and no honest one is ever named. All ways of one cheat are tried; of two at once a sample, always
the same one. FROST_HSM_EVERY_CHEAT=1 tries all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import combinations, product

import mallory
import parties
import pytest
from attacks.gathering import NAMES, Person, gather
from mallory import Mallory
from parties import KEY, Messages

from frost_hsm.ceremony import certificate, dispute, judgement, keygen, signed
from frost_hsm.ceremony.complaints import Complaint
from frost_hsm.ceremony.keys import KeyState
from frost_hsm.ceremony.messages import Confirmation, Round1, Round2
from frost_hsm.errors import FrostHsmError

MIN_SIGNERS = 3
STEPS = ("round1", "round2", "confirm")
SAMPLE = 1  # for each pair of cheats
FATAL = ("missing", "swapped", "wrong 0", "wrong 1", "wrong 2", "wrong 3")  # without these messages there is no key

Way = tuple[str, str]
"""A step, and what a cheat does there; in all other steps they do as they should."""


class Cheat(Mallory):
    """A participant who can say everything in several ways. ``first`` is the round 1 that they claim to have seen."""

    def __init__(self, person: Person, proposal: bytes) -> None:
        super().__init__(person, proposal)
        self.first: Messages = {}
        self.seen: list[bytes] = []

    def good(self, step: str) -> bytes:
        if step == "round1":
            return self.round1()
        if step == "round2":
            return self.round2(self.first)
        return self.say(self._confirmation())

    def other(self, step: str) -> bytes:
        """Say another thing that is well formed as well."""
        if step == "round1":
            return self.round1(self.draw()[1])
        if step == "round2":
            return self.round2(self.first)  # in fresh envelopes
        return self.say(replace(self._confirmation(), public_key_package_hash=bytes(32)))

    def wrong(self, step: str) -> Iterator[bytes]:
        """Say what nobody may say, in every way."""
        if step == "round1":
            yield self.round1(self.draw(MIN_SIGNERS + 1)[1])
            yield self.round1(replace(self.package, proof_of_knowledge=self.draw()[1].proof_of_knowledge))
            yield self.say(Round1(self.seat.ceremony, b"nothing"))
        elif step == "round2":
            yield self.round2(self.first, lambda name, package: mallory.plus_one(package))
            victim = next(name for name in NAMES if name != self.party.name)
            spoil = lambda name, package: mallory.plus_one(package) if name == victim else package  # noqa: E731
            yield self.round2(self.first, spoil)
            yield self.say(Round2(self.seat.ceremony, bytes(32), self.envelopes(self.first)))
            yield self.say(Round2(self.seat.ceremony, self.hash(self.first), self.envelopes(self.first)[1:]))
        else:
            for field in ("round1_hash", "round2_hash", "public_key_package_hash"):
                yield self.say(replace(self._confirmation(), **{field: bytes(32)}))

    def swapped(self, step: str) -> bytes:
        """Say what is somebody else's, or for somebody else."""
        if step == "round1":
            return self.repeat(next(said for name, said in self.first.items() if name != self.party.name))
        if step == "round2":
            one, two, *others = self.envelopes(self.first)
            return self.say(Round2(self.seat.ceremony, self.hash(self.first), (two, one, *others)))
        own = self._confirmation()
        return self.say(replace(own, round1_hash=own.round2_hash, round2_hash=own.round1_hash))

    def complaint(self, about: bytes) -> bytes:
        """Accuse somebody of a share that is good."""
        said = signed.read(about, self.seat.roster)
        position = self.seat.roster.position(said.sender.name)
        return self.say(Complaint(self.seat.ceremony, position, said.content_digest))

    def _confirmation(self) -> Confirmation:
        """Confirm what the honest confirm."""
        for data in self.seen:
            said = signed.read(data, self.seat.roster)
            if isinstance(said.message, Confirmation):
                return said.message
        raise LookupError("nobody has confirmed anything")


Sent = tuple[Mapping[str, Sequence[bytes]], Mapping[str, Sequence[bytes]]]
"""By recipient: what comes in time, and what comes late."""


def to_all(*messages: bytes) -> dict[str, Sequence[bytes]]:
    return dict.fromkeys(NAMES, messages)


def halves(one: Sequence[bytes], other: Sequence[bytes]) -> dict[str, Sequence[bytes]]:
    return {name: one if place % 2 else other for place, name in enumerate(NAMES)}


WAYS: dict[str, Callable[[Cheat, str], Sent]] = {
    "missing": lambda cheat, step: ({}, {}),
    "repeated": lambda cheat, step: (
        (to_all(cheat.good(step), cheat.good(step)), {}) if step != "round2" else _twice(cheat)
    ),
    "swapped": lambda cheat, step: (to_all(cheat.swapped(step)), {}),
    "equivocating": lambda cheat, step: (halves([cheat.good(step)], [cheat.other(step)]), {}),
    "equivocating openly": lambda cheat, step: (to_all(cheat.good(step), cheat.other(step)), {}),
    "equivocating later": lambda cheat, step: (to_all(cheat.good(step)), to_all(cheat.other(step))),
    "to some": lambda cheat, step: (halves([cheat.good(step)], []), {}),
    "late": lambda cheat, step: ({}, to_all(cheat.good(step))),
}


def _twice(cheat: Cheat) -> Sent:
    said = cheat.good("round2")
    return to_all(said, cheat.repeat(said)), {}


def _wrong(number: int) -> Callable[[Cheat, str], Sent]:
    return lambda cheat, step: (to_all(list(cheat.wrong(step))[number]), {})


EVERY_WAY: list[Way] = [
    *product(STEPS, WAYS),
    *((step, f"wrong {number}") for step, count in zip(STEPS, (3, 4, 3), strict=True) for number in range(count)),
    ("confirm", "complaining"),
]


class Gathering:
    """One key generation. ``cheats``: who cheats, and how."""

    def __init__(self, people: Sequence[Person], ways: Mapping[str, Way], proposal: bytes) -> None:
        self.proposal, self.ways = proposal, ways
        self.honest = [person for person in people if person.name not in ways]
        self.cheats = {person.name: Cheat(person, proposal) for person in people if person.name in ways}
        self.late: list[Mapping[str, Sequence[bytes]]] = []

    def run(self) -> bool:
        """Returns whether there is a key in the end."""
        for person in self.honest:
            person.join(self.proposal)
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
            ceremony = person.ceremony()
            with self.nobody_honest_named():
                if step == "round1":
                    self._post(to_all(ceremony.round1(person.holder)))
                elif step == "round2":
                    self._post(to_all(ceremony.round2(person.holder, person.inbox)))
                elif step == "finish":
                    self._post(to_all(ceremony.finish(person.holder, person.inbox).message))
                else:
                    ceremony.confirm(person.inbox)

    def cheating(self, step: str) -> None:
        """Every cheat speaks, as they should or in their way; or cannot, because the others have stopped."""
        for name, cheat in self.cheats.items():
            cheat.first = self.first_messages(cheat)
            at, way = self.ways[name]
            if way == "complaining":
                at = ""
            with suppress(LookupError):
                if at != step:
                    self._post(to_all(cheat.good(step)))
                    continue
                say = _wrong(int(way[-1])) if way.startswith("wrong") else WAYS[way]
                now, late = say(cheat, step)
                self._post(now)
                self.late.append(late)

    def first_messages(self, cheat: Cheat) -> Messages:
        """Return the first round 1 of each that a cheat saw; their own is the one they should say."""
        found: Messages = {}
        for data in cheat.seen:
            said = signed.read(data, cheat.seat.roster)
            if isinstance(said.message, Round1):
                found.setdefault(said.sender.name, data)
        if cheat.party.name not in found:
            found[cheat.party.name] = cheat.good("round1")
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
            if self.ways[name][1] != "complaining":
                continue
            accused = self.honest[0]
            sent = [accused.ceremony().transcript.sent(kind) for kind in (Round1, Round2)]
            if None in sent:
                continue
            messages = [said.to_pem() for said in sent if said is not None]
            accusation = b"".join([self.proposal, *messages, cheat.complaint(messages[1])])
            self.settle(self.honest[1:2], accusation)
            with self.nobody_honest_named():
                accusation, _ = dispute.find(accused.home, accusation, accused.public).answer(accused.holder)
            self.settle(self.honest, accusation)

    def settle(self, people: Sequence[Person], accusation: bytes) -> None:
        for person in people:
            with self.nobody_honest_named():
                verdict = dispute.find(person.home, accusation, person.public).settle()
                assert set(verdict.names) <= set(self.cheats), verdict.sentence

    def judge(self) -> bool:
        """Compare how it ended for the honest, and what they keep as evidence."""
        states = {person.name: person.ceremony().status().step for person in self.honest}
        active = [person for person in self.honest if states[person.name] == "active"]
        assert active in ([], self.honest), states
        if active:
            keys = [person.key() for person in active]
            assert all(key.state is KeyState.ACTIVE for key in keys)
            assert len({key.public_key_package.serialize() for key in keys}) == 1
            assert {key.min_signers for key in keys} == {MIN_SIGNERS}
        for person in self.honest:
            evidence = person.ceremony().transcript.evidence()
            if evidence is not None:
                self.settle([each for each in self.honest if each is not person], evidence)
                assert set(judgement.judge(evidence).names) <= set(self.cheats)
        return bool(active)

    def _post(self, sent: Mapping[str, Sequence[bytes]]) -> None:
        for person in self.honest:
            person.take(sent.get(person.name, ()))
        for name, cheat in self.cheats.items():
            cheat.seen += sent.get(name, ())

    def nobody_honest_named(self) -> _NobodyHonestNamed:
        return _NobodyHonestNamed(set(self.cheats))


class _NobodyHonestNamed:
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


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    return gather(tmp_path_factory.mktemp("every-cheat"))


@pytest.fixture
def people(gathered: list[Person], monkeypatch: pytest.MonkeyPatch) -> list[Person]:
    monkeypatch.setattr(certificate, "parse", cache(certificate.parse))  # the same ten, thousands of times
    for person in gathered:
        person.forget()
    return gathered


def propose(author: Person, others: Sequence[Person], min_signers: int = MIN_SIGNERS) -> bytes:
    with author.holder() as holder:
        public = [person.public for person in others]
        return keygen.propose(holder, KEY, public, min_signers=min_signers, suite="p256")


def harmless(way: Way) -> bool:
    """Whether all have what they need in the end, once the honest have shown each other what they were sent."""
    step, how = way
    return how in ("repeated", "late", "complaining") or (step == "confirm" and how not in FATAL)


def cases() -> Iterator[dict[str, Way]]:
    for number, way in enumerate(EVERY_WAY):
        for name in NAMES if everything() else [NAMES[number % len(NAMES)]]:
            yield {name: way}
    for pair in combinations(NAMES, 2):
        ways = list(product(EVERY_WAY, repeat=2))
        for chosen in ways if everything() else random.Random("".join(pair)).sample(ways, SAMPLE):
            yield dict(zip(pair, chosen, strict=True))


def everything() -> bool:
    return os.environ.get("FROST_HSM_EVERY_CHEAT") == "1"


def title(case: Mapping[str, Way]) -> str:
    return " and ".join(f"{name} {way} in {step}" for name, (step, way) in case.items())


def test_nobody_cheats(people: list[Person]) -> None:
    assert Gathering(people, {}, propose(people[0], people[1:])).run()
    assert [person.key().state for person in people] == [KeyState.ACTIVE] * 5
    assert len(parties.sign(people[2:], b"message")) == 65


@pytest.mark.parametrize("case", list(cases()), ids=title)
def test_all_honest_end_alike_and_none_is_named(people: list[Person], case: dict[str, Way]) -> None:
    is_key = Gathering(people, case, propose(people[0], people[1:])).run()
    if all(map(harmless, case.values())):
        assert is_key
    if len(case) == 1 and any(how in FATAL for _, how in case.values()):
        assert not is_key
